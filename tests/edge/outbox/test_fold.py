from __future__ import annotations

from typing import Any

from edge.outbox.fold import MOST_SPANS, fold, squeeze


def alert(alert_id: str, kind: str, camera: str = "belt", **more: Any) -> dict[str, Any]:
    at = f"2026-11-21T00:00:{more.get('seq', 0) % 60:02}Z"
    return {"device": "line3", "camera": camera, "alert_id": alert_id, "type": kind, "creation_time": at, **more}


def test_alerts_of_one_place_become_one_summary_that_counts_them() -> None:
    spot: dict[str, Any] = {"regions": [{"label": "spot"}]}
    belt, press = fold(
        [
            alert("a", "new", seq=4, **spot),
            alert("a", "update", seq=5, **spot),
            alert("b", "new", "press", seq=6),
            alert("a", "end", seq=7),
            alert("c", "new", seq=9),
        ]
    )
    assert (belt["type"], belt["camera"], press["camera"]) == ("summary", "belt", "press")
    assert belt["folded"] == {
        "new": 2,
        "update": 1,
        "end": 1,
        "labels": {"spot": 2},
        "first_time": "2026-11-21T00:00:04Z",
        "last_time": "2026-11-21T00:00:09Z",
        "spans": [[4, 5], [7, 7], [9, 9]],
    }
    assert press["folded"]["new"] == 1


def test_summaries_fold_again_and_stay_small() -> None:
    summary = fold(alert(str(n), "end", seq=2 * n) for n in range(1, 1000))
    (again,) = fold([*summary, alert("x", "end", seq=3)])
    assert again["folded"]["end"] == 1000
    assert again["folded"]["spans"][0] == [2, 4]
    assert len(again["folded"]["spans"]) <= MOST_SPANS


def test_squeezing_keeps_beginnings_without_end_and_ends_without_beginning() -> None:
    waiting = [alert("old", "end"), *(alert(str(n), kind) for n in range(300) for kind in ("new", "end"))]
    waiting += [alert("open", "new"), alert("open", "update")]
    squeezed = squeeze(waiting)
    assert [(told["type"], told["alert_id"]) for told in squeezed if told["type"] != "summary"] == [
        ("end", "old"),
        ("new", "open"),
    ]
    (summary,) = (told for told in squeezed if told["type"] == "summary")
    assert (summary["folded"]["new"], summary["folded"]["end"], summary["folded"]["update"]) == (300, 300, 1)
    assert len(squeeze([*squeezed, alert("open", "end")])) == 2
