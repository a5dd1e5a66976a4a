"""One verdict out of several pictures of a part."""

from __future__ import annotations

import numpy as np
import pytest

from edge.capture.burst import Burst, Pick, Seen
from edge.inspection import Inspection, Timings, Verdict


def seen(verdict: Verdict) -> Seen:
    picture = np.zeros((4, 4, 3), np.uint8)
    inspection = Inspection(
        result_id="r", camera="c", verdict=verdict, reasons=(), regions=(), frame_id=1, frame_width=4, frame_height=4,
        captured_at=0.0, created_at=0.0, age_s=0.0, timings=Timings(),
    )  # fmt: skip
    return Seen(inspection, None, picture)


def told(pick: Pick, *verdicts: Verdict) -> list[Verdict]:
    burst = Burst(pick)
    found = [burst.take(seen(verdict), (number, len(verdicts))) for number, verdict in enumerate(verdicts, start=1)]
    return [one.inspection.verdict for one in found if one is not None]


OK, BAD, UNSURE = Verdict.OK, Verdict.NotOK, Verdict.NotDecidable


@pytest.mark.parametrize(
    ("pick", "verdicts", "expected"),
    [
        ("worst", (OK, BAD, UNSURE), [BAD]),
        ("worst", (OK, UNSURE, OK), [UNSURE]),
        ("worst", (OK, OK), [OK]),
        ("best", (BAD, OK, UNSURE), [OK]),
        ("best", (UNSURE, BAD), [BAD]),
        ("best", (UNSURE, UNSURE), [UNSURE]),
        ("all", (OK, BAD), [OK, BAD]),
        ("sharpest", (OK,), [OK]),
    ],
)
def test_one_verdict_is_told_of_a_part(pick: Pick, verdicts: tuple[Verdict, ...], expected: list[Verdict]) -> None:
    assert told(pick, *verdicts) == expected


def test_a_part_that_was_cut_short_does_not_reach_into_the_next() -> None:
    burst = Burst("worst")
    assert burst.take(seen(BAD), (1, 3)) is None
    assert burst.take(seen(OK), (1, 2)) is None
    last = burst.take(seen(OK), (2, 2))
    assert last is not None
    assert last.inspection.verdict is OK


def test_a_picture_outside_a_burst_is_told_at_once() -> None:
    assert Burst("worst").take(seen(BAD), None) is not None
