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
from tqdm import tqdm

from edge import runtimes
from edge.bundle import RECEIPT, open_bundle
from edge.frame import read_picture
from edge.machine import processor
from edge.manifest import Probe, TargetInfo
from edge.prepare import prepare
from edge.segment import Segmenter, open_segmenter
from edge.selftest import selftest
from models.datasets import open_dataset
from quantize import calibrate, targets
from quantize.evaluate import list_samples
from quantize.fold import fold, load_model, output_size, processing
from quantize.package import Contents, pack, seal, sha256_of, write_probe
from quantize.parity import PictureParity, compare, latency_ratio, summarise
from quantize.receipt import (
    CalibrationFacts,
    DatasetFacts,
    Latency,
    Receipt,
    TargetReceipt,
    tool_versions,
)
from quantize.report import write_report
from quantize.shrink import Tried, shrink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from edge.bundle import Bundle
    from edge.frame import Picture
    from models.card import ModelCard
    from models.datasets import Sample
    from quantize.calibrate import Calibration
    from quantize.figures import Gate

REFERENCE = "reference/model.onnx"
PROBES = 3
VALIDATION_PICTURES = 64
LATENCY_THREADS = 1


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


def quantize(order: Order) -> Receipt:
    """Make, measure and sign a bundle; nothing is written to `order.output` when the gate is not passed.

    Raises:
        ModelError, DatasetError, BundleError: the model, the pictures or the result can't be used.
    """
    model, card = load_model(order.model)
    chosen = {name: targets.create(name) for name in order.targets}
    calibration = calibrate.choose(order.data, card, order.calibration)
    validation = _validation(order.data)
    samples, split = list_samples(order.data, "test")
    with tempfile.TemporaryDirectory(prefix="edgeloupe-") as scratch:
        folder = Path(scratch) / "bundle"
        (folder / "reference").mkdir(parents=True)
        onnx.save(fold(model, card), folder / REFERENCE)
        pictures = _prepared(validation, card) or calibration.pictures
        network = targets.Network(folder / REFERENCE, calibration.pictures)
        made = {
            name: _make(name, target, network, pictures, card.focus_id, Path(scratch), folder)
            for name, target in chosen.items()
        }
        here = {name: one.here for name, one in made.items()}
        contents = Contents(
            card=card,
            release=order.release,
            output=output_size(model),
            targets={name: one.info for name, one in made.items()},
            reference=TargetInfo(
                runtime="onnxruntime", precision="float32", entry=REFERENCE, version_range=">=1.20,<2"
            ),
            probe=_probe(validation or samples, card, here, folder),
            created=order.created,
        )
        draft = _draft(order, card, calibration, samples, split, folder)
        _seal(folder, contents, draft, order.key)
        bundle = open_bundle(folder)
        measured = compare(bundle, here, samples, order.threads)
        proofs = {
            name: _proof(bundle, order.gate, one, measured[name], _latency(one, bundle, network, Path(scratch)))
            for name, one in made.items()
        }
        receipt = draft.model_copy(update={"targets": proofs})
        if all(proof.passed for proof in proofs.values()):
            write_report(folder / "report.html", bundle, receipt, measured)
            _seal(folder, contents, receipt, order.key)
            _prove(open_bundle(folder), here)
            pack(folder, order.output)
    return receipt


def _validation(root: Path) -> list[Sample]:
    """Take the pictures to choose by: from the validation split, else none (the calibration pictures must do)."""
    data = open_dataset(root)
    return data.part("val") if data.is_split else []


def _prepared(samples: Sequence[Sample], card: ModelCard) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    step = max(1, -(-len(samples) // VALIDATION_PICTURES))
    progress = tqdm(samples[::step], desc="validation pictures", unit="picture", disable=None, leave=False)
    return [prepare(read_picture(s.picture), card.input.width, card.input.height) for s in progress]


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
    network: targets.Network,
    validation: Sequence[Picture],
    focus: int,
    scratch: Path,
    folder: Path,
) -> _Made:
    tried = shrink(target, network, validation, focus, scratch / "tried" / name)
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
    step = max(1, len(samples) // VALIDATION_PICTURES)
    areas = [(int((s.class_map(card.classes) == card.focus_id).sum()), s.picture) for s in samples[::step]]
    ranked = [path for _, path in sorted(areas)]
    places = np.linspace(len(ranked) - 1, 0, min(PROBES, len(ranked))).round().astype(int)
    with ExitStack() as stack:
        segmenters = {}
        for target, info in here.items():
            runtime = stack.enter_context(runtimes.create(info.runtime, folder / info.entry))
            segmenters[target] = Segmenter(runtime, width=card.input.width, height=card.input.height)
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
            pictures=len(calibration.pictures), with_class=calibration.with_class, warnings=calibration.warnings
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
    ratio = latency_ratio(runtime, *files, network.pictures[0], threads=LATENCY_THREADS)
    return Latency(ratio=ratio, runtime=runtime, threads=LATENCY_THREADS)


def _proof(
    bundle: Bundle, gate: Gate, made: _Made, measured: Sequence[PictureParity], latency: Latency | None
) -> TargetReceipt:
    """Put together what was measured of the bundle as it stands on the disk: what is shipped is what was measured."""
    parity = summarise(measured, bundle.manifest.class_names, bundle.manifest.focus_id)
    faults = gate.faults(parity)
    return TargetReceipt(
        runtime=made.info.runtime,
        measured=made.here,
        recipe=made.tried[0].candidate.recipe,
        tried={t.candidate.recipe: t.agreement for t in made.tried},
        sha256=sha256_of(bundle.file(made.here.entry)),
        parity=parity,
        latency=latency,
        passed=not faults,
        faults=faults,
    )


def _prove(bundle: Bundle, here: Mapping[str, TargetInfo]) -> None:
    for target, info in here.items():
        with open_segmenter(bundle, target, stand_in=info) as segmenter:
            selftest(bundle, segmenter, target)
