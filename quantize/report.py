"""Report: the receipt for a human, one page of HTML that needs no network."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from quantize.charts import MINUS, iou_bars, iou_curve, percent, severity_scatter, signed
from quantize.gallery import class_colour, gallery
from quantize.score import MATCH, MIN_OBJECT_PX, focus_iou, severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.bundle import Bundle
    from edge.manifest import Manifest
    from quantize.figures import Quality
    from quantize.gallery import Row
    from quantize.parity import PictureParity
    from quantize.receipt import Receipt, TargetReceipt
    from quantize.score import PictureScore

CAPTIONS = ("Picture", "Truth", "Float", "INT8", "Float against INT8")


def write_report(path: Path, bundle: Bundle, receipt: Receipt, target: str, measured: Sequence[PictureParity]) -> None:
    """Write the report of one target to `path`.

    Raises:
        BundleError, ModelError, DatasetError: as drawing the gallery's pictures does.
    """
    rows = gallery(bundle, target, measured)
    path.write_text(render(bundle.manifest, receipt, target, measured, rows), encoding="utf-8")


def render(
    manifest: Manifest, receipt: Receipt, target: str, measured: Sequence[PictureParity], rows: Sequence[Row]
) -> str:
    """Give the page."""
    proof = receipt.targets[target]
    style = files("quantize").joinpath("report.css").read_text(encoding="utf-8")
    title = f"{receipt.name} on {target}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}: INT8 against float</title><style>{style}</style></head><body><main>"
        f"{_head(title, receipt, proof)}{_tiles(receipt, proof)}"
        f'<section><h2>What INT8 changes</h2><div class="scroll">{_table(receipt, proof)}</div></section>'
        f'<div class="two"><section><h2>IoU by class</h2>{_key()}{iou_bars(proof.parity)}'
        f'<h2 class="next">IoU of {escape(manifest.focus)} by picture</h2>{_curve(manifest, measured)}</section>'
        f"<section><h2>Severity</h2>{_key()}{_scatter(manifest, measured)}</section></div>"
        f"{_gallery(manifest, rows)}{_facts(manifest, receipt, proof)}</main></body></html>\n"
    )


def _head(title: str, receipt: Receipt, proof: TargetReceipt) -> str:
    word, kind = ("gate passed", "good") if proof.passed else ("gate not passed", "bad")
    faults = "".join(f"<p>{escape(fault)}</p>" for fault in proof.faults)
    data = receipt.dataset
    return (
        f'<header><h1>{escape(title)}</h1><span class="badge {kind}">{word}</span></header>'
        f'<p class="soft">INT8 against its own float network on {data.pictures} pictures of {data.groups} objects '
        f"({escape(data.name)}, {escape(data.split)} split), at full picture resolution, "
        f"from the files in this bundle.</p>{faults}"
    )


def _tiles(receipt: Receipt, proof: TargetReceipt) -> str:
    parity, focus = proof.parity, escape(receipt.focus)
    tiles = (
        (percent(parity.int8.iou[receipt.focus]), f"IoU of {focus}, INT8"),
        (f"{signed(-parity.drop_points[receipt.focus])} pt", f"IoU of {focus}, against float"),
        (percent(parity.agreement.mean), f"of {focus} masks agree with float, mean"),
        (f"{parity.int8.severity.mean_points:.2f} pt", "mean error of severity, INT8"),
        (f"{proof.latency.ratio:.2f} x", f"of float's time, {escape(proof.latency.runtime)}"),
    )
    return (
        '<div class="tiles">'
        + "".join(f'<div class="tile"><b>{v}</b><span>{t}</span></div>' for v, t in tiles)
        + "</div>"
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
    for what in ("found", "missed", "false"):
        a, b = getattr(float_.objects[focus], what), getattr(int8.objects[focus], what)
        rows.append((f"{focus} objects {what}", str(a), str(b), f"{b - a:+d}".replace("-", MINUS) if b - a else "0"))
    for key, text in (("mean", "mean"), ("median", "median"), ("max", "largest")):
        a, b = (getattr(q.severity, f"{key}_points") for q in (float_, int8))
        rows.append((f"Severity, {text} error", f"{a:.2f} pt", f"{b:.2f} pt", f"{signed(b - a)} pt"))
    agree = proof.parity.agreement
    head = "<tr><th>Against the truth</th><th>Float</th><th>INT8</th><th>Change</th></tr>"
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f"<table>{head}{body}</table>"
        f'<p class="soft" style="margin:14px 0 0">Agreement of {escape(focus)} masks between float and INT8, on '
        f"{agree.pictures} pictures where float sees it: mean {percent(agree.mean)}, tenth percentile "
        f"{percent(agree.p10)}, worst {percent(agree.worst)}, pooled {percent(agree.pooled)}; on {agree.appeared} "
        f"pictures only INT8 sees it. {percent(agree.pixels)} of all pixels have the same class. An object has at "
        f"least {MIN_OBJECT_PX} pixels and is found when at least {100 * MATCH:g} % of it are covered.</p>"
    )


def _scatter(manifest: Manifest, measured: Sequence[PictureParity]) -> str:
    focus = manifest.focus_id
    truth = [severity(m.float_.counts.sum(axis=1), focus) for m in measured]
    float_ = [severity(m.float_.counts.sum(axis=0), focus) for m in measured]
    int8 = [severity(m.int8.counts.sum(axis=0), focus) for m in measured]
    return severity_scatter(truth, float_, int8)


def _curve(manifest: Manifest, measured: Sequence[PictureParity]) -> str:
    focus = manifest.focus_id
    return iou_curve(*([focus_iou(s.counts, focus) for s in side] for side in _sides(measured)))


def _sides(measured: Sequence[PictureParity]) -> tuple[list[PictureScore], list[PictureScore]]:
    return [m.float_ for m in measured], [m.int8 for m in measured]


def _key() -> str:
    return (
        '<div class="key"><span><i style="background:var(--float)"></i>float</span>'
        '<span><i style="background:var(--int8)"></i>INT8</span></div>'
    )


def _gallery(manifest: Manifest, rows: Sequence[Row]) -> str:
    keys = "".join(
        f'<span><i style="background:rgb{class_colour(manifest.classes, index)}"></i>'
        f"{escape(info.name)}{'' if index == manifest.focus_id else ' (outline)'}</span>"
        for index, info in enumerate(manifest.classes)
        if index
    )
    keys += '<span><i style="background:rgb(255,0,255)"></i>float and INT8 differ</span>'
    shown = "".join(
        f'<div class="row"><h3>{escape(row.why)}</h3><p class="soft">{escape(row.name)}: IoU of '
        f"{escape(manifest.focus)} with the truth {percent(row.float_iou)} float, {percent(row.int8_iou)} INT8; "
        f'float and INT8 agree to {percent(row.agreement)}</p><div class="strip">'
        + "".join(
            f'<figure><img src="{uri}" alt="{escape(row.name)}, {caption}" loading="lazy">'
            f"<figcaption>{caption}</figcaption></figure>"
            for uri, caption in zip(row.pictures, CAPTIONS, strict=True)
        )
        + "</div></div>"
        for row in rows
    )
    return f'<section><h2>Pictures</h2><div class="key">{keys}</div>{shown}</section>'


def _facts(manifest: Manifest, receipt: Receipt, proof: TargetReceipt) -> str:
    calibration = receipt.calibration
    cover = ", ".join(f"{name} on {n}" for name, n in calibration.with_class.items())
    tried = "; ".join(f"{recipe}: {agreement:.4f}" for recipe, agreement in proof.tried.items())
    facts = (
        ("Made INT8 by", proof.recipe),
        ("Tried, with agreement on the pictures to choose by", tried),
        ("Calibration", f"{calibration.pictures} pictures" + (f" ({cover})" if cover else "")),
        *(("Warning", warning) for warning in calibration.warnings),
        (
            "Gate",
            f"at most {receipt.gate.max_drop_points:g} points of any class, agreement {receipt.gate.min_agreement:g}",
        ),
        ("Time", f"ratio of medians, in turns in one run, {proof.latency.threads} thread"),
        ("Machine", receipt.machine),
        ("Tools", ", ".join(f"{name} {version}" for name, version in receipt.tools.items())),
        ("Float model", f"sha256 {receipt.model_sha256}"),
        ("INT8 model", f"sha256 {proof.sha256}"),
        ("Processing", f"sha256 {receipt.processing_sha256}"),
        ("Trained on", manifest.provenance),
        ("Licence", manifest.licence),
        *((("Notice", manifest.notice),) if manifest.notice else ()),
        ("Made", receipt.created),
    )
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts)
    return f"<section><h2>How it was measured</h2><dl>{rows}</dl></section>"
