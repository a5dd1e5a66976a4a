"""Splitting: groups stay whole, rare classes are dealt first, and what can't be done is said."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError, DatasetError
from models.datasets import open_dataset
from models.drawn import Drawn
from models.sample import SPLITS, Sample
from models.split import Group, Shares, deal, make_groups, names_by, write_splits

ROOT = Path("set")


def sample(name: str, group: str) -> Sample:
    return Sample(picture=ROOT / name, truth=Drawn(where=name, shapes=()), group=group)


def group(name: str, *labels: str, pictures: int = 1) -> Group:
    return Group(name, tuple(sample(f"{name}-{i}.png", name) for i in range(pictures)), frozenset(labels))


MANY = [
    *(group(f"crack{i}", "crack") for i in range(6)),
    *(group(f"hole{i}", "hole") for i in range(40)),
    *(group(f"clean{i}") for i in range(54)),
]


def test_each_class_stands_in_every_split_by_the_shares() -> None:
    dealt = deal(MANY, Shares(0.2, 0.2), seed=1)
    counts = Counter((dealt.splits[one.name], "".join(one.labels)) for one in MANY)
    assert [counts[split, "crack"] for split in SPLITS] == [4, 1, 1]
    assert [counts[split, "hole"] for split in SPLITS] == [24, 8, 8]
    assert [counts[split, ""] for split in SPLITS] == [32, 11, 11]
    assert dealt.notes == ()


def test_a_seed_deals_the_same_whatever_the_order_and_another_one_otherwise() -> None:
    dealt = deal(MANY, Shares(), seed=1)
    assert deal(MANY[::-1], Shares(), seed=1) == dealt
    assert deal(MANY, Shares(), seed=2).splits != dealt.splits


def test_classes_with_too_few_groups_are_told() -> None:
    groups = [*MANY, group("only", "scratch"), group("one", "dent"), group("two", "dent")]
    dealt = deal(groups, Shares(), seed=1)
    assert dealt.notes == (
        "dent: 2 groups: none in val: add pictures of other objects with it",
        "scratch: 1 group: can't be in train and in test: its score can't be judged",
    )
    assert dealt.splits["only"] == "train"
    assert {dealt.splits["one"], dealt.splits["two"]} == {"train", "test"}


def test_a_very_large_group_trains() -> None:
    groups = [group("film", "hole", pictures=50), *MANY]
    assert {deal(groups, Shares(), seed).splits["film"] for seed in range(20)} == {"train"}


def test_a_group_of_several_classes_counts_for_each() -> None:
    groups = [group(f"both{i}", "crack", "hole") for i in range(3)] + [group(f"hole{i}", "hole") for i in range(3)]
    dealt = deal(groups, Shares(0.3, 0.3), seed=1)
    assert Counter(dealt.splits[one.name] for one in groups) == {"train": 2, "val": 2, "test": 2}


def test_two_groups_are_too_few() -> None:
    with pytest.raises(DatasetError, match="2 groups of pictures: three at least"):
        deal(MANY[:2], Shares(), seed=1)


@pytest.mark.parametrize("shares", [Shares(0, 0.2), Shares(0.5, 0.5), Shares(float("nan"), 0.1)])
def test_shares_that_leave_nothing_are_refused(shares: Shares) -> None:
    with pytest.raises(ConfigError, match="each must be above 0, both together below 1"):
        shares.checked()


@given(
    st.lists(st.tuples(st.integers(1, 9), st.frozensets(st.sampled_from("abc"))), min_size=3, max_size=40),
    st.integers(),
)
def test_every_group_stands_in_one_split_and_classes_of_three_groups_in_all(
    drawn: list[tuple[int, frozenset[str]]], seed: int
) -> None:
    groups = [group(f"g{i}", *labels, pictures=count) for i, (count, labels) in enumerate(drawn)]
    splits = deal(groups, Shares(), seed).splits
    assert splits.keys() == {one.name for one in groups}
    rarest = min(
        (Counter(label for one in groups for label in one.labels)).items(),
        key=lambda item: (item[1], item[0]),
        default=("", 0),
    )
    clean = sum(not one.labels for one in groups)
    if rarest[1] >= 3 and not 0 < clean <= rarest[1]:
        assert {splits[one.name] for one in groups if rarest[0] in one.labels} == set(SPLITS)


def test_stated_groups_names_and_look_alikes_are_joined() -> None:
    samples = [sample("a1.png", "x"), sample("a2.png", "y"), sample("b1.png", "z"), sample("c1.png", "z")]
    groups = make_groups(samples, [["crack"], [], [], []], ROOT, [names_by(r"^(a)\d", samples), [0, 1, 1, 3]])
    assert [(one.name, len(one.members), set(one.labels)) for one in groups] == [("x", 4, {"crack"})]


def test_names_that_a_pattern_does_not_fit_stay_alone() -> None:
    samples = [sample("a1.png", "x"), sample("a2.png", "y"), sample("b.png", "z"), sample("c.png", "w")]
    assert names_by(r"^(a)\d", samples) == ["a", "a", None, None]
    assert len(make_groups(samples, [[], [], [], []], ROOT, [names_by(r"^(a)\d", samples)])) == 3


@pytest.mark.parametrize(
    ("pattern", "why"), [("(", "is no regular expression"), ("a", "parentheses"), ("(x)", "fits no")]
)
def test_patterns_that_can_group_nothing_are_refused(pattern: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        names_by(pattern, [sample("a.png", "a")])


def write_set(root: Path, *, with_lists: bool) -> Path:
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for name in "abcdef":
        cv2.imwrite(str(root / "images" / f"{name}.png"), np.zeros((4, 4, 3), np.uint8))
        cv2.imwrite(str(root / "masks" / f"{name}.png"), np.ones((4, 4), np.uint8))
    if with_lists:
        for split, names in {"train": "abcd", "val": "e", "test": "f"}.items():
            rows = [f"{root.name}/images/{name}.png,{root.name}/masks/{name}.png,hole,{split}" for name in names]
            (root / f"{split}.csv").write_text("\n".join(["image,mask,cls,split", *rows, ""]), encoding="utf-8")
    return root


@pytest.mark.parametrize("with_lists", [False, True])
def test_written_lists_are_read_as_dealt(tmp_path: Path, *, with_lists: bool) -> None:
    data = open_dataset(write_set(tmp_path / "set", with_lists=with_lists))
    groups = make_groups(data.samples, [[] for _ in data.samples], data.root, [[0, 0, 1, 2, 3, 4]])
    splits = deal(groups, Shares(), seed=3).splits
    write_splits(data, groups, splits, {"seed": 3})
    again = open_dataset(data.root)
    dealt = {one.picture.name: splits[group.name] for group in groups for one in group.members}
    assert {one.picture.name: one.split for one in again.samples} == dealt
    assert len({one.group for one in again.samples}) == 5
    assert json.loads((data.root / "splits.json").read_text(encoding="utf-8"))["seed"] == 3
    assert not list(data.root.glob("*.partial"))


def test_columns_of_lists_that_were_there_are_kept(tmp_path: Path) -> None:
    data = open_dataset(write_set(tmp_path / "set", with_lists=True))
    groups = make_groups(data.samples, [[] for _ in data.samples], data.root, [])
    write_splits(data, groups, {one.name: "train" if "f" not in one.name else "test" for one in groups}, {})
    assert (data.root / "test.csv").read_text(encoding="utf-8").splitlines() == [
        "image,mask,cls,split,group",
        "images/f.png,masks/f.png,hole,test,f",
    ]


def test_a_picture_in_two_lists_is_refused(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", with_lists=True)
    (root / "test.csv").write_text((root / "val.csv").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"test\.csv: 1 pictures are in val\.csv as well"):
        open_dataset(root)
