"""`edgeloupe tune`: measure on this device how the network is best spread over its cores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "measure how the network is best spread over this device's cores; `run` heeds it from its next start"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--target", metavar="NAME", help="of the bundle (default: the first that runs here)")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each way (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from edge.bundle import open_bundle
    from edge.table import table
    from edge.tuning import save, tune

    bundle = open_bundle(args.bundle)
    target, _ = bundle.target_for([args.target] if args.target else ())
    tuning = tune(bundle, target, args.seconds, lambda ways: tqdm(ways, unit="way", disable=None, leave=False))
    path = save(tuning)
    if args.json:
        print(tuning.model_dump_json())
        return 0
    key = tuning.key
    print(f"{bundle.manifest.name} on {key.runtime} {key.version}, {key.chip}")
    one, several = tuning.best(1), tuning.best(1 << 10)
    rows = [
        [
            str(measured.plan.threads),
            str(measured.plan.lanes),
            ",".join(map(str, measured.plan.cores)) or "all",
            f"{measured.latency_ms:.2f}",
            f"{measured.per_second:.1f}",
            " and ".join(text for text, best in (("one camera", one), ("several", several)) if best == measured.plan),
        ]
        for measured in tuning.measured
    ]
    print(table(["threads", "lanes", "cores", "ms", "per second", "best for"], rows))
    print(f"kept in {path}")
    return 0
