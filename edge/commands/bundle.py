"""`edgeloupe bundle`: what is in a bundle, and is it whole?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from edge.bundle import Bundle

HELP = "show or verify a model bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, text in (
        ("info", "show what a bundle holds, after verifying it"),
        ("verify", "verify it and run its self-test on this machine"),
    ):
        verb = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        verb.add_argument("bundle", type=Path, metavar="BUNDLE")
        verb.add_argument(
            "--key", type=Path, action="append", default=[], metavar="PUB", help="trusted public key, PEM; repeatable"
        )
        verb.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    from edge.bundle import open_bundle

    bundle = open_bundle(args.bundle, trusted=args.key)
    facts = {**_facts(bundle), **(_selftest(bundle) if args.verb == "verify" else {})}
    if args.json:
        print(json.dumps(facts, indent=1))
    else:
        width = max(map(len, facts))
        for key, value in facts.items():
            print(f"{key.replace('_', ' '):<{width}}  {', '.join(value) if isinstance(value, list) else value}")
    return 0


def _facts(bundle: Bundle) -> dict[str, object]:
    manifest = bundle.manifest
    return {
        "name": manifest.name,
        "release": manifest.release,
        "sha256": bundle.sha256,
        "signed_by": bundle.signed_by,
        "trusted": "yes" if bundle.trusted else "not checked: give --key",
        "classes": list(manifest.class_names),
        "focus": manifest.focus,
        "input": f"{manifest.input.width}x{manifest.input.height}",
        "targets": [f"{name} ({t.precision}, {t.runtime} {t.version_range})" for name, t in manifest.targets.items()],
        "licence": manifest.licence,
        "provenance": manifest.provenance,
        "created": manifest.created,
    }


def _selftest(bundle: Bundle) -> dict[str, object]:
    from edge.segment import open_segmenter
    from edge.selftest import selftest

    target, _ = bundle.target_for()
    with open_segmenter(bundle, target) as segmenter:
        lowest = selftest(bundle, segmenter, target)
    return {"self_test": f"passed on {len(bundle.manifest.probe)} pictures, lowest foreground IoU {lowest:.4f}"}
