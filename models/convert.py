"""Convert: write a data set anew in another format, splits and groups kept, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from tqdm import tqdm

from edge.errors import ConfigError, DatasetError
from models.blobs import area, blobs
from models.datasets import Fault
from models.inventory import is_background, natural
from models.sample import SPLITS
from models.split_lists import relative, write_lists
from models.writers import Labelled, Thing, open_writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from models.annotation import Mark
    from models.datasets import Dataset
    from models.sample import Sample, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a data set is to be written."""

    to: str  # one of `models.writers.WRITERS`
    classes: Mapping[str, str] = field(default_factory=dict)  # class by label; empty: each label is one
    background: frozenset[str] = frozenset()  # labels that mean nothing, beside those that say so
    link: bool = False  # hard links in place of copies of the pictures
    skip_broken: bool = False


class Converted(NamedTuple):
    """What was written."""

    pictures: int
    objects: Counter[str]  # by class
    faults: tuple[Fault, ...]  # what was left out
    notes: tuple[str, ...]


class _Survey(NamedTuple):
    """What a data set holds, as far as it is converted."""

    samples: list[Sample]  # the sound ones
    labels: list[str]  # of the classes, in their order
    left_out: Mapping[str, int]  # pictures with them, by label
    faults: tuple[Fault, ...]


def parse_classes(words: Sequence[str]) -> dict[str, str]:
    """Read `NAME=LABEL,LABEL` or `LABEL` into the class of each label. Raises ConfigError: a label stands twice."""
    found: dict[str, str] = {}
    for word in words:
        name, _, labels = word.partition("=")
        for label in (labels or name).split(","):
            if not name or not label or label in found:
                raise ConfigError(f"--classes {word}: write NAME=LABEL,LABEL, each label once")
            found[label] = name
    return found


def convert(data: Dataset, target: Path, wish: Wish) -> Converted:
    """Write `data` into the folder `target`, which must not hold anything.

    All marks are read once before anything is written.

    Raises:
        DatasetError: something is broken and not to be skipped, the format can't hold it, or `target` is in use.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DatasetError(f"{target}: is there already: give a new folder")
    if target.resolve().is_relative_to(data.root.resolve()):
        raise DatasetError(f"{target}: lies in the data set {data.root} itself: give a folder beside it")
    survey = _survey(data, wish)
    if survey.faults and not wish.skip_broken:
        first, more = survey.faults[0], len(survey.faults) - 1
        rest = f" (and {more} more)" if more else ""
        raise DatasetError(f"{first.where}: {first.why}{rest}; or leave out what is broken with --skip-broken")
    if not survey.samples:
        raise DatasetError(f"{data.root}: has no picture that can be converted")
    partial = target.with_name(f"{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        objects, notes = _write(data.root, survey, partial, wish)
        if target.exists():
            target.rmdir()
        partial.replace(target)
    except OSError as error:
        where, why = error.filename or target, error.strerror or error
        raise DatasetError(f"{where}: {why}: give a folder that can be written") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    lost = [
        f"{label}: left out of {count} pictures, --classes does not name it" for label, count in survey.left_out.items()
    ]
    return Converted(len(survey.samples), objects, survey.faults, (*lost, *notes))


def _survey(data: Dataset, wish: Wish) -> _Survey:
    faults, samples, occurring = list(data.faults), list["Sample"](), Counter[str]()
    for sample in tqdm(data.samples, "checking", unit="picture", disable=None, leave=False):
        try:
            marks = sample.marks()
        except DatasetError as error:
            faults.append(Fault.of(error))
            continue
        samples.append(sample)
        occurring.update({mark.label for mark in marks if not _is_nothing(mark, wish)})
    if wish.classes:
        left_out = {label: count for label, count in occurring.items() if label not in wish.classes}
        return _Survey(samples, list(dict.fromkeys(wish.classes.values())), left_out, tuple(faults))
    listed = [label for label in data.labels if not is_background(label, wish.background, drawn=True)]
    return _Survey(samples, list(dict.fromkeys([*listed, *sorted(occurring, key=natural)])), {}, tuple(faults))


def _is_nothing(mark: Mark, wish: Wish) -> bool:
    return is_background(mark.label, wish.background, drawn=mark.is_object)


def _write(root: Path, survey: _Survey, new_root: Path, wish: Wish) -> tuple[Counter[str], list[str]]:
    writer = open_writer(wish.to)
    objects, tables = Counter[str](), defaultdict["Split | None", list[dict[str, str]]](list)

    def pictures() -> Iterator[Labelled]:
        bar = tqdm(survey.samples, "writing", unit="picture", disable=None)
        for sample, name in zip(bar, _names(survey.samples, root), strict=True):
            height, width = sample.size()
            things = list(_things(sample.truth.marks(height, width), height, width, wish))
            one = Labelled(name, sample.split, height, width, things)
            objects.update(thing.label for thing in things if not thing.ignored)
            place = writer.place(one)
            _put(sample.picture, new_root / place, link=wish.link)
            tables[sample.split].append({"image": str(place), "group": sample.group})
            yield one

    notes = writer.write(pictures(), survey.labels, new_root)
    if tables.keys() >= set(SPLITS):
        write_lists(new_root, {split: tables[split] for split in SPLITS})
    elif tables.keys() - {None} and wish.to != "yolo":
        notes.append("splits are lost: train, val and test are needed to keep them; run `edgeloupe dataset split`")
    return objects, notes


def _things(marks: Iterable[Mark], height: int, width: int, wish: Wish) -> Iterator[Thing]:
    """Give the objects of the wanted classes; where pixels carry classes, their blobs."""
    for mark in marks:
        label = wish.classes.get(mark.label) if wish.classes else mark.label
        if label is None or _is_nothing(mark, wish):
            continue
        whole = mark.is_object or mark.ignored
        pieces = [mark.runs()] if whole else (blob.on(height, width) for blob in blobs(mark.inside()))
        yield from (Thing(label, runs, mark.ignored) for runs in pieces if area(runs))


def _names(samples: Sequence[Sample], root: Path) -> Iterator[str]:
    """Name each picture like its file, with the folders before it where that is not enough to tell them apart."""
    stems = Counter(sample.picture.stem.lower() for sample in samples)
    taken = set[str]()
    for sample in samples:
        path = PurePosixPath(relative(sample.picture, root))
        folders = [part for part in path.parts[:-1] if part != ".."]
        stem = path.stem if stems[path.stem.lower()] == 1 else "-".join([*folders, path.stem])
        name, number = stem, 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.lower())
        yield f"{name}{path.suffix}"


def _put(source: Path, place: Path, *, link: bool) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if not link:
        shutil.copyfile(source, place)
        return
    try:
        os.link(source, place)
    except OSError as error:
        raise DatasetError(f"{source}: can't be linked ({error.strerror}): leave --link away, to copy") from error
