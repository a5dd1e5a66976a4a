"""What tiles find in 4k pictures, and what they cost: `python -m tests.bench.large MODEL… DATASET`; some minutes.

The pictures of the validation and test splits are laid at their own scale on 3840x2160 pixels, the room between them
filled with their own mirror images: a surface like those that the network knows, of which a tile may show any part.
What is found of them there, by tiles, by cascades and in the reduced picture, is compared with what the same network
finds in each picture by itself, with the same truth and the same measure; counts of several models are added up. CPU
times are of one thread, taken in turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from tqdm import tqdm

from edge.region import Box
from edge.regions import regions
from edge.table import table
from edge.tile_config import CascadeConfig, TilesConfig, TilingConfig
from edge.tiles.tiled import TiledSegmenter
from models.metrics.blobs import BINS, EDGES_PX, FALSE, FOUND, MISSED, blob_counts
from quantize.evaluate import list_samples, open_model, read_sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge.mask import Mask, Plane
    from edge.picture import Picture
    from edge.segment import Segmenter
    from models.metrics import Counts
    from quantize.evaluate import Model

FRAME = (3840, 2160)
MARGIN_PX = (96, 200)
"""Of mirror image between two pictures."""
SMALL_BINS = 3
LEAST_PX = 9
SIDES = (1, 2, 4, 8)
"""Pictures of so many tiles to a side are timed."""
TURNS, INFERENCES = 5, 64
CASCADES = (0.6, 0.9)


@dataclass(frozen=True, slots=True)
class Part:
    """One picture with its truth."""

    picture: Picture
    truth: Plane


@dataclass(frozen=True, slots=True)
class Scene:
    """A large picture, and which parts lie where on it."""

    picture: Picture
    laid: tuple[tuple[Part, Box], ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", help="bundles, or float ONNX files")
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", help="of a tile, WxH; default: what the network takes")
    parser.add_argument("--overlap", type=float, default=0.5)
    parser.add_argument("--splits", default="val,test")
    parser.add_argument("--halve", action="store_true", help="lay the pictures at half their scale")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    size = tuple(int(side) for side in args.size.split("x")) if args.size else None
    tiles = TilesConfig(size=size, overlap=args.overlap)
    ways: dict[str, Way] = {}
    for place, path in enumerate(args.models):
        with open_model(path, None, 1) as model:
            segmenter = of_known_size(model)
            parts = [
                Part(*read_sample(sample, model.classes))
                for split in args.splits.split(",")
                for sample in list_samples(args.data, split)[0]
            ]
            if args.halve:
                parts = [half(part) for part in parts]
            scenes = list(lay_out(parts, np.random.default_rng(place)))
            print(f"{path.name}: {len(parts)} pictures on {len(scenes)} frames", flush=True)
            look_all_ways(model, segmenter, parts, scenes, tiles, ways)
            if not place:
                costs = growth(model, segmenter, tiles)
    print(found_table(ways))
    print(costs)


def of_known_size(model: Model) -> Segmenter:
    """Give the model's segmenter, with the size of its masks."""
    if model.segmenter is None:
        raise SystemExit(f"{model.facts.file}: gives no mask")
    nothing = np.zeros((64, 64, 3), np.uint8)
    height, width = model.segmenter(nothing).classes.shape
    model.segmenter.output = (height, width)
    return model.segmenter


