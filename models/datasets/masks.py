"""PNG masks: palette or grey values as class indices, colours by a table, soft black and white by a threshold.

Pairs are found in `train.csv`, `val.csv` and `test.csv` with the columns `image` and `mask` (and `group`, and `label`
or `cls` for what black and white masks mark), in `images/` with `masks/`, in Pascal VOC's folders, or side by side.
Names of values come from `labelmap.txt` (`name:r,g,b`, as CVAT writes it) or `classes.txt` (a name per line).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
from tqdm import tqdm

from edge.errors import DatasetError
from edge.picture import MAX_PIXELS
from models.annotation import BINARY, Mark, colour_label
from models.datasets import Dataset, Fault
from models.foreign import read_text
from models.pictures import UNREADABLE, open_lazily
from models.sample import SPLITS, Sample, group_by_name
from models.split_lists import columns, is_there, lists, rows, split_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.folder import Folder
    from models.sample import Split

TITLE = "PNG masks"

BINARY_ABOVE = 127
"""Soft edges of a black and white mask belong to what is marked above this grey value."""

VOID = 255
"""Border value of Pascal VOC's masks: ignored where values are class indices."""

LEVELS_FROM = 32
"""Where no value but 0 is below this, levels were spread over the classes, as 0, 128, 255, and 255 is one of them."""

SOFT_FROM = 200
SOFT_VALUES = 16
"""More distinct grey values than this, from `SOFT_FROM` up to 254, are the soft edges of white, not class indices."""

MOST_COLOURS = 256
"""More of them are no mask."""

LOOKED_AT = 300
"""Masks of a kind that are read, at most twice as many, to tell what their values mean."""

MOST_DENSE = 8
"""Marks of one mask that are kept as pixels; more would not fit into memory as such."""

Habit = Literal["values", "binary", "colours"]
Kind = Literal["palette", "grey", "rgb"]
_KINDS: dict[str, Kind] = {"P": "palette", "RGB": "rgb", "RGBA": "rgb", "PA": "rgb"}
_PARTNERS = {"images": ("masks",), "imgs": ("masks",), "JPEGImages": ("SegmentationClass",)}
_VOC = "JPEGImages"


class _Meaning(NamedTuple):
    """What the values of one kind of masks mean."""

    habit: Habit
    values: frozenset[int]  # grey values that were seen

    @property
    def has_void(self) -> bool:
        """Whether `VOID` is a border beside indices, not the brightest of evenly spread grey levels."""
        return VOID in self.values and min(self.values - {0, VOID}, default=0) < LEVELS_FROM

    def names(self, kind: Kind, stated: str) -> dict[str, str]:
        """Name values by what is `stated` of a mask: what it marks."""
        return {
            **({} if self.has_void else {str(VOID): str(VOID)}),
            **({"1": stated} if stated and kind != "palette" and self.values == {0, 1} else {}),
        }


class _Pair(NamedTuple):
    picture: Path
    mask: Path
    label: str  # what a black and white mask marks, where it is stated
    group: str
    split: Split | None


@dataclass(frozen=True, slots=True)
class PngMask:
    """One mask file."""

    path: Path
    habit: Habit
    names: Mapping[str, str]  # of values and colours
    label: str = BINARY  # of the marked part of a black and white mask

    @property
    def where(self) -> str:
        """The file."""
        return str(self.path)

    def marks(self, height: int, width: int) -> list[Mark]:
        """Read one mark per value; black of black and white is none.

        Raises:
            DatasetError: unreadable, of another size, or of another kind than the masks beside it.
        """
        code, coloured = read_codes(self.path)
        if code.shape != (height, width):
            raise DatasetError(
                f"{self.path}: is {code.shape[1]}x{code.shape[0]}, its picture {width}x{height}: "
                "masks must have their picture's size"
            )
        if coloured and self.habit != "colours":
            raise DatasetError(f"{self.path}: has colours, other masks here are grey: save all in one way")
        if self.habit == "binary":
            inside = code > BINARY_ABOVE
            return [Mark(self.label, inside, is_object=False)] if inside.any() else []
        if self.habit == "colours" and not coloured:
            code *= 0x010101
        values = _distinct(code)
        if len(values) > MOST_COLOURS:
            raise DatasetError(
                f"{self.path}: has more than {MOST_COLOURS} values: save masks as PNG, without soft edges or JPEG"
            )
        marks = (self._value(value, code) for value in values)
        return list(marks) if len(values) <= MOST_DENSE else [mark._replace(pixels=mark.runs()) for mark in marks]

    def _value(self, value: int, code: NDArray[np.int32]) -> Mark:
        coloured = self.habit == "colours"
        text = colour_label((value >> 16, value >> 8 & 255, value & 255)) if coloured else str(value)
        void = not coloured and value == VOID and text not in self.names
        return Mark(self.names.get(text, text), code == value, is_object=False, ignored=void)


