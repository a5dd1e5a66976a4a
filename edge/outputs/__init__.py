"""Outputs: what stands behind the sinks: the thread of each, and the languages of the plant."""
