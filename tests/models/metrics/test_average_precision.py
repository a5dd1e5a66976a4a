"""Average precision of instance masks."""

from __future__ import annotations

import numpy as np
import pytest

from models.annotation import IGNORE
from models.metrics.average_precision import Instances

Seen = list[tuple[int, float, np.ndarray]]


def scene(seed: int) -> tuple[np.ndarray, np.ndarray, Seen]:
    """Discs of two classes on a grid, and detections that are shifted, missing, doubled, or of the wrong class."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:60, :80]
    classes, objects, seen = np.zeros((60, 80), np.uint8), np.zeros((60, 80), np.uint16), Seen()
    for number in range(1, 8):
        y, x, r = 10 + 20 * ((number - 1) // 4), 10 + 20 * ((number - 1) % 4), rng.integers(4, 9)
        inside = (rows - y) ** 2 + (columns - x) ** 2 <= r * r
        class_id = int(rng.integers(1, 3))
        classes[inside], objects[inside] = class_id, number
        for _ in range(rng.integers(0, 3)):
            guess = class_id if rng.random() < 0.8 else 3 - class_id
            moved = np.roll(inside, (rng.integers(-2, 3), rng.integers(-2, 3)), (0, 1))
            seen.append((guess, float(rng.random()), moved))
    return classes, objects, seen


def literal(scenes: list[tuple[np.ndarray, np.ndarray, Seen]], class_id: int, least_iou: float) -> float:
    """The definition for one class: the best free object for each detection, the surest first; 101 recalls."""
    told, count = [], 0
    for classes, objects, seen in scenes:
        free = [objects == n for n in np.unique(objects) if n and classes[objects == n][0] == class_id]
        count += len(free)
        for _, score, mask in sorted((one for one in seen if one[0] == class_id), key=lambda one: -one[1]):
            ious = [(mask & true).sum() / (mask | true).sum() for true in free]
            hit = bool(ious) and max(ious) >= least_iou
            if hit:
                free.pop(int(np.argmax(ious)))
            told.append((score, hit))
    hits = np.array([hit for _, hit in sorted(told, key=lambda one: -one[0])])
    recall = np.cumsum(hits) / count
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(np.mean([precision[recall >= level].max(initial=0) for level in np.linspace(0, 1, 101)]))


@pytest.mark.parametrize("seed", [0, 20, 40])
def test_it_is_that_of_the_definition(seed: int) -> None:
    scenes = [scene(seed + number) for number in range(5)]
    pool = Instances()
    for classes, objects, seen in scenes:
        pool.add(seen, classes, objects, 3)
    told = pool.average_precision(3)
    by_iou = np.array([[literal(scenes, c, t) for c in (1, 2)] for t in np.linspace(0.5, 0.95, 10)])
    assert told.ap == pytest.approx(by_iou.mean(), abs=1e-6)
    assert told.ap50 == pytest.approx(by_iou[0].mean(), abs=1e-6)
    assert told.ap75 == pytest.approx(by_iou[5].mean(), abs=1e-6)
    assert told.by_class == (None, *(pytest.approx(value, abs=1e-6) for value in by_iou.mean(axis=0)))
    assert 0.1 < by_iou.mean() < 0.9


def test_a_perfect_detection_scores_1_and_one_on_ignored_pixels_costs_nothing() -> None:
    classes, objects = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint16)
    classes[5:15, 5:15], objects[5:15, 5:15] = 1, 1
    classes[25:, 25:] = IGNORE
    ignored = np.zeros((40, 40), np.bool_)
    ignored[28:36, 28:36] = True
    pool = Instances()
    pool.add([(1, 0.6, objects == 1), (1, 0.9, ignored)], classes, objects, 2)
    assert pool.average_precision(2).ap == pytest.approx(1)


def test_a_false_detection_that_is_surer_costs_half() -> None:
    classes, objects = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint16)
    classes[5:15, 5:15], objects[5:15, 5:15] = 1, 1
    elsewhere = np.zeros((40, 40), np.bool_)
    elsewhere[28:36, 28:36] = True
    pool = Instances()
    pool.add([(1, 0.6, objects == 1), (1, 0.9, elsewhere)], classes, objects, 2)
    assert pool.average_precision(2).ap50 == pytest.approx(0.5)


@pytest.mark.parametrize("truth", [True, False])
def test_pictures_where_nothing_is_seen_or_nothing_is_there_are_scored(truth: bool) -> None:  # noqa: FBT001 - a case
    classes, objects = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint16)
    if truth:
        classes[2:9, 2:9], objects[2:9, 2:9] = 1, 1
    pool = Instances()
    pool.add([], classes, objects, 2)
    assert pool.average_precision(2).ap == (0 if truth else None)


def test_the_scoring_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    classes, objects, seen = scene(1)
    pool = Instances()
    pool.add(seen, classes, objects, 3)
    pool.average_precision(3)
    assert capsys.readouterr().out == ""
