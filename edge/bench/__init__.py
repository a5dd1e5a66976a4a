"""Bench: what the whole pipeline costs on this machine beside the bare runtime, part by part."""
