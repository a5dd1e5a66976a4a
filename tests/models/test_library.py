"""The architectures out of the transformers library, where it is absent, and their options that count."""

from __future__ import annotations

import sys

import pytest

from edge.errors import ModelError
from models import archs
from models.library import whole


@pytest.mark.parametrize("name", ["mask2former", "sam"])
def test_without_the_library_one_line_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)  # as Python marks what can't be imported
    monkeypatch.delitem(sys.modules, f"models.archs.{name}", raising=False)
    with pytest.raises(ModelError) as caught:
        archs.build(name, 2)
    assert str(caught.value) == f"{name} needs the extra `transformers`: pip install edgeloupe[transformers]"


def test_a_count_may_be_written_as_a_float() -> None:
    assert whole("depth", 6.0, 1, 48) == 6


@pytest.mark.parametrize("value", [0, 49, 1.5, float("nan")])
def test_what_does_not_count_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"depth = .*: must be a whole number from 1 to 48"):
        whole("depth", value, 1, 48)
