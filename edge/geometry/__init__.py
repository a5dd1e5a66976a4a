"""Geometry: pictures made straight, and pixels turned into millimetres."""
