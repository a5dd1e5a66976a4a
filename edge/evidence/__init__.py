"""Evidence: what lies behind alerts on the disk; who writes it, waits for it and lets it go."""
