"""The demonstration: a trained model, a few pictures, and everything else on this machine."""
