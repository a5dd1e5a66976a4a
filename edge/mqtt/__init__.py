"""What the MQTT sink and the consumer are made of: one connection, topics, windows, replays, and memory of numbers."""
