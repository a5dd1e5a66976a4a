"""`edgeloupe quantize`: a float ONNX file becomes a signed bundle whose INT8 network is proven to agree with it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from models.card import ModelCard
    from quantize.receipt import Receipt
    from quantize.workshop import Order

HELP = "shrink a float ONNX model to INT8, prove that nothing was lost, and sign the bundle"
NEEDS = ("nncf", "onnx", "onnxruntime")

GATE = {
    "max_drop_points": ("--max-drop", "points any class may lose, of IoU and of objects found"),
    "max_mean_drop_points": ("--max-mean-drop", "points of IoU that the mean over classes may lose"),
    "min_agreement": ("--min-agreement", "mean IoU of float's and INT8's masks, and of their foregrounds"),
    "min_worst_tenth": ("--min-worst-tenth", "its tenth percentile over pictures"),
}
"""What the gate asks for, by its field: option and help."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from quantize.figures import PROMISE

    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="what `edgeloupe export` wrote")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="pictures with masks, split or not")
    parser.add_argument(
        "--target",
        required=True,
        metavar="NAMES",
        help="the device's chip: openvino, cpu, jetson, coral, several with commas, or all",
    )
    for field, (option, means) in GATE.items():
        default = getattr(PROMISE, field)
        told = f"{means} (default: {default})"
        parser.add_argument(option, dest=field, type=float, default=default, metavar="X", help=told)
    parser.add_argument("-o", "--output", type=Path, metavar="BUNDLE", help="the bundle (default: NAME.loupe here)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="Ed25519 signing key, PEM (default: your own)")
    parser.add_argument("--release", type=int, default=1, metavar="N", help="counts up; devices refuse to go back")
    parser.add_argument("--calibration", type=int, default=100, metavar="N", help="calibration pictures")
    parser.add_argument("--minutes", type=float, metavar="N", help="try no further forms after so long (default: all)")
    parser.add_argument(
        "--retrain",
        type=Path,
        metavar="CHECKPOINT",
        help="the .pt file of the model: where the gate is not passed, train on under rounding and try once more",
    )
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="of --retrain (default: 10)")
    parser.add_argument("--accept", metavar="WHO", help="write the bundle even so; the receipt says who accepted it")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads (default: all)")
    parser.add_argument("--json", action="store_true", help="print the receipt as JSON")


def run(args: argparse.Namespace) -> int:
    from edge.clock import SystemClock, rfc3339
    from edge.errors import ModelError
    from quantize.figures import PROMISE
    from quantize.fold import load_model
    from quantize.signing import create_key, default_key, public_key_path, read_key
    from quantize.workshop import Order, quantize

    if min(args.release, args.calibration, args.epochs) < 1:
        raise ModelError("--release, --calibration and --epochs: must be 1 or more")
    _, card = load_model(args.model)
    output: Path = args.output or Path(f"{card.name}.loupe")
    key: Path = args.key or default_key()
    if not args.key and not key.exists():
        create_key(key)
        print(f"new signing key {key}; devices get {public_key_path(key)}", file=sys.stderr)
    order = Order(
        model=args.model,
        data=args.data,
        targets=_targets(args.target),
        output=output,
        key=read_key(key),
        created=rfc3339(SystemClock().wall_s()),
        gate=PROMISE.model_copy(update={field: getattr(args, field) for field in GATE}),
        release=args.release,
        calibration=args.calibration,
        threads=args.threads,
        minutes=args.minutes,
        accepted_by=args.accept,
    )
    receipt = quantize(order)
    if args.retrain and not receipt.passed:
        receipt = _retried(order, card, receipt, args.retrain, args.epochs)
    for warning in receipt.calibration.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.json:
        print(receipt.model_dump_json(indent=1))
    else:
        _print_proofs(receipt)
    if not receipt.passed:
        _print_faults(receipt, retrained=args.retrain is not None)
        if not receipt.accepted_by:
            return 1
    if not args.json:
        print(f"{output}: release {args.release}, {output.stat().st_size / 1e6:.1f} MB")
    return 0


def _print_proofs(receipt: Receipt) -> None:
    from quantize.parity_table import parity_table

    for target, proof in receipt.targets.items():
        print(f"{target}: {proof.recipe}; {proof.speed}")
        print(f"{parity_table(proof.parity, receipt.focus)}\n")


def _print_faults(receipt: Receipt, *, retrained: bool) -> None:
    from quantize.parity_table import why_table

    print(why_table(receipt), file=sys.stderr)
    if not retrained:
        print("Training on under the rounding of INT8 may mend it: --retrain CHECKPOINT.", file=sys.stderr)
    outcome = f"accepted by {receipt.accepted_by}" if receipt.accepted_by else "no bundle written"
    faults = [f"{target}: {fault}" for target, proof in receipt.targets.items() for fault in proof.faults]
    print(f"edgeloupe: gate not passed, {outcome}: {'; '.join(faults)}", file=sys.stderr)


def _retried(order: Order, card: ModelCard, receipt: Receipt, checkpoint: Path, epochs: int) -> Receipt:
    """Quantise what becomes of the network under rounding, unless that costs more than the gate allows by itself."""
    from quantize.retrain import retrain
    from quantize.workshop import quantize

    folder = order.output.with_name(f"{order.output.name}.retrained")
    print(
        f"gate not passed: training on under rounding for {epochs} epoch{'s'[: epochs != 1]}, in {folder}",
        file=sys.stderr,
    )
    done = retrain(checkpoint, card, order.data, folder, epochs)
    print(f"score on val: {done.before:.4f} in float before, {done.after:.4f} rounded now", file=sys.stderr)
    if done.lost_points > order.gate.max_drop_points:
        return receipt
    return quantize(replace(order, model=done.model))


def _targets(given: str) -> tuple[str, ...]:
    from quantize.targets import NAMES

    return NAMES if given == "all" else tuple(dict.fromkeys(given.split(",")))
