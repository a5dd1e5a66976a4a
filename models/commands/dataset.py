"""`edgeloupe dataset`: what is in a data set, how to split it, how to write it in another format."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from models.datasets import Fault
    from models.inventory import ClassCount, Inventory, Seen, SplitCount
    from models.leaks import Leaks, Likeness

HELP = "look into a data set, split it by groups, or write it in another format"
NEEDS = ("PIL", "pycocotools")

SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from models.writers import WRITERS

    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    text = "count classes and objects, and find what is broken, copied or in two splits (exit code 1)"
    info = verbs.add_parser("info", help=text, description=text, allow_abbrev=False)
    _add_data(info)
    _add_comparison(info)
    info.add_argument("--json", action="store_true", help="print one JSON object")

    text = "deal groups of pictures over train.csv, val.csv and test.csv, rare classes first"
    split = verbs.add_parser("split", help=text, description=text, allow_abbrev=False)
    _add_data(split)
    _add_comparison(split)
    split.add_argument(
        "--group-by", metavar="REGEX", help="file names with the same first (...) in them belong together"
    )
    split.add_argument("--val", type=float, default=0.15, metavar="SHARE", help="default: %(default)s")
    split.add_argument("--test", type=float, default=0.15, metavar="SHARE", help="default: %(default)s")
    split.add_argument("--seed", type=int, default=1, metavar="N", help="default: %(default)s")
    split.add_argument("--force", action="store_true", help="overwrite the lists that are there")

    text = "write a data set in another format, with splits and groups"
    convert = verbs.add_parser("convert", help=text, description=text, allow_abbrev=False)
    _add_data(convert)
    convert.add_argument("target", type=Path, metavar="NEW", help="a folder that is not there yet")
    convert.add_argument("--to", choices=WRITERS, default="coco", help="default: %(default)s")
    convert.add_argument(
        "--classes", nargs="+", default=(), metavar="NAME=LABEL,...", help="write these only, labels joined or renamed"
    )
    convert.add_argument("--link", action="store_true", help="link the pictures instead of copying them")
    convert.add_argument("--skip-broken", action="store_true", help="leave out what can't be read")


def _add_data(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("data", type=Path, metavar="DATASET", help="a folder, or one annotation file")
    verb.add_argument("--format", metavar="NAME", help="of the annotations (default: told by the content)")
    verb.add_argument(
        "--background", action="append", default=[], metavar="LABEL", help="a label for nothing; repeatable"
    )


def _add_comparison(verb: argparse.ArgumentParser) -> None:
    how = verb.add_mutually_exclusive_group()
    how.add_argument(
        "--similarity", type=_similarity, metavar="0..1", help="from where on pictures look alike (default: 0.4)"
    )
    how.add_argument("--no-look-alikes", action="store_true", help="don't compare pictures")


def _similarity(text: str) -> float:
    from argparse import ArgumentTypeError

    if not 0 < float(text) < 1:
        raise ArgumentTypeError("must be between 0 and 1")
    return float(text)


def run(args: argparse.Namespace) -> int:
    return {"info": _info, "split": _split, "convert": _convert}[args.verb](args)


def _info(args: argparse.Namespace) -> int:
    from models.datasets import open_dataset
    from models.inventory import count_classes, count_splits, take_inventory, warnings
    from models.leaks import compare, find_leaks

    inventory = take_inventory(open_dataset(args.data, args.format), args.background)
    likeness = None if args.no_look_alikes else compare(inventory, args.similarity)
    leaks = find_leaks(inventory.pictures, likeness)
    classes = count_classes(inventory.pictures, inventory.labels)
    splits = count_splits(inventory.pictures, inventory.labels)
    advice = warnings(inventory, classes, splits)
    if args.json:
        print(json.dumps(_facts(inventory, classes, splits, likeness, leaks, advice), indent=1))
    else:
        _print_inventory(inventory, classes, splits)
        _print_likeness(inventory, likeness, leaks, args.data)
        _print_remarks(inventory.data.notes, advice)
        _print_faults(inventory.faults)
    return 1 if leaks or inventory.faults else 0


def _split(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from edge.errors import DatasetError
    from models.datasets import open_dataset
    from models.inventory import count_splits, take_inventory
    from models.leaks import compare
    from models.split import Shares, deal, make_groups, names_by, write_splits
    from models.split_lists import lists

    shares = Shares(args.val, args.test).checked()
    data = open_dataset(args.data, args.format)
    if lists(data.root) and not args.force:
        raise DatasetError(f"{data.root}: has train.csv, val.csv or test.csv: --force overwrites them")
    names = names_by(args.group_by, data.samples) if args.group_by else None
    inventory = take_inventory(data, args.background)
    likeness = None if args.no_look_alikes else compare(inventory, args.similarity)
    named = {} if names is None else dict(zip((s.picture for s in data.samples), names, strict=True))
    samples = [seen.sample for seen in inventory.pictures]
    together = [[named.get(sample.picture) for sample in samples], likeness.alikes.groups.tolist() if likeness else []]
    groups = make_groups(samples, [seen.objects for seen in inventory.pictures], data.root, together)
    dealt = deal(groups, shares, args.seed)
    settings = {
        "seed": args.seed,
        **shares._asdict(),
        "group_by": args.group_by,
        "similarity": likeness.alikes.threshold if likeness else None,
    }
    write_splits(data, groups, dealt.splits, settings)
    where = {sample.picture: (dealt.splits[group.name], group.name) for group in groups for sample in group.members}
    placed = [
        seen._replace(sample=replace(seen.sample, split=split, group=group))
        for seen in inventory.pictures
        for split, group in [where[seen.sample.picture]]
    ]
    print(_split_table(count_splits(placed, inventory.labels)))
    print(f"\nseed {args.seed}; written to {data.root}: train.csv, val.csv, test.csv, splits.json")
    _print_remarks([likeness.alikes.note] if likeness and likeness.alikes.note else [], dealt.notes)
    _print_faults(inventory.faults)
    return 0


def _convert(args: argparse.Namespace) -> int:
    from edge.table import table
    from models.convert import Wish, convert, parse_classes
    from models.datasets import open_dataset

    wish = Wish(
        to=args.to,
        classes=parse_classes(args.classes),
        background=frozenset(args.background),
        link=args.link,
        skip_broken=args.skip_broken,
    )
    done = convert(open_dataset(args.data, args.format), args.target, wish)
    print(table(("class", "objects"), [(label, f"{count}") for label, count in done.objects.items()]))
    print(f"\n{done.pictures} pictures written to {args.target}")
    _print_remarks(done.notes, [])
    _print_faults(done.faults)
    return 0


def _print_inventory(inventory: Inventory, classes: Sequence[ClassCount], splits: Sequence[SplitCount]) -> None:
    from edge.table import table

    data, pictures = inventory.data, inventory.pictures
    groups = len({seen.sample.group for seen in pictures})
    if not pictures:
        print(f"{data.root}: format {data.format}, no picture that can be used")
        return
    print(f"{data.root}: format {data.format}, {len(pictures)} pictures in {groups} groups, {_sizes(pictures)}\n")
    rows = [
        (
            c.label,
            f"{c.pictures}",
            f"{c.groups}",
            f"{c.objects}",
            f"{100 * c.share:.2f} %",
            f"{c.median_px} px" if c.objects else "-",
        )
        for c in classes
    ]
    clean = [seen.sample.group for seen in pictures if seen.is_clean]
    rows.append(("(clean)", f"{len(clean)}", f"{len(set(clean))}", "-", "-", "-"))
    print(table(("class", "pictures", "groups", "objects", "area", "median object"), rows))
    if splits[-1].pictures < len(pictures):
        print(f"\n{_split_table(splits)}")


def _sizes(pictures: Sequence[Seen]) -> str:
    sizes = {(seen.width, seen.height) for seen in pictures}
    if len(sizes) < 2:
        return "".join(f"{width}x{height}" for width, height in sizes)
    widths, heights = zip(*sizes, strict=True)
    return f"{len(sizes)} sizes: {min(widths)} to {max(widths)} wide, {min(heights)} to {max(heights)} high"


def _split_table(splits: Sequence[SplitCount]) -> str:
    from edge.table import table

    rows = [
        (part.split or "(none)", *map(str, (part.pictures, part.groups, part.clean, *part.objects.values())))
        for part in splits
        if part.split or part.pictures
    ]
    return table(("split", "pictures", "groups", "clean", *splits[0].objects), rows)


def _print_likeness(inventory: Inventory, likeness: Likeness | None, leaks: Leaks, given: Path) -> None:
    from models.split_lists import relative

    data = inventory.data
    if not inventory.pictures:
        return
    if likeness:
        alike = _alike(likeness)
        told = f"{sum(alike)} pictures in {len(alike)} groups; exact copies: {len(likeness.copies[0])}"
        print(f"\nlook-alikes (similarity above {likeness.alikes.threshold:g}): {told}")
        if likeness.alikes.note:
            print(f"  {likeness.alikes.note}")
    if leaks.groups:
        print(f"leak: {len(leaks.groups)} groups stand in two splits, such as {leaks.groups[0]}")
    if any(leaks.pictures.values()):
        totals = Counter(seen.sample.split for seen in inventory.pictures)
        told = ", ".join(f"{count} of {totals[split]} in {split}" for split, count in leaks.pictures.items() if count)
        print(f"leak: pictures that look like one in another split: {told}; the most alike:")
        for one, other, similarity in leaks.pairs:
            names = (f"{relative(sample.picture, data.root)} ({sample.split})" for sample in (one, other))
            print(f"  {similarity:.2f}  {'  '.join(names)}")
    if leaks or not data.is_split:
        lacking = "" if data.is_split else "train, val and test are not told apart; "
        print(
            f"{lacking}to split by groups: edgeloupe dataset split {shlex.quote(str(given))}{' --force' * bool(leaks)}"
        )
    else:
        print("no leak: no group stands in two splits" + (", and no look-alikes do" if likeness else ""))


def _alike(likeness: Likeness) -> list[int]:
    """List the sizes of the groups of look-alikes."""
    return [size for size in Counter(likeness.alikes.groups.tolist()).values() if size > 1]


def _print_remarks(notes: Sequence[str], advice: Sequence[str]) -> None:
    lines = [*(f"note: {note}" for note in notes), *(f"warning: {line}" for line in advice)]
    if lines:
        print("", *lines, sep="\n")


def _print_faults(faults: Sequence[Fault]) -> None:
    if faults:
        print(f"\nbroken: {len(faults)}")
        print(*(f"  {fault.where}: {fault.why}" for fault in faults[:SHOWN]), sep="\n")
    if len(faults) > SHOWN:
        print(f"  and {len(faults) - SHOWN} more")


def _facts(
    inventory: Inventory,
    classes: Sequence[ClassCount],
    splits: Sequence[SplitCount],
    likeness: Likeness | None,
    leaks: Leaks,
    advice: Sequence[str],
) -> Mapping[str, object]:
    pictures = inventory.pictures
    return {
        "root": str(inventory.data.root),
        "format": inventory.data.format,
        "pictures": len(pictures),
        "groups": len({seen.sample.group for seen in pictures}),
        "clean": sum(seen.is_clean for seen in pictures),
        "ignored_px": sum(seen.ignored_px for seen in pictures),
        "classes": [count._asdict() for count in classes],
        "splits": [part._asdict() for part in splits if part.pictures],
        "is_split": inventory.data.is_split,
        "look_alikes": likeness
        and {
            "threshold": likeness.alikes.threshold,
            "groups": _alike(likeness),
            "copies": len(likeness.copies[0]),
        },
        "leaks": {
            "groups": leaks.groups,
            "pictures": leaks.pictures,
            "pairs": [[str(one.picture), str(other.picture), alike] for one, other, alike in leaks.pairs],
        },
        "warnings": list(advice),
        "notes": list(inventory.data.notes),
        "faults": [fault._asdict() for fault in inventory.faults],
    }
