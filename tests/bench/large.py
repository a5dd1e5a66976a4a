"""What tiles find in 4k pictures, and what they cost: `python -m tests.bench.large BUNDLE DATASET`; some minutes.

The pictures of the test split are laid at their own scale on 3840x2160 pixels of belt, each `--rounds` times at other
places. What is found of them there, by tiles and in the reduced picture, is compared with what the same network finds
in each picture by itself, with the same truth and the same measure. CPU times are of one thread, taken in turns.
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

from edge.bundle import open_bundle
from edge.region import Box
from edge.regions import regions
from edge.segment import open_segmenter
from edge.table import table
from edge.tile_config import CascadeConfig, TilesConfig, TilingConfig
from edge.tiled import TiledSegmenter, crop
from models.metrics.blobs import BINS, EDGES_PX, FALSE, FOUND, MISSED, blob_counts
from quantize.evaluate import class_specs, list_samples, read_sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge.bundle import Bundle
    from edge.frame import Picture
    from edge.mask import Mask, Plane
    from edge.segment import Segmenter
    from models.metrics import Counts

FRAME = (3840, 2160)
SMALL_BINS = 3
"""Objects below 256 pixels, 16 to a side, are small."""
LEAST_PX = 9
GAP_PX = (12, 120)
SIDES = (1, 2, 4, 8)
"""Pictures of so many tiles to a side are timed."""
TURNS, INFERENCES = 7, 64
UNSURE_BELOW = (0.5, 0.7, 0.9, 0.97)


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
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", help="of a tile, WxH; default: the median size of the training pictures")
    parser.add_argument("--overlap", type=float, default=0.2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--target")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    bundle = open_bundle(args.bundle)
    samples, split = list_samples(args.data, "test")
    size = tuple(int(side) for side in args.size.split("x")) if args.size else median_size(args.data)
    tiles = TilesConfig(size=size, overlap=args.overlap)
    specs = class_specs(bundle.manifest)
    parts = [Part(*read_sample(sample, specs)) for sample in samples]
    scenes = [scene for seed in range(args.rounds) for scene in lay_out(parts, seed)]
    print(
        f"{bundle.manifest.name}, {len(parts)} pictures ({split}) on {len(scenes)} frames, tiles of {size[0]}x{size[1]}"
    )
    with open_segmenter(bundle, args.target, threads=1) as segmenter:
        print(recall(bundle, segmenter, parts, scenes, tiles))
        print(growth(bundle, segmenter, tiles))


def median_size(data: Path) -> tuple[int, int]:
    """Give the median width and height of the training pictures."""
    heights, widths = zip(*(sample.size() for sample in list_samples(data, "train")[0]), strict=True)
    return round(statistics.median(widths)), round(statistics.median(heights))


def lay_out(parts: Sequence[Part], seed: int) -> Iterator[Scene]:
    """Lay all parts on as many belts as they need, in rows with chance gaps."""
    rng = np.random.default_rng(seed)
    picture = belt(rng)
    laid: list[tuple[Part, Box]] = []
    x, y, bottom = (int(rng.integers(*GAP_PX)) for _ in range(3))
    for part in (parts[place] for place in rng.permutation(len(parts))):
        height, width = part.truth.shape
        if x + width > FRAME[0]:
            x, y = int(rng.integers(*GAP_PX)), bottom + int(rng.integers(*GAP_PX))
        if y + height > FRAME[1]:
            yield Scene(picture, tuple(laid))
            picture, laid = belt(rng), []
            x, y, bottom = (int(rng.integers(*GAP_PX)) for _ in range(3))
        box = Box(x, y, width, height)
        crop(picture, box)[:] = part.picture
        laid.append((part, box))
        x, bottom = x + width + int(rng.integers(*GAP_PX)), max(bottom, y + height)
    yield Scene(picture, tuple(laid))


def belt(rng: np.random.Generator) -> Picture:
    """Draw an empty belt: dark, unevenly lit, with the grain of a sensor."""
    light = cv2.resize(rng.normal(45, 6, (9, 16)).astype(np.float32), FRAME, interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, 2.5, FRAME[::-1])
    return np.repeat(np.clip(light + grain, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


# --- what is found


def recall(
    bundle: Bundle, segmenter: Segmenter, parts: Sequence[Part], scenes: Sequence[Scene], tiles: TilesConfig
) -> str:
    """Compare what is found by itself, reduced, by tiles and by cascades."""
    classes, names = len(bundle.manifest.classes), bundle.manifest.class_names
    wanted = range(1, classes)
    looks: dict[str, TiledSegmenter | Segmenter] = {"reduced": segmenter}
    looks["tiles"] = TiledSegmenter(segmenter, TilingConfig(tiles=tiles), wanted)
    with_whole = tiles.model_copy(update={"whole": True})
    looks["tiles and whole"] = TiledSegmenter(segmenter, TilingConfig(tiles=with_whole), wanted)
    for score in UNSURE_BELOW:
        how = TilingConfig(tiles=tiles, cascade=CascadeConfig(unsure_below=score))
        looks[f"cascade below {score}"] = TiledSegmenter(segmenter, how, wanted)
    alone = np.zeros((3, BINS), np.int64)
    for part in parts:
        alone += counted(segmenter(part.picture).on_frame(), part, classes)
    rows = [line("each by itself", alone, "", "", "")]
    for name, look in looks.items():
        found, looked, spent, ratios = np.zeros_like(alone), [], [], []
        for scene in tqdm(scenes, desc=name, unit="frame", disable=None, leave=False):
            begun = time.process_time()
            mask = look(scene.picture)
            regions(mask, names, names[1:])
            spent.append(time.process_time() - begun)
            looked.append(inferences(mask, name))
            ratios.append(spent[-1] / looked[-1] / one_inference(segmenter, scene.picture))
            seen = mask.on_frame()
            for part, box in scene.laid:
                found += counted(crop(seen, box), part, classes)
        times = f"{1000 * statistics.median(spent):.0f} ms", f"{statistics.median(ratios):.3f}"
        rows.append(line(name, found, f"{statistics.mean(looked):.0f}", *times))
    sizes = [f"to {edge - 1} px" for edge in EDGES_PX]
    head = ["objects found", *sizes, "larger", f"all to {EDGES_PX[SMALL_BINS - 1] - 1} px", "false"]
    return table([*head, "inferences", "CPU a frame", "of as many inferences"], rows)


def inferences(mask: Mask, name: str) -> int:
    """Say how often the network ran for this mask."""
    return 1 if mask.coverage is None else len(mask.coverage.examined) + (name != "tiles")


def one_inference(segmenter: Segmenter, picture: Picture) -> float:
    """Time the bare network right after, in seconds of CPU."""
    prepared = segmenter.prepare(picture)
    begun = time.process_time()
    for _ in range(INFERENCES):
        segmenter.infer(prepared, *FRAME)
    return (time.process_time() - begun) / INFERENCES


def counted(seen: Plane, part: Part, classes: int) -> Counts:
    """Count what was found of one part, (3, BINS), classes together."""
    return np.asarray(blob_counts(seen, part.truth, classes, LEAST_PX).sum(axis=0))


def line(name: str, counts: Counts, *cost: str) -> list[str]:
    """Write one way of looking."""
    shares = [share(counts[:, place : place + 1]) for place in range(BINS)]
    return [name, *shares, share(counts[:, :SMALL_BINS]), str(counts[FALSE].sum()), *cost]


def share(counts: Counts) -> str:
    """Write which share of the objects was found, and of how many."""
    found, missed = int(counts[FOUND].sum()), int(counts[MISSED].sum())
    return f"{100 * found / (found + missed):.1f} % of {found + missed}" if found + missed else "-"


# --- what it costs


def growth(bundle: Bundle, segmenter: Segmenter, tiles: TilesConfig) -> str:
    """Time pictures of 1 to 64 tiles, regions included, against as many bare inferences, in turns."""
    names = bundle.manifest.class_names
    look = TiledSegmenter(segmenter, TilingConfig(tiles=tiles), range(1, len(names)))
    rng = np.random.default_rng(1)
    pictures = {}
    for side in SIDES:
        width, height = (length(one, tiles.overlap, cells, side) for one, cells in sizes(segmenter, tiles))
        pictures[side**2] = np.ascontiguousarray(belt(rng)[:height, :width])
    bare = segmenter.prepare(pictures[1])
    spent: dict[int, list[tuple[float, float]]] = {count: [] for count in pictures}
    for turn in tqdm(range(TURNS + 1), desc="timing", unit="turn", disable=None, leave=False):
        for count, picture in pictures.items():
            again = INFERENCES // count
            begun = time.process_time()
            for _ in range(again):
                mask = look(picture)
                regions(mask, names, names[1:])
            between = time.process_time()
            for _ in range(INFERENCES):
                segmenter.infer(bare, *FRAME)
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


def sizes(segmenter: Segmenter, tiles: TilesConfig) -> list[tuple[int, int]]:
    """Give width and height of a tile, each with the pixels of its grid."""
    grid = (segmenter.output or (0, 0))[::-1]
    return list(zip(tiles.size or (segmenter.width, segmenter.height), grid, strict=True))


def length(tile_px: int, overlap: float, cells: int, count: int) -> int:
    """Give the longest picture that so many tiles cover."""
    return int((cells + (count - 1) * (cells - np.ceil(overlap * cells))) * tile_px / cells)


if __name__ == "__main__":
    main()
