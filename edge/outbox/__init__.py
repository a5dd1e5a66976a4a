"""Outbox: alerts on disk before they exist, and whatever keeps them whole when file, disk or power fail."""
