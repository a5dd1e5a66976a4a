"""Capture: one camera in a process of its own, what watches over it, and what else is made of its pictures."""
