"""Tiles: large pictures, looked at part by part and closely only where it is worth it."""
