"""Commands of the workshop; every file here is one verb with `HELP`, `add_arguments` and `run`."""
