"""Workshop: from a float ONNX file to a measured, signed bundle, or to the reason why not."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from pydantic import TypeAdapter

from edge import runtimes
from edge.bundle import RECEIPT, open_bundle
from edge.machine import processor
from edge.manifest import LightInfo, Probe, TargetInfo
from edge.segment import open_segmenter
from edge.selftest import selftest
from models.datasets import open_dataset
from quantize import calibrate, targets
from quantize.budget import Budget
from quantize.cross_runtime import cross_runtime
from quantize.evaluate import list_samples, segmenter_of
from quantize.figures import LayerSensitivity
from quantize.fold import fold, load_model, output_size, processing
from quantize.judge import Judge, evenly
from quantize.noise_floor import noise_floor
from quantize.notebook import Notebook, key_of
from quantize.package import Contents, pack, seal, sha256_of, write_probe
from quantize.parity import PictureParity, compare, median_times, summarise
from quantize.receipt import (
    CalibrationFacts,
    DatasetFacts,
    Latency,
    Receipt,
    TargetReceipt,
    tool_versions,
)
from quantize.report import write_report
from quantize.sensitivity import measure_sensitivity
from quantize.shrink import Shrinker, Tried

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from edge.bundle import Bundle
    from models.card import ModelCard
    from models.sample import Sample
    from quantize.calibrate import Calibration
    from quantize.figures import Gate

REFERENCE = "reference/model.onnx"
FLOAT = TargetInfo(runtime="onnxruntime", precision="float32", entry=REFERENCE, version_range=">=1.20,<2")
PROBES = 3
VALIDATION_PICTURES = 64
LATENCY_THREADS = 1
CROSS_RUNTIME_PICTURES = 16
SENSITIVITY = TypeAdapter(tuple[LayerSensitivity, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked of the workshop."""

    model: Path  # plain float ONNX with its card
    data: Path
    targets: tuple[str, ...]  # names in quantize.targets
    output: Path
    key: Ed25519PrivateKey
    created: str  # RFC 3339
    gate: Gate
    release: int = 1
    calibration: int = 100
    threads: int = 0
    minutes: float | None = None  # for trying forms; what a bundle needs in any case takes its time beside
    accepted_by: str | None = None  # who takes a bundle that does not pass the gate


def quantize(order: Order) -> Receipt:
    """Make, measure and sign a bundle; nothing is written to `order.output` when the gate is not passed or overridden.

    What was measured on the way stands beside it until the end, so that a run that was stopped goes on from there.

    Raises:
        ModelError, DatasetError, BundleError: the model, the pictures or the result can't be used.
    """
    model, card = load_model(order.model)
    chosen = {name: targets.create(name) for name in order.targets}
    budget = Budget(order.minutes)
    calibration = calibrate.choose(order.data, card, order.calibration)
    samples, split = list_samples(order.data, "test")
    notebook = Notebook(order.output.with_name(f"{order.output.name}.measured"))
    with tempfile.TemporaryDirectory(prefix="edgeloupe-") as scratch:
        folder = Path(scratch) / "bundle"
        (folder / "reference").mkdir(parents=True)
        onnx.save(fold(model, card), folder / REFERENCE)
        validation = validation_pictures(order.data, card)
        judge = Judge(folder / REFERENCE, validation, card, order.threads, notebook)
        network = targets.Network(folder / REFERENCE, calibration.pictures)
        sensitivity = notebook.recall(
            key_of("sensitivity", judge.key, *calibration.pictures),
            SENSITIVITY,
            lambda: measure_sensitivity(network, judge.pictures, card.focus_id),
        )
        shrinker = Shrinker(network=network, judge=judge, gate=order.gate, sensitivity=sensitivity, budget=budget)
        made = {name: _make(name, target, shrinker, Path(scratch), folder) for name, target in chosen.items()}
        here = {name: one.here for name, one in made.items()}
        contents = Contents(
            card=card,
            release=order.release,
            output=output_size(model),
            targets={name: one.info for name, one in made.items()},
            reference=FLOAT,
            probe=_probe(validation, card, here, folder),
            light=LightInfo.of(calibration.pictures),
            created=order.created,
        )
        draft = _draft(order, card, calibration, samples, split, folder)
        _seal(folder, contents, draft, order.key)
        bundle = open_bundle(folder)
        measured = compare(bundle, here, samples, order.threads)
        proofs = {name: _proof(bundle, shrinker, one, measured[name], Path(scratch)) for name, one in made.items()}
        floor, whole = noise_floor(bundle, samples, order.threads)
        told = {"targets": proofs, "sensitivity": sensitivity, "noise_floor": floor, "foreground_floor": whole}
        receipt = draft.model_copy(update=told)
        if not receipt.passed:
            receipt = receipt.model_copy(update={"accepted_by": order.accepted_by})
        if receipt.passed or receipt.accepted_by:
            write_report(folder / "report.html", bundle, receipt, measured)
            _seal(folder, contents, receipt, order.key)
            _prove(open_bundle(folder), here)
            pack(folder, order.output)
    notebook.close()
    return receipt


