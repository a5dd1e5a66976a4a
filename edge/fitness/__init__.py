"""Fitness: is this picture fit to be judged at all, and if not, what is wrong."""
