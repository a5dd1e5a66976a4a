"""Page: what every report for people is made of: one HTML file that needs no network, with tables and tiles."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def page(title: str, body: str, style: str = "") -> str:
    """Give the page, light or dark as the reader's system is; `body` is HTML, `style` more of a style sheet."""
    style = files("edge").joinpath("report.css").read_text(encoding="utf-8") + style
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body><main>{body}</main></body></html>\n"
    )


def tiles(shown: Iterable[Sequence[str]]) -> str:
    """Show figures large, each above lines that say what it is; all are text."""
    boxes = [
        f'<div class="tile"><b>{escape(figure)}</b>{"".join(f"<span>{escape(line)}</span>" for line in lines)}</div>'
        for figure, *lines in shown
    ]
    return f'<div class="tiles">{"".join(boxes)}</div>'


def table(name: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Show rows of text, the first cell naming each; `name` says what the table holds to those who can't see it."""
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return scroll(name, f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>")


def scroll(name: str, inner: str) -> str:
    """Let what may be wider than a phone be moved, by finger and by keyboard; `inner` is HTML."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(name)}">{inner}</div>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """List what is to be known beside the figures; both are text."""
    return "<dl>" + "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in pairs) + "</dl>"


def key(entries: Iterable[tuple[str, str]]) -> str:
    """Say what colours mean: CSS colours and text."""
    shown = "".join(f'<span><i style="background:{colour}"></i>{escape(text)}</span>' for colour, text in entries)
    return f'<div class="key">{shown}</div>'