def validation_pictures(root: Path, card: ModelCard) -> Sequence[Sample]:
    """Draw the pictures to choose by, by what is on them: of the validation split, where there is one."""
    data = open_dataset(root).sound()
    samples = data.part("val") if data.is_split else data.samples
    return [samples[i] for i in calibrate.draw(samples, card, VALIDATION_PICTURES).chosen]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What was made for one target."""

    target: targets.Target
    tried: list[Tried]  # best first
    info: TargetInfo  # what the device runs
    here: TargetInfo  # what runs in its stead in the workshop


def _make(
    name: str,
    target: targets.Target,
    shrinker: Shrinker,
    scratch: Path,
    folder: Path,
) -> _Made:
    tried = shrinker.shrink(target, scratch / "tried" / name)
    best = tried[0].candidate
    shutil.copytree(best.entry.parent, folder / "targets" / name)
    info = TargetInfo(
        runtime=target.runtime,
        precision="int8",
        entry=f"targets/{name}/{(best.shipped or best.entry).name}",
        version_range=target.version_range,
    )
    here = info.model_copy(update={"runtime": target.proven_in, "entry": f"targets/{name}/{best.entry.name}"})
    return _Made(target=target, tried=tried, info=info, here=here)


def _probe(
    samples: Sequence[Sample], card: ModelCard, here: Mapping[str, TargetInfo], folder: Path
) -> tuple[Probe, ...]:
    """Choose probe pictures with a good deal of the focus class, and one with little or none."""
    areas = [(int((s.class_map(card.classes) == card.focus_id).sum()), s.picture) for s in samples]
    ranked = [path for _, path in sorted(areas)]
    places = np.linspace(len(ranked) - 1, 0, min(PROBES, len(ranked))).round().astype(int)
    with ExitStack() as stack:
        segmenters = {}
        for target, info in here.items():
            runtime = stack.enter_context(runtimes.create(info.runtime, folder / info.entry))
            segmenters[target] = segmenter_of(card, runtime)
        return write_probe([ranked[i] for i in places], segmenters, folder)


def _draft(
    order: Order, card: ModelCard, calibration: Calibration, samples: Sequence[Sample], split: str, folder: Path
) -> Receipt:
    return Receipt(
        name=card.name,
        focus=card.focus,
        created=order.created,
        machine=processor(),
        tools=tool_versions(),
        model_sha256=sha256_of(order.model),
        reference_sha256=sha256_of(folder / REFERENCE),
        processing_sha256=processing(card).sha256,
        dataset=DatasetFacts(
            name=order.data.resolve().name, split=split, pictures=len(samples), groups=len({s.group for s in samples})
        ),
        calibration=CalibrationFacts(
            pictures=len(calibration.pictures),
            with_class=calibration.with_class,
            objects=calibration.objects,
            brightness=calibration.exposures.chosen,
            brightness_of_all=calibration.exposures.all,
            warnings=calibration.warnings,
        ),
        gate=order.gate,
        targets={},
    )


def _seal(folder: Path, contents: Contents, receipt: Receipt, key: Ed25519PrivateKey) -> None:
    (folder / RECEIPT).write_text(receipt.model_dump_json(indent=1) + "\n", encoding="utf-8")
    seal(folder, contents, key)


def _latency(made: _Made, bundle: Bundle, network: targets.Network, scratch: Path) -> Latency | None:
    """Measure how fast it is, where its own runtime is at hand."""
    runtime = made.info.runtime
    if made.here.runtime != runtime:
        return None
    files = made.target.float_form(network, scratch), bundle.file(made.info.entry)
    float_s, int8_s = median_times(runtime, files, network.pictures[0], threads=LATENCY_THREADS)
    return Latency(ratio=int8_s / float_s, runtime=runtime, threads=LATENCY_THREADS)


def _proof(
    bundle: Bundle, shrinker: Shrinker, made: _Made, measured: Sequence[PictureParity], scratch: Path
) -> TargetReceipt:
    """Put together what was measured of the bundle as it stands on the disk: what is shipped is what was measured."""
    parity = summarise(measured, bundle.manifest.class_names, bundle.manifest.focus_id)
    faults = shrinker.gate.faults(parity)
    pictures = evenly(shrinker.judge.pictures, CROSS_RUNTIME_PICTURES)
    elsewhere = cross_runtime(made.here.runtime, bundle.file(made.here.entry), pictures, shrinker.judge.card.focus_id)
    least = shrinker.gate.min_agreement
    faults += tuple(f"masks agree to {iou:.3f} with those by {name}" for name, iou in elsewhere.items() if iou < least)
    return TargetReceipt(
        runtime=made.info.runtime,
        measured=made.here,
        recipe=made.tried[0].candidate.recipe,
        tried={t.candidate.recipe: t.parity.likeness for t in made.tried},
        spared=made.tried[0].spared,
        sha256=sha256_of(bundle.file(made.here.entry)),
        parity=parity,
        latency=_latency(made, bundle, shrinker.network, scratch),
        cross_runtime=elsewhere,
        passed=not faults,
        faults=faults,
    )


def _prove(bundle: Bundle, here: Mapping[str, TargetInfo]) -> None:
    for target, info in here.items():
        with open_segmenter(bundle, target, stand_in=info) as segmenter:
            selftest(bundle, segmenter, target)
