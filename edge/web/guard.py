"""Guard: which requests are answered, which may change something, and what every answer forbids the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


_READING = frozenset({"GET", "HEAD"})
_MOST_BYTES = 16 << 10


class Guard:
    """ASGI middleware: answers only requests that name this machine, whoever's DNS points here.

    What changes something must come from a page of ours, or from no browser at all, and be small. The port in a name
    is not compared: a browser can't be rebound to another port, and an SSH tunnel may end at any.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = LOOPBACK_NAMES) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it: 421 Misdirected Request, 403, 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        answer: ASGIApp = self._app
        if host_name(headers.get("host", "")) not in self._hosts:
            answer = PlainTextResponse("open this page as http://127.0.0.1 or http://localhost\n", 421)
        elif scope["method"] not in _READING:
            answer = _refusal(headers) or self._app
        await answer(scope, receive, send_guarded)


def _refusal(headers: Headers) -> PlainTextResponse | None:
    """Say why a request may not change anything; None when it may."""
    ours = f"//{headers.get('host', '')}"
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    if site not in ("same-origin", "none") or (origin is not None and not origin.endswith(ours)):
        return PlainTextResponse("this request comes from another page\n", 403)
    size = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not size.isdigit() or int(size) > _MOST_BYTES:
        return PlainTextResponse(f"a request has at most {_MOST_BYTES} bytes, told beforehand\n", 413)
    return None


def host_name(header: str) -> str:
    """Give the name in a Host header, lower case and without its port; an IPv6 address keeps its brackets."""
    name = header.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]
