"""Links: the part of a URL that may be a file's name."""

from __future__ import annotations

import pytest

from models.link import path_in


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("https://host.example/a/b%20c.png?Expires=1&Key=x/y.png#top", "a/b c.png"),
        ("s3://bucket/line 1/a.png", "line 1/a.png"),
        ("https://host.example", ""),
        ("http://[broken/a.png", "a.png"),
        ("a/100%25.png", "a/100%25.png"),
        (r"C:\parts\a.png", r"C:\parts\a.png"),
        ("", ""),
    ],
)
def test_the_path_in_an_address(address: str, path: str) -> None:
    assert path_in(address) == path