def find(folder: Folder) -> list[Path]:
    """List the split lists with masks, or the folder where pictures and masks pair up."""
    if folder.named:
        return []
    with_masks = [path for path in lists(folder.root) if "mask" in columns(path)]
    return with_masks or ([folder.root] if any(_pairs(folder)) else [])


def read(files: Sequence[Path], folder: Folder) -> Dataset:
    """Pair pictures with masks and find out what the masks' values mean."""
    if files == [folder.root]:
        pairs = list(_pairs(folder))
        faults = _orphans(pairs, folder)
    else:
        pairs, faults = [pair for path in files for pair in _listed(folder.root, path)], []
    names = _names(folder.root)
    kinds = {pair.mask: _kind(pair.mask) for pair in pairs if is_there(pair.mask)}
    meanings = _meanings(kinds)
    if names:  # a list that names values says that they are indices, also where only 255 is left of them
        meanings["palette"] = meanings["palette"]._replace(habit="values")
    samples, labels = list[Sample](), dict.fromkeys(names.values())
    for pair in pairs:
        if pair.mask not in kinds:
            faults.append(Fault(str(pair.picture), f"its mask {str(pair.mask)[:300]} is missing: put it there"))
            continue
        kind = kinds[pair.mask]
        meaning = meanings[kind]
        known = meaning.names(kind, pair.label) | names
        if pair.label and (meaning.habit == "binary" or pair.label in known.values()):
            labels[pair.label] = None
        truth = PngMask(pair.mask, meaning.habit, known, pair.label or BINARY)
        samples.append(Sample(picture=pair.picture, truth=truth, group=pair.group, split=pair.split))
    return Dataset(
        root=folder.root,
        format="masks",
        labels=tuple(labels),
        samples=group_by_name(samples, folder.root),
        faults=tuple(faults),
        notes=tuple(_note(kind, meanings[kind]) for kind in sorted(set(kinds.values()))),
    )


