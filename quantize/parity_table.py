"""Parity table: float against INT8 in aligned columns, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.table import table
from quantize.sensitivity import ranked

if TYPE_CHECKING:
    from quantize.figures import Agreement, Parity, Quality
    from quantize.receipt import Receipt

MOST_SENSITIVE = 5
"""Layers that are shown."""


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
    head = (f"{parity.int8.pictures} pictures, {parity.int8.groups} groups", "float", "INT8", "change")
    told = [table(head, rows), _agreement(f"{focus} masks", parity.agreement)]
    if parity.foreground and len(parity.drop_points) > 2:
        told.append(_agreement("masks of all classes but the first", parity.foreground))
    if parity.mean_iou_drop:
        told.append(f"mean IoU lost: {parity.mean_iou_drop.text} points, 95 % interval")
    return "\n".join(told)


def _agreement(what: str, agree: Agreement) -> str:
    return (
        f"{what} of float and INT8 agree: mean {agree.mean:.4f}, p10 {agree.p10:.4f}, worst {agree.worst:.4f} "
        f"({agree.pictures} pictures); pixels {agree.pixels:.4f}"
    )


def why_table(receipt: Receipt) -> str:
    """Print what was tried for each target that does not pass, and the layers that cost the masks most."""
    tried = [
        (target, way, f"{agreement:.4f}")
        for target, proof in receipt.targets.items()
        if not proof.passed
        for way, agreement in sorted(proof.tried.items(), key=lambda item: -item[1])
    ]
    layers = [
        (one.layer, one.operator, f"{one.mask_loss:.4f}", f"{one.snr_db:.1f} dB")
        for one in ranked(receipt.sensitivity)[:MOST_SENSITIVE]
    ]
    return (
        f"{table(('target', 'what was tried', 'masks agree on validation'), tried)}\n\n"
        f"{table(('most sensitive layers', 'operator', 'mask lost', 'logits over error'), layers)}\n\n"
        f"{_floor(receipt)}"
    ).rstrip()


def _floor(receipt: Receipt) -> str:
    """Say how far float agrees with itself under noise, and whether more than that is asked for; empty if unknown."""
    gate, floors = receipt.gate, {f"{receipt.focus} masks": receipt.noise_floor}
    if gate.of_foreground and receipt.foreground_floor != receipt.noise_floor:
        floors["masks of all classes but the first"] = receipt.foreground_floor
    told = ""
    for what, floor in floors.items():
        if floor is not None:
            asked = [(gate.min_agreement, floor.mean), (gate.min_worst_tenth or 0.0, floor.p10)]
            beyond = " and ".join(f"{least:g}" for least, kept in asked if kept < least)
            more = f": to ask for {beyond} is more than float itself keeps" if beyond else ""
            told += f"{what} of float agree with themselves to {floor.mean:.4f} (p10 {floor.p10:.4f}) where pictures "
            told += f"change by one grey level at most{more}.\n"
    return told
