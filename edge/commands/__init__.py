"""Commands a device has; every file here is one verb with `HELP`, `add_arguments` and `run`."""
