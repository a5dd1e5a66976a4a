"""When an alert begins, goes on and ends."""

from __future__ import annotations

from edge.alert import AlertLife
from edge.config import AlertConfig
from edge.inspection import Inspection, Timings, Verdict

WORDS = {"n": Verdict.NotOK, "o": Verdict.OK, "?": Verdict.NotDecidable}


def inspection(verdict: Verdict) -> Inspection:
    return Inspection(
        result_id="r",
        camera="c",
        verdict=verdict,
        reasons=(),
        regions=(),
        frame_id=1,
        frame_width=10,
        frame_height=10,
        captured_at=0.0,
        created_at=0.0,
        age_s=0.0,
        timings=Timings(),
    )


def play(story: str, *, confirm: int = 1, clear: int = 1, update_s: float = 100.0, per_part: bool = False) -> list[str]:
    """Let one inspection pass a second; give what was told after each, such as `new` or nothing."""
    life = AlertLife(AlertConfig(confirm=confirm, clear=clear, update_s=update_s), per_part=per_part)
    return [
        "+".join(event.type for event in life.step(inspection(WORDS[word]), float(second)))
        for second, word in enumerate(story)
    ]


def test_a_scene_has_one_alert_while_the_defect_stays() -> None:
    assert play("onnnoo") == ["", "new", "", "", "end", ""]


def test_confirm_and_clear_count_in_a_row() -> None:
    assert play("nonnonoo", confirm=2, clear=2) == ["", "", "", "new", "", "", "", "end"]


def test_not_decidable_neither_begins_nor_ends_an_alert() -> None:
    assert play("??n??o") == ["", "", "new", "", "", "end"]


def test_not_decidable_between_does_not_break_a_row() -> None:
    assert play("n?n", confirm=2) == ["", "", "new"]


def test_updates_come_at_most_so_often() -> None:
    assert play("nnnnn", update_s=2.0) == ["new", "", "update", "", "update"]


def test_each_part_has_an_alert_of_its_own() -> None:
    assert play("nno", per_part=True) == ["new+end", "new+end", ""]


def test_one_id_lasts_for_the_life_of_an_alert() -> None:
    life = AlertLife(AlertConfig(clear=1), per_part=False)
    told = [event for word in "nono" for event in life.step(inspection(WORDS[word]), 0.0)]
    first, first_end, second, second_end = (event.alert_id for event in told)
    assert first == first_end != second == second_end
