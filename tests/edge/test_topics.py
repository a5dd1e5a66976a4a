from __future__ import annotations

import pytest

from edge.topics import Topics, is_correlation, is_publishable, split


def test_the_topics_are_those_of_the_design() -> None:
    topics = Topics(prefix="edgeloupe", device="line3")
    assert topics.availability == "edgeloupe/line3/availability"
    assert topics.state == "edgeloupe/line3/state"
    assert topics.metrics == "edgeloupe/line3/metrics"
    assert topics.camera("belt", "alert") == "edgeloupe/line3/belt/alert"
    assert topics.command("replay") == "edgeloupe/line3/cmd/replay"
    assert topics.reply("c1") == "edgeloupe/line3/reply/c1"


@pytest.mark.parametrize(
    ("topic", "found"),
    [
        ("a/b/line3/belt/alert", ("line3", "belt/alert")),
        ("a/b/line3", None),
        ("a/b//x", None),
        ("a/line3/belt/alert", None),
        ("x/a/b/line3/belt/alert", None),
    ],
)
def test_a_topic_is_split_below_its_prefix(topic: str, found: tuple[str, str] | None) -> None:
    assert split("a/b", topic) == found


@pytest.mark.parametrize("value", ["", "a/b", "a b", "+", "#", "x" * 65, None, 7])
def test_a_correlation_that_would_leave_its_level_is_refused(value: object) -> None:
    assert not is_correlation(value)


def test_replies_go_nowhere_odd() -> None:
    assert is_publishable("scada/answers")
    assert not any(is_publishable(topic) for topic in ("", "$SYS/x", "a/+", "a/#", "a\0", "x" * 1025, None))
