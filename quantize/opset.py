"""Opset: the one form of ONNX that every network is brought to, and how large it may be."""

OPSET = 18
"""What every graph is brought to."""

IR_VERSION = 8
"""Of the file format; in ones before 4 weights had to be inputs, too."""

MOST_NUMBERS = 2**28
"""In one tensor: 16 channels of a picture of 16 megapixels, 1 GiB in float."""
