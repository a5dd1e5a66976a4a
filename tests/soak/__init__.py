"""Long forms of tests, each one command that prints its figures; plain `pytest` leaves them alone."""
