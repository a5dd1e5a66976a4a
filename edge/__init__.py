"""The device: cameras in, masks and verdicts out, alerts that are never lost."""

__version__ = "0.1.0"
