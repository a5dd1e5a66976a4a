"""`edgeloupe adopt`: a float network trained elsewhere gets a card, and can be quantised like our own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "take over a float ONNX or TFLite network trained elsewhere, with a card that says what it takes and gives"
NEEDS = ("onnx", "onnxruntime")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("card", type=Path, metavar="CARD.yaml", help="classes, input size, mean, std, licence, data")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: NAME.onnx here")


def run(args: argparse.Namespace) -> int:
    from edge.errors import ModelError
    from edge.strict_yaml import load
    from models.whole_file import whole_file
    from quantize.adopt import Adoption, adopt

    card = load(args.card, Adoption)
    model = adopt(args.model, card)
    output: Path = args.output or Path(f"{card.name}.onnx")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(output) as partial:
            partial.write_bytes(model.SerializeToString())
    except OSError as error:
        raise ModelError(f"{output}: {error.strerror}: give another place with -o") from error
    given = card.input
    print(f"{output}: {card.name}, {len(card.classes)} classes, {given.width}x{given.height}")
    return 0
