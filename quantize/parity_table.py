"""Parity table: float against INT8 in aligned columns, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.table import table

if TYPE_CHECKING:
    from quantize.figures import Parity, Quality


def quality_rows(quality: Quality, focus: str) -> list[tuple[str, str]]:
    """List the figures of one network against the truth."""
    low, high = quality.focus_iou_interval
    objects, severity = quality.objects.get(focus), quality.severity
    rows = [(f"IoU {name}", "-" if v is None else f"{100 * v:.2f} %") for name, v in quality.iou.items()]
    rows.append((f"IoU {focus}, 95 % interval", f"{100 * low:.1f}..{100 * high:.1f} %"))
    if objects:
        rows.append((f"{focus} found/missed/false", f"{objects.found}/{objects.missed}/{objects.false}"))
    rows.append(
        (
            "severity error mean/median/max",
            f"{severity.mean_points:.2f}/{severity.median_points:.2f}/{severity.max_points:.2f} pt",
        )
    )
    return rows


def quality_table(quality: Quality, focus: str) -> str:
    """Print one network against the truth."""
    return table((f"{quality.pictures} pictures, {quality.groups} groups", "value"), quality_rows(quality, focus))


def parity_table(parity: Parity, focus: str) -> str:
    """Print float beside INT8, and how far their masks agree."""
    float_, int8 = (quality_rows(q, focus) for q in (parity.float_, parity.int8))
    drops = [f"{-drop:+.2f} pt" for drop in parity.drop_points.values()]
    changes = drops + [""] * (len(float_) - len(drops))
    rows = [(name, a, b, change) for (name, a), (_, b), change in zip(float_, int8, changes, strict=True)]
    agree = parity.agreement
    head = (f"{parity.int8.pictures} pictures, {parity.int8.groups} groups", "float", "INT8", "change")
    return (
        f"{table(head, rows)}\n"
        f"{focus} masks of float and INT8 agree: mean {agree.mean:.4f}, p10 {agree.p10:.4f}, worst {agree.worst:.4f} "
        f"({agree.pictures} pictures); pixels {agree.pixels:.4f}"
    )
