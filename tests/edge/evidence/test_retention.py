"""Retention: what goes first."""

from __future__ import annotations

from edge.evidence.retention import Item, expired, name_of, surplus
from edge.evidence_config import RetentionConfig


def item(name: str, hour: int = 12, size_bytes: int = 10) -> Item:
    return Item(stem=f"2027-01-15/{hour}/belt/{name}", paths=(), size_bytes=size_bytes)


def order(*items: Item, **priorities: int) -> list[str]:
    """Give the names in the order in which they go."""
    rules = {label: RetentionConfig(priority=priority) for label, priority in priorities.items()}
    return [gone.stem.rsplit("/")[-1] for gone in surplus(items, rules, 0)]


def test_the_oldest_of_equal_weight_goes_first() -> None:
    assert order(item("b", hour=13), item("a", hour=14), item("c", hour=12)) == ["c", "b", "a"]


def test_how_an_alert_went_on_goes_before_how_it_began() -> None:
    first, later = name_of("r1", "new", ["crack"]), name_of("r2", "update", ["crack"])
    assert order(item(first, hour=1), item(later, hour=20)) == [later, first]


def test_the_most_important_class_in_a_picture_decides() -> None:
    dust, both = name_of("r1", "new", ["dust"]), name_of("r2", "update", ["dust", "crack"])
    assert order(item(both, hour=1), item(dust, hour=20), crack=5) == [dust, both]


def test_no_more_goes_than_has_to() -> None:
    items = [item(str(number), hour=10 + number) for number in range(5)]
    assert surplus(items, {}, 50) == []
    assert [gone.stem[-1] for gone in surplus(items, {}, 31)] == ["0", "1"]


def test_a_name_holds_each_class_once_and_a_few_at_most() -> None:
    assert name_of("r", "new", ["a", "b", "a"]) == "r~new~a~b"
    longest = name_of("0e7c0de6-2f35-4e2b-a7d2-1f6f5f1f9d11", "update", ["x" * 40 + str(n) for n in range(9)])
    assert len(f"{longest}.overlay.jpg.partial") < 255


def test_without_a_rule_or_a_date_nothing_is_too_old() -> None:
    rules = {"dust": RetentionConfig(days=1)}
    items = [item("r~new~crack"), Item(stem="elsewhere/r~new~dust", paths=(), size_bytes=1), item("r~new~dust")]
    assert expired(items, rules, 4e9) == [items[2]]
