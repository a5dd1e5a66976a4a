"""The classroom: datasets, architectures, training and export of float models."""
