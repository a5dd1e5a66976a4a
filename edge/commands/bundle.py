"""`edgeloupe bundle`: what is in a bundle, is it whole, and which one runs on this device?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from edge.bundle import Bundle
    from edge.bundle_store import BundleStore
    from edge.config import Config

HELP = "show or verify a model bundle; install, activate and roll back those of this device"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from edge.config import DEFAULT_PATH

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
    for name, what, text in (
        ("install", "BUNDLE", "verify a bundle, run its self-test, and keep a copy on this device"),
        ("activate", "NAME", "have an installed bundle run, after trying it with the device's configuration"),
        ("rollback", "", "go back to the bundle that ran before, after trying it likewise"),
        ("list", "", "list the installed bundles"),
        ("remove", "NAME", "delete an installed bundle that does not run"),
    ):
        verb = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        if what:
            verb.add_argument("bundle", type=Path if what == "BUNDLE" else str, metavar=what)
        verb.add_argument(
            "-c", "--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help="of the device (%(default)s)"
        )
        if name == "list":
            verb.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    if args.verb in ("info", "verify"):
        return _show(args)
    from edge.bundle_store import BundleStore
    from edge.config import load_config

    config = load_config(args.config)
    store = BundleStore(config.storage.state_dir, minimum_release=config.model.minimum_release)
    match args.verb:
        case "install":
            name = store.install(args.bundle, config.model.trusted_keys, lambda copy: _prove_copy(copy, config))
            print(f"{name}: is installed; to run it: edgeloupe bundle activate {name}")
        case "activate":
            store.check(args.bundle)
            _prove_as_device(config, store, args.bundle)
            store.activate(args.bundle)
            _tell_active(config, args.bundle)
        case "rollback":
            before = store.before()
            _prove_as_device(config, store, before)
            store.rollback()
            _tell_active(config, before)
        case "list":
            _list(store, as_json=args.json)
        case _:
            store.remove(args.bundle)
            print(f"{args.bundle}: is removed")
    return 0


def _show(args: argparse.Namespace) -> int:
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


def _prove_copy(copy: Path, config: Config) -> None:
    from edge.trial import try_bundle

    _prove(try_bundle, copy, config.model)


def _prove_as_device(config: Config, store: BundleStore, name: str) -> None:
    """Try an installed bundle with the rules of all recipes that it would serve."""
    from edge.recipe import recipes_of
    from edge.trial import try_model

    served = [recipe.name for recipe in recipes_of(config).values() if recipe.bundle is None]
    if served:
        model = config.model.model_copy(update={"bundle": store.path(name)})
        _prove(try_model, config.model_copy(update={"model": model, "recipe": served[0]}))


def _prove(action: Callable[..., str], *args: object) -> None:
    from edge.apart import Apart
    from edge.errors import BundleError
    from edge.trial import TRIAL_S

    with Apart("trial", TRIAL_S, action, *args) as apart:
        answer = apart.wait()
    if answer.fault:
        raise BundleError(answer.detail)


def _tell_active(config: Config, name: str) -> None:
    now = f"edgeloupe tell {config.device} reload_model"
    print(f"{name}: is active; it runs from the daemon's next start, or at once by: {now}")
    if config.model.bundle is not None:
        print(f"model.bundle = {config.model.bundle} stands in the configuration and goes before: leave it out")


def _list(store: BundleStore, *, as_json: bool) -> None:
    from edge.table import table

    standing = store.standing()
    rows = []
    for name in store.installed():
        if name == standing.active:
            word = "active" if standing.proven else "active, not proven yet"
        elif name in standing.before:
            word = "ran before"
        else:
            word = "installed"
        if standing.refused is not None and name == standing.refused.bundle:
            word = f"{word}; was taken back: {standing.refused.reason}"
        rows.append((name, word))
    if as_json:
        print(json.dumps([{"bundle": name, "state": word} for name, word in rows], indent=1))
    else:
        print(table(("bundle", "state"), rows))


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
