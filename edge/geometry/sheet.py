"""Sheet: a board to be printed, as an SVG of true size with a line to measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.geometry.board import Board

_MARGIN_MM = 10.0
"""White all around: detectors need it, and printers can't print to the edge."""
_FOOT_MM = 12.0
_RULE_MM = 100.0


def svg(board: Board) -> str:
    """Draw the board in millimetres; printed at 100 %, a square is as large as it says."""
    width, height = board.size_mm
    wide, high = max(width, _RULE_MM) + 2 * _MARGIN_MM, height + 2 * _MARGIN_MM + _FOOT_MM
    path = "".join(f"M{x:.7g} {y:.7g}h{w:.7g}v{h:.7g}h{-w:.7g}z" for x, y, w, h in _black(board))
    rule_mm = _RULE_MM if width >= _RULE_MM / 2 else width
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        f'width="{wide:g}mm" height="{high:g}mm" viewBox="0 0 {wide:g} {high:g}">'
        f'<rect width="{wide:g}" height="{high:g}" fill="#fff"/>'
        f'<path transform="translate({_MARGIN_MM:g} {_MARGIN_MM:g})" d="{path}" shape-rendering="crispEdges"/>'
        f'<g transform="translate({_MARGIN_MM:g} {height + 2 * _MARGIN_MM:g})">'
        f'<path d="M0 -2v4M0 0h{rule_mm:g}M{rule_mm:g} -2v4" fill="none" stroke="#000" stroke-width=".3"/>'
        f'<text y="6" font-family="sans-serif" font-size="3.6">{board}: this line measures {rule_mm:g} mm '
        "in print, or the print is not at 100 %</text></g></svg>\n"
    )


def _black(board: Board) -> Iterator[tuple[float, float, float, float]]:
    """Give what is black as left, top, width and height in mm."""
    side = board.square_mm
    if board.kind != "aruco":
        squares = ((row, column) for row in range(board.rows) for column in range(board.columns))
        yield from ((column * side, row * side, side, side) for row, column in squares if (row + column) % 2 == 0)
    for (corner, opposite), white in board.markers():
        module = (opposite - corner) / len(white)
        for row, line in enumerate(white):
            for column, pale in enumerate(line):
                if not pale:
                    x, y = corner + module * (column, row)
                    yield float(x), float(y), float(module[0]), float(module[1])
