"""Report: the receipt for a human, one page of HTML that needs no network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from edge.page import facts, key, page, table, tiles
from models.metrics.blobs import OVERLAP
from quantize.charts import MINUS, iou_bars, iou_curve, layer_bars, percent, severity_scatter, signed
from quantize.gallery import DIFFERENCE, gallery
from quantize.overlay import class_colour, strip
from quantize.score import focus_iou, severity
from quantize.sensitivity import ranked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.bundle import Bundle
    from edge.manifest import Manifest
    from quantize.figures import Quality
    from quantize.overlay import Row
    from quantize.parity import PictureParity
    from quantize.receipt import CalibrationFacts, Receipt, TargetReceipt
    from quantize.score import PictureScore

MOST_SENSITIVE = 8
"""Layers that are listed."""

KEY = key((("var(--float)", "float"), ("var(--int8)", "INT8")))


def write_report(path: Path, bundle: Bundle, receipt: Receipt, measured: Mapping[str, Sequence[PictureParity]]) -> None:
    """Write the report of all targets to `path`.

    Args:
        path: of the page.
        bundle: what was measured.
        receipt: its proof.
        measured: what was found on each picture, by target.

    Raises:
        BundleError, ModelError, DatasetError: as drawing the gallery's pictures does.
    """
    proofs = receipt.targets
    rows = {name: gallery(bundle, name, proofs[name].measured, found) for name, found in measured.items()}
    path.write_text(render(bundle.manifest, receipt, measured, rows), encoding="utf-8")


def render(
    manifest: Manifest,
    receipt: Receipt,
    measured: Mapping[str, Sequence[PictureParity]],
    rows: Mapping[str, Sequence[Row]],
) -> str:
    """Give the page."""
    parts = [_part(manifest, receipt, target, measured[target], rows[target]) for target in receipt.targets]
    overview = _overview(manifest, receipt) if len(parts) > 1 else ""
    return page(
        f"{receipt.name}: INT8 against float",
        f"{_head(receipt)}{overview}{''.join(parts)}{_layers(receipt)}{_facts(manifest, receipt)}",
    )


def _part(
    manifest: Manifest, receipt: Receipt, target: str, measured: Sequence[PictureParity], rows: Sequence[Row]
) -> str:
    """Give what there is to see of one target."""
    proof = receipt.targets[target]
    word, kind = ("gate passed", "good") if proof.passed else ("gate not passed", "bad")
    if receipt.accepted_by and not proof.passed:
        word += f", accepted by {receipt.accepted_by}"
    faults = "".join(f"<p>{escape(fault)}</p>" for fault in proof.faults)
    spared: tuple[tuple[str, str], ...] = (("In float", ", ".join(proof.spared)),) if proof.spared else ()
    spared += tuple((name, f"masks agree to {percent(iou)} with it") for name, iou in proof.cross_runtime.items())
    told = (("Made INT8 by", proof.recipe), *spared, ("Tried", _tried(proof)), ("INT8 model", f"sha256 {proof.sha256}"))
    made = facts(told)
    return (
        f'<header class="next"><h2>{escape(target)}</h2><span class="badge {kind}">{escape(word)}</span></header>'
        f"{faults}{_tiles(receipt, proof)}"
        f"<section><h2>What INT8 changes</h2>{_table(receipt, proof)}</section>"
        f'<div class="two"><section><h2>IoU by class</h2>{KEY}{iou_bars(proof.parity)}'
        f'<h2 class="next">IoU of {escape(manifest.focus)} by picture</h2>{_curve(manifest, measured)}</section>'
        f"<section><h2>Severity</h2>{KEY}{_scatter(manifest, measured)}</section></div>"
        f"{_gallery(manifest, rows)}<section><h2>How it was made</h2>{made}</section>"
    )


def _head(receipt: Receipt) -> str:
    data = receipt.dataset
    return (
        f"<header><h1>{escape(receipt.name)}</h1></header>"
        f'<p class="soft">INT8 against its own float network on {data.pictures} pictures of {data.groups} objects '
        f"({escape(data.name)}, {escape(data.split)} split), at full picture resolution, "
        f"from the files in this bundle.</p>"
    )


def _overview(manifest: Manifest, receipt: Receipt) -> str:
    focus = receipt.focus
    of_float = manifest.files[manifest.reference.entry].size
    heads = (
        "Target", f"IoU of {focus}", "Change", "Agreement", "Worst tenth",
        "Time, of float's", "Size, of float's", "Measured in",
    )  # fmt: skip
    rows = [
        (
            target,
            percent(proof.parity.int8.iou[focus]),
            f"{signed(-proof.parity.drop_points[focus])} pt",
            percent(proof.parity.agreement.mean),
            percent(proof.parity.agreement.p10),
            _ratio(proof),
            f"{_size(manifest, target) / of_float:.2f}",
            proof.measured.runtime,
        )
        for target, proof in receipt.targets.items()
    ]
    return f"<section><h2>Targets</h2>{table('Targets', heads, rows)}</section>"


def _size(manifest: Manifest, target: str) -> int:
    """Add up the files of one target, in bytes."""
    return sum(file.size for name, file in manifest.files.items() if name.startswith(f"targets/{target}/"))


def _layers(receipt: Receipt) -> str:
    """Show what rounding each layer alone costs."""
    if not receipt.sensitivity:
        return ""
    worst = [
        (one.layer, one.operator, percent(one.mask_loss), f"{one.snr_db:.1f} dB")
        for one in ranked(receipt.sensitivity)[:MOST_SENSITIVE]
    ]
    heads = ("Most sensitive", "Operator", f"{receipt.focus} mask lost", "Logits over their error")
    return (
        '<section><h2>What each layer costs</h2><p class="soft">Rounded to INT8 alone, with every other layer in '
        f"float, on validation pictures.</p>{layer_bars(receipt.sensitivity)}{table('Layers', heads, worst)}</section>"
    )


def _ratio(proof: TargetReceipt) -> str:
    return f"{proof.latency.ratio:.2f}" if proof.latency else "?"


def _tried(proof: TargetReceipt) -> str:
    """List what was tried, with its agreement on the pictures to choose by."""
    return "; ".join(f"{recipe}: {agreement:.4f}" for recipe, agreement in proof.tried.items())


def _tiles(receipt: Receipt, proof: TargetReceipt) -> str:
    parity, focus = proof.parity, receipt.focus
    return tiles(
        (
            (percent(parity.int8.iou[focus]), f"IoU of {focus}, INT8"),
            (f"{signed(-parity.drop_points[focus])} pt", f"IoU of {focus}, against float"),
            (percent(parity.agreement.mean), f"of {focus} masks agree with float, mean"),
            (f"{parity.int8.severity.mean_points:.2f} pt", "mean error of severity, INT8"),
            (_ratio(proof), f"of float's time, {proof.runtime}"),
        )
    )


def _table(receipt: Receipt, proof: TargetReceipt) -> str:
    float_, int8, focus = proof.parity.float_, proof.parity.int8, receipt.focus

    def interval(q: Quality) -> str:
        return " to ".join(f"{100 * v:.1f}" for v in q.focus_iou_interval) + " %"

    rows = [
        (f"IoU of {name}", percent(float_.iou[name]), percent(int8.iou[name]), f"{signed(-drop)} pt")
        for name, drop in proof.parity.drop_points.items()
    ]
    rows.append((f"IoU of {focus}, 95 % interval over objects", interval(float_), interval(int8), ""))
    lost = proof.parity.mean_iou_drop
    if lost and lost.interval:
        ends = " to ".join(signed(-end) for end in reversed(lost.interval))
        rows.append(("Mean IoU, change and its 95 % interval", "", ends, f"{signed(-lost.points)} pt"))
    for what in ("found", "missed", "false"):
        a, b = getattr(float_.objects[focus], what), getattr(int8.objects[focus], what)
        rows.append((f"{focus} objects {what}", str(a), str(b), f"{b - a:+d}".replace("-", MINUS) if b - a else "0"))
    for figure, text in (("mean", "mean"), ("median", "median"), ("max", "largest")):
        a, b = (getattr(q.severity, f"{figure}_points") for q in (float_, int8))
        rows.append((f"Severity, {text} error", f"{a:.2f} pt", f"{b:.2f} pt", f"{signed(b - a)} pt"))
    agree = proof.parity.agreement
    return (
        f"{table('What INT8 changes', ('Against the truth', 'Float', 'INT8', 'Change'), rows)}"
        f'<p class="soft" style="margin:14px 0 0">Agreement of {escape(focus)} masks between float and INT8, on '
        f"{agree.pictures} pictures where float sees it: mean {percent(agree.mean)}, tenth percentile "
        f"{percent(agree.p10)}, worst {percent(agree.worst)}, pooled {percent(agree.pooled)}; on {agree.appeared} "
        f"pictures only INT8 sees it. {percent(agree.pixels)} of all pixels have the same class."
        f"{_foreground(proof)}{_floor(receipt)} An object has at "
        "least 64 pixels (fewer in pictures below two megapixels) and is found when at least "
        f"{100 * OVERLAP:g} % of it are covered.</p>"
    )


def _foreground(proof: TargetReceipt) -> str:
    """Say how far the masks of all classes but the first agree."""
    whole = proof.parity.foreground
    if whole is None:
        return ""
    return f" Masks of all classes but the first agree to {percent(whole.mean)}, tenth percentile {percent(whole.p10)}."


def _floor(receipt: Receipt) -> str:
    """Say how far float agrees with itself."""
    floor = receipt.noise_floor
    if floor is None:
        return ""
    return (
        f" Float agrees with itself to {percent(floor.mean)}, tenth percentile {percent(floor.p10)}, where pictures "
        "change by one grey level at most, as a camera's noise changes them."
    )


def _scatter(manifest: Manifest, measured: Sequence[PictureParity]) -> str:
    focus = manifest.focus_id
    truth = [severity(m.float_.counts.sum(axis=1), focus) for m in measured]
    float_ = [severity(m.float_.counts.sum(axis=0), focus) for m in measured]
    int8 = [severity(m.int8.counts.sum(axis=0), focus) for m in measured]
    return severity_scatter(truth, {"float-ring": float_, "int8": int8})


def _curve(manifest: Manifest, measured: Sequence[PictureParity]) -> str:
    focus = manifest.focus_id
    return iou_curve(*([focus_iou(s.counts, focus) for s in side] for side in _sides(measured)))


def _sides(measured: Sequence[PictureParity]) -> tuple[list[PictureScore], list[PictureScore]]:
    return [m.float_ for m in measured], [m.int8 for m in measured]


def _gallery(manifest: Manifest, rows: Sequence[Row]) -> str:
    keys = [
        (
            f"rgb{class_colour(manifest.classes, index)}",
            info.name + ("" if index == manifest.focus_id else " (outline)"),
        )
        for index, info in enumerate(manifest.classes)
        if index
    ]
    keys.append((f"rgb{DIFFERENCE}", "float and INT8 differ"))
    shown = "".join(map(strip, rows))
    return f"<section><h2>Pictures</h2>{key(keys)}{shown}</section>"


def _exposures(calibration: CalibrationFacts) -> Iterator[tuple[str, str]]:
    if calibration.brightness and calibration.brightness_of_all:
        chosen, every = (
            " to ".join(f"{end:g}" for end in ends) for ends in (calibration.brightness, calibration.brightness_of_all)
        )
        yield "Calibrated on", f"{calibration.objects} objects, mean brightness {chosen}; of all pictures {every}"


def _facts(manifest: Manifest, receipt: Receipt) -> str:
    calibration = receipt.calibration
    cover = ", ".join(f"{name} on {n}" for name, n in calibration.with_class.items())
    threads = {proof.latency.threads for proof in receipt.targets.values() if proof.latency}
    told = (
        ("Calibration", f"{calibration.pictures} pictures" + (f" ({cover})" if cover else "")),
        *_exposures(calibration),
        *(("Warning", warning) for warning in calibration.warnings),
        ("Gate", receipt.gate.text),
        ("Time", f"ratio of medians, in turns in one run, threads: {', '.join(map(str, sorted(threads)))}"),
        ("Machine", receipt.machine),
        ("Tools", ", ".join(f"{name} {version}" for name, version in receipt.tools.items())),
        ("Float model", f"sha256 {receipt.model_sha256}"),
        ("Processing", f"sha256 {receipt.processing_sha256}"),
        ("Trained on", manifest.provenance),
        ("Licence", manifest.licence),
        *((("Notice", manifest.notice),) if manifest.notice else ()),
        ("Made", receipt.created),
    )
    return f"<section><h2>How it was measured</h2>{facts(told)}</section>"
