"""Long forms of the fault tests: `python -m tests.soak.NAME`; plain `pytest` runs the short forms."""
