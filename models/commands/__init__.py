"""Commands of the classroom; every file here is one verb with `HELP`, `add_arguments` and `run`."""
