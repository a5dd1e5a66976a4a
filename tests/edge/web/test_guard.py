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


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 405),  # let through: no such route
        ({"origin": "http://HOST", "sec-fetch-site": "same-origin"}, 405),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_only_a_page_of_ours_or_no_browser_at_all_may_change_something(
    client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    told = {name: value.replace("HOST", client.base_url.netloc.decode()) for name, value in headers.items()}
    assert client.post("/api/v1/health", headers=told).status_code == status


def test_a_body_that_is_large_or_of_unknown_length_is_refused_before_it_is_read(client: httpx.Client) -> None:
    assert client.post("/api/v1/calibration", content=b"x" * 20_000).status_code == 413
    assert client.post("/api/v1/calibration", content=iter([b"x"])).status_code == 413
    assert client.post("/api/v1/calibration", content=b"x").status_code == 403, "there is no key"