def read_codes(path: Path) -> tuple[NDArray[np.int32], bool]:
    """Read a mask as (H, W) int32: grey values or palette indices, or 65536 R + 256 G + B; say whether colours.

    Transparent pixels are black, the white of 16 bits is 255.

    Raises:
        DatasetError: not a picture, too large, or of a form that is no mask.
    """
    try:
        with open_lazily(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DatasetError(f"{path}: {image.width}x{image.height} pixels: at most {MAX_PIXELS} are accepted")
            if image.mode in {"P", "L", "1"}:
                return np.asarray(image.convert("L") if image.mode == "1" else image).astype(np.int32), False
            if image.mode.startswith("I"):
                return _sixteen_bits(np.asarray(image).astype(np.int32), path), False
            if image.mode not in {"LA", *_KINDS}:
                raise DatasetError(f"{path}: is of the kind {image.mode}: save masks as PNG, grey or in colours")
            rgba = np.asarray(image.convert("RGBA"))
            code = rgba[..., 0].astype(np.int32)
    except UNREADABLE as error:
        raise DatasetError(f"{path}: not a mask that can be read: give a whole PNG file") from error
    for channel in (1, 2):
        code <<= 8
        code |= rgba[..., channel]
    code[rgba[..., 3] == 0] = 0
    grey = code & 255
    return (grey, False) if (code == grey * 0x010101).all() else (code, True)


def _sixteen_bits(code: NDArray[np.int32], path: Path) -> NDArray[np.int32]:
    if int(code.min(initial=0)) < 0:
        raise DatasetError(f"{path}: has negative values: save masks with values from 0 to 255")
    if not ((code > 0) & (code < 65535)).any():
        code >>= 8
    return code


def _distinct(code: NDArray[np.int32]) -> list[int]:
    """List the values, ascending, or some of them where there are too many for a mask."""
    if int(code.max(initial=0)) < 65536:
        return [int(v) for v in np.flatnonzero(np.bincount(code.ravel()))]
    flat = code.ravel()
    some = np.unique(flat[:: 1 + flat.size // 65536])
    return [int(v) for v in (some if len(some) > MOST_COLOURS else np.unique(flat))]


def _listed(root: Path, path: Path) -> Iterable[_Pair]:
    base, table = rows(root, path)
    for row in table:
        label = row.get("label") or row.get("cls") or ""
        yield _Pair(base / row["image"], base / row.get("mask", ""), label, row.get("group", ""), None)


def _kind(mask: Path) -> Kind:
    try:
        with open_lazily(mask) as image:
            return _KINDS.get(image.mode, "grey")
    except UNREADABLE:
        return "grey"  # told when it is used


def _pairs(folder: Folder) -> Iterator[_Pair]:
    everything = set(folder.pictures.paths)
    listed = _voc_splits(folder.root)
    for picture in folder.pictures.paths:
        mask = next((m for m in _partners(picture) if m in everything), None)
        if mask is not None:
            split = listed.get(picture.stem) or split_of(picture, folder.root)
            yield _Pair(picture, mask, "", "", split)


def _voc_splits(root: Path) -> dict[str, Split]:
    """Read the splits of Pascal VOC's layout."""
    found: dict[str, Split] = {}
    for split in SPLITS:
        for path in (root / "ImageSets" / "Segmentation").glob(f"{split}.txt"):
            found |= dict.fromkeys(read_text(path).split(), split)
    return found


def _partners(picture: Path) -> Iterable[Path]:
    """Give the places where the mask of `picture` may lie."""
    for name in (f"{picture.stem}.png", f"{picture.stem}_mask.png"):
        for place, part in enumerate(picture.parts[:-1]):
            for partner in _PARTNERS.get(part, ()):
                yield type(picture)(*picture.parts[:place], partner, *picture.parts[place + 1 : -1], name)
        yield picture.parent / "masks" / name
        if name != picture.name:
            yield picture.parent / name


def _orphans(pairs: Sequence[_Pair], folder: Folder) -> list[Fault]:
    """Report masks without a picture, and pictures without a mask, where some have one; VOC's may be without."""
    paired = {pair.picture for pair in pairs} | {pair.mask for pair in pairs}
    homes = {pair.picture.parent for pair in pairs}
    mask_homes = {pair.mask.parent for pair in pairs}
    return [
        Fault(str(path), "has no mask: add one, an empty one where nothing is to be marked")
        if path.parent in homes
        else Fault(str(path), "is a mask without a picture: add the picture, or remove it")
        for path in folder.pictures.paths
        if path not in paired and path.parent in homes | mask_homes and _VOC not in path.parent.parts
    ]


def _names(root: Path) -> dict[str, str]:
    """Read the names of values and colours, where the data set states them."""
    for path in (root / "labelmap.txt", root / "classes.txt"):
        if not path.is_file():
            continue
        lines = [line.strip() for line in read_text(path).splitlines() if line.strip() and not line.startswith("#")]
        if path.name == "classes.txt":
            return {str(value): name for value, name in enumerate(lines)}
        found: dict[str, str] = {}
        for value, line in enumerate(lines):
            name, _, rest = line.partition(":")
            found[str(value)] = name
            try:
                red, green, blue = bytes(int(part) for part in rest.partition(":")[0].split(","))
            except ValueError as error:
                raise DatasetError(f"{path}: {line[:80]!r}: must be NAME:R,G,B as CVAT writes it") from error
            found[colour_label((red, green, blue))] = name
        return found
    return {}


def _meanings(kinds: Mapping[Path, Kind]) -> dict[Kind, _Meaning]:
    """Tell what the values mean, over all masks of a kind together: an empty one tells nothing."""
    of = {kind: [path for path, one in kinds.items() if one == kind] for kind in get_args(Kind)}
    rgb, grey, palette = _look(of["rgb"]), _look(of["grey"]), _look(of["palette"])
    told = _meaning((grey or frozenset()) | (rgb or frozenset()))
    return {
        "palette": _meaning(palette),
        "grey": told,
        "rgb": _Meaning("colours", frozenset()) if rgb is None else told,
    }


def _look(masks: Sequence[Path]) -> frozenset[int] | None:
    """List the grey values of some masks; None where one has colours."""
    seen = set[int]()
    some = masks[:: max(1, len(masks) // LOOKED_AT)]
    for path in tqdm(some, desc="looking at masks", unit="mask", disable=None, leave=False):
        try:
            code, coloured = read_codes(path)
        except DatasetError:
            continue  # told when it is used
        if coloured:
            return None
        seen.update(_distinct(code))
    return frozenset(seen)


def _meaning(values: frozenset[int] | None) -> _Meaning:
    seen = values or frozenset()
    soft = sum(SOFT_FROM <= value < VOID for value in seen) > SOFT_VALUES
    return _Meaning("binary" if soft or {VOID} <= seen <= {0, VOID} else "values", seen)


def _note(kind: Kind, meaning: _Meaning) -> str:
    if meaning.habit == "colours":
        return "masks are read by their colours"
    if meaning.habit == "binary":
        return f"{kind} masks are read as black and white: marked above {BINARY_ABOVE}"
    values = sorted(meaning.values - ({VOID} if meaning.has_void else set()))
    shown = ", ".join(map(str, values[:8])) + (", …" if values[8:] else "")
    return f"{kind} masks are read as class indices: {shown}" + (", 255 ignored" if meaning.has_void else "")
