"""Which requests are answered, and what answers forbid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.web.guard import host_name

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize("path", ["/", "/app.js", "/healthz", "/api/v1/health", "/nothing-here"])
def test_every_answer_carries_the_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'self'; img-src 'self' data: blob:" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8080", "127.0.0.1:9000", "[::1]:8080"])
def test_this_machines_names_are_answered(client: httpx.Client, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.", "[::1].evil", "192.168.0.7", ""],
)
def test_a_name_that_somebody_else_gave_us_is_refused(client: httpx.Client, host: str) -> None:
    answer = client.get("/api/v1/health", headers={"host": host})
    assert answer.status_code == 421 or (host.startswith("[::1]") and host_name(host) == "[::1]")
    if answer.status_code == 421:
        assert "localhost" in answer.text


def test_pages_are_asked_for_again_so_that_an_update_shows(client: httpx.Client) -> None:
    first = client.get("/")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