def half(part: Part) -> Part:
    """Give it at half its scale."""
    height, width = (side // 2 for side in part.truth.shape)
    picture = cv2.resize(part.picture, (width, height), interpolation=cv2.INTER_AREA)
    truth = cv2.resize(part.truth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return Part(picture.astype(np.uint8), truth.astype(np.uint8))


def lay_out(parts: Sequence[Part], rng: np.random.Generator) -> Iterator[Scene]:
    """Lay all parts, in any order, on as many frames as they need."""
    waiting = [parts[place] for place in rng.permutation(len(parts))]
    while waiting:
        picture, laid, top = np.zeros((*FRAME[::-1], 3), np.uint8), [], 0
        while waiting:
            row = take_row(waiting, rng)
            height = max(box.height for _, box in row)
            if top + height > FRAME[1]:
                waiting[:0] = [part for part, _ in row]
                break
            down = min(int(rng.integers(*MARGIN_PX)), FRAME[1] - top - height)
            fill_row(picture[top : top + height + down], row)
            laid += [(part, box._replace(y=top)) for part, box in row]
            top += height + down
        picture[top:] = cv2.copyMakeBorder(picture[:top], 0, FRAME[1] - top, 0, 0, cv2.BORDER_REFLECT_101)[top:]
        yield Scene(picture, tuple(laid))


def take_row(waiting: list[Part], rng: np.random.Generator) -> list[tuple[Part, Box]]:
    """Take as many parts as stand side by side."""
    row: list[tuple[Part, Box]] = []
    left = 0
    while waiting and left + waiting[0].truth.shape[1] <= FRAME[0]:
        part = waiting.pop(0)
        height, width = part.truth.shape
        row.append((part, Box(left, 0, width, height)))
        left += width + int(rng.integers(*MARGIN_PX))
    return row


def fill_row(strip: Picture, row: Sequence[tuple[Part, Box]]) -> None:
    """Draw parts side by side, each going on as its mirror image to the next one and to the lower edge."""
    ends = [box.x for _, box in row[1:]] + [FRAME[0]]
    for (part, box), end in zip(row, ends, strict=True):
        down, right = len(strip) - box.height, end - box.x - box.width
        filled = cv2.copyMakeBorder(part.picture, 0, down, 0, right, cv2.BORDER_REFLECT_101)
        strip[:, box.x : end] = filled


# --- what is found


@dataclass(slots=True)
class Way:
    """One way of looking, over all models."""

    counts: Counts  # (3, BINS)
    inferences: list[int]
    ratios: list[float]  # of CPU to that of as many inferences, each with the reduction of its picture
    regions_s: list[float]  # CPU of finding regions in the masks


def look_all_ways(
    model: Model,
    segmenter: Segmenter,
    parts: Sequence[Part],
    scenes: Sequence[Scene],
    tiles: TilesConfig,
    ways: dict[str, Way],
) -> None:
    """Count what is found by itself, reduced, by tiles and by cascades."""
    classes, names = len(model.classes), [spec.name for spec in model.classes]
    alone = ways.setdefault("each by itself", Way(np.zeros((3, BINS), np.int64), [], [], []))
    for part in parts:
        alone.counts += counted(segmenter(part.picture).on_frame(), part, classes)
    looks: dict[str, TiledSegmenter | Segmenter] = {"reduced": segmenter}
    for name, how in {
        "tiles": TilingConfig(tiles=tiles),
        "tiles and whole": TilingConfig(tiles=tiles.model_copy(update={"whole": True})),
        **{f"cascade below {s}": TilingConfig(tiles=tiles, cascade=CascadeConfig(unsure_below=s)) for s in CASCADES},
    }.items():
        looks[name] = TiledSegmenter(segmenter, how, range(1, classes))
    for name, look in looks.items():
        way = ways.setdefault(name, Way(np.zeros((3, BINS), np.int64), [], [], []))
        for scene in tqdm(scenes, desc=name, unit="frame", disable=None, leave=False):
            begun = time.process_time()
            mask = look(scene.picture)
            between = time.process_time()
            regions(mask, names, names[1:])
            way.regions_s.append(time.process_time() - between)
            way.inferences.append(inferences(mask, name))
            width, height = tiles_px(segmenter, tiles)
            each = one_inference(segmenter, scene.picture[:height, :width])
            way.ratios.append((between - begun) / way.inferences[-1] / each)
            seen = mask.on_frame()
            for part, box in scene.laid:
                way.counts += counted(seen[box.y : box.y + box.height, box.x : box.x + box.width], part, classes)


def inferences(mask: Mask, name: str) -> int:
    """Say how often the network ran for this mask."""
    return 1 if mask.coverage is None else len(mask.coverage.examined) + (name != "tiles")


def one_inference(segmenter: Segmenter, tile: Picture) -> float:
    """Time single looks at a picture of a tile's size right after, in seconds of CPU."""
    begun = time.process_time()
    for _ in range(INFERENCES // 4):
        segmenter(tile)
    return (time.process_time() - begun) / (INFERENCES // 4)


def tiles_px(segmenter: Segmenter, tiles: TilesConfig) -> tuple[int, int]:
    """Give width and height of a tile."""
    return tiles.size or (segmenter.width, segmenter.height)


def counted(seen: Plane, part: Part, classes: int) -> Counts:
    """Count what was found of one part, (3, BINS), classes together."""
    return np.asarray(blob_counts(seen, part.truth, classes, LEAST_PX).sum(axis=0))


def found_table(ways: dict[str, Way]) -> str:
    """Write what was found in each way, and what it cost."""
    sizes = [f"to {edge - 1} px" for edge in EDGES_PX[SMALL_BINS - 1 :]]
    rows = []
    for name, way in ways.items():
        groups = [slice(SMALL_BINS), *(slice(place, place + 1) for place in range(SMALL_BINS, BINS)), slice(BINS)]
        shares = [share(way.counts[:, group]) for group in groups]
        cost = ["", "", ""]
        if way.ratios:
            times = f"{statistics.median(way.ratios):.3f}", f"{1000 * statistics.median(way.regions_s):.0f} ms"
            cost = [f"{statistics.mean(way.inferences):.0f}", *times]
        rows.append([name, *shares, str(way.counts[FALSE].sum()), *cost])
    head = ["objects found", *sizes, "larger", "all", "false", "inferences a frame", "CPU of as many", "regions"]
    return table(head, rows)


def share(counts: Counts) -> str:
    """Write which share of the objects was found, and of how many."""
    found, missed = int(counts[FOUND].sum()), int(counts[MISSED].sum())
    return f"{100 * found / (found + missed):.1f} % of {found + missed}" if found + missed else "-"


# --- what it costs


def growth(model: Model, segmenter: Segmenter, tiles: TilesConfig) -> str:
    """Time pictures of 1 to 64 tiles against as many single looks at a tile, in turns."""
    look = TiledSegmenter(segmenter, TilingConfig(tiles=tiles), range(1, len(model.classes)))
    rng = np.random.default_rng(1)
    grid = (segmenter.output or (0, 0))[::-1]
    sides = list(zip(tiles_px(segmenter, tiles), grid, strict=True))
    pictures = {}
    for side in SIDES:
        width, height = (longest(tile_px, tiles.overlap, cells, side) for tile_px, cells in sides)
        pictures[side**2] = rng.integers(126, 131, (height, width, 3), np.uint8)
    spent: dict[int, list[tuple[float, float]]] = {count: [] for count in pictures}
    for turn in tqdm(range(TURNS + 1), desc="timing", unit="turn", disable=None, leave=False):
        for count, picture in pictures.items():
            begun = time.process_time()
            for _ in range(INFERENCES // count):
                mask = look(picture)
            between = time.process_time()
            for _ in range(INFERENCES):
                segmenter(pictures[1])
            ended = time.process_time()
            if mask.coverage is None or len(mask.coverage.examined) != count:
                raise AssertionError(f"{picture.shape} was not looked at in {count} tiles")
            if turn:
                spent[count].append(((between - begun) / INFERENCES, (ended - between) / INFERENCES))
    rows = []
    for count, turns in spent.items():
        each = statistics.median(whole for whole, _ in turns)
        ratio = statistics.median(whole / one for whole, one in turns)
        size = "{1}x{0}".format(*pictures[count].shape)
        rows.append([str(count), size, f"{1000 * each:.2f} ms", f"{ratio:.3f}"])
    return table(["tiles", "picture", "CPU per tile", "of one inference"], rows)


def longest(tile_px: int, overlap: float, cells: int, count: int) -> int:
    """Give the longest picture that so many tiles cover."""
    return int((cells + (count - 1) * (cells - np.ceil(overlap * cells))) * tile_px / cells)


if __name__ == "__main__":
    main()
