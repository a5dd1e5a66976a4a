"""Link: the path of a picture inside the URL by which an annotation names it."""

from __future__ import annotations

from urllib.parse import unquote


def path_in(address: str) -> str:
    """Give the path a URL leads to, or the text itself where it is none."""
    scheme, _, rest = address.partition("://")
    if not rest:
        return scheme
    return unquote(rest.partition("#")[0].partition("?")[0].partition("/")[2])
