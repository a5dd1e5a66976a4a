"""`edgeloupe explain`: which pixels of a picture made a model's decision."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.picture import Picture
    from edge.segment import Segmenter
    from quantize.evaluate import Model
    from quantize.explanation import Explanation

HELP = "show on which pixels of a picture a decision rests"
NEEDS = ("torch", "onnx", "onnxruntime")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="CHECKPOINT|MODEL.onnx|BUNDLE")
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURE")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where PICTURE-why.png go")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--class", dest="name", metavar="NAME", help="all that is seen as it; default: the focus class")
    what.add_argument("--region", type=_place, metavar="X,Y", help="the region at this pixel, whatever its class")
    parser.add_argument("--target", metavar="NAME", help="of a bundle; default: one that runs here")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads (default: all)")


def run(args: argparse.Namespace) -> int:
    from edge.errors import ModelError, PictureError
    from edge.picture import read_picture
    from quantize.explanation import told, write_sheet

    unreadable = 0
    with _open(args) as model:
        if model.segmenter is None:
            raise ModelError(f"{args.model}: is {model.facts.task}: only semantic models can be explained")
        class_id = _class_id(args.name, model)
        for path in args.pictures:
            try:
                picture = read_picture(path)
            except PictureError as error:
                unreadable += 1
                print(f"edgeloupe: {error}", file=sys.stderr)
                continue
            why = _why(model.segmenter, picture, class_id, args.region)
            if why is None:
                nothing = "ends before that pixel" if args.region else f"shows no {model.classes[class_id].name}"
                print(f"{path.name}: {nothing}")
                continue
            file = args.output / f"{path.stem}-why.png"
            write_sheet(file, picture, why, model.classes)
            print(f"{file}: {told(why, model.classes[why.class_id].name)}", flush=True)
    return 2 if unreadable else 0


def _why(segmenter: Segmenter, picture: Picture, class_id: int, place: tuple[int, int] | None) -> Explanation | None:
    from quantize.explanation import explain_class, explain_place

    if place:
        return explain_place(segmenter, picture, *place)
    return explain_class(segmenter, picture, class_id)


@contextmanager
def _open(args: argparse.Namespace) -> Iterator[Model]:
    """Open any form of a model; a checkpoint is exported first, so that what is explained is what would be deployed."""
    from quantize.evaluate import open_model

    if args.model.suffix != ".pt":
        with open_model(args.model, args.target, args.threads) as model:
            yield model
        return
    from models.checkpoint import Checkpoint
    from models.export import export

    with tempfile.TemporaryDirectory(prefix="edgeloupe-") as folder:
        file, *_ = export(Checkpoint.load(args.model), Path(folder) / f"{args.model.stem}.onnx")
        with open_model(file, threads=args.threads) as model:
            yield model


def _class_id(name: str | None, model: Model) -> int:
    from edge.errors import ConfigError

    names = [spec.name for spec in model.classes]
    if name is None:
        return model.focus
    if name not in names:
        raise ConfigError(f"--class {name}: must be one of the model's classes {', '.join(names)}")
    return names.index(name)


def _place(text: str) -> tuple[int, int]:
    try:
        x, y = map(int, text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: must be a pixel of the picture, such as 320,200") from error
    return x, y
