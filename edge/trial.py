"""Trial: a model opened and proven on its probe pictures, as a device would use it; to be run apart from the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.bundle import open_bundle
from edge.bundle_store import chosen_bundle
from edge.payload import Context
from edge.recipe import served_recipes
from edge.segment import open_segmenter
from edge.selftest import selftest
from edge.tiles.looks import open_looks

if TYPE_CHECKING:
    from pathlib import Path

    from edge.config import Config, ModelConfig

TRIAL_S = 180.0
"""Opening and compiling a model on a slow device may take minutes."""


def try_bundle(path: Path, model: ModelConfig) -> str:
    """Prove a bundle; say how that went. Raises BundleError, ModelError."""
    bundle = open_bundle(path, trusted=model.trusted_keys)
    name, _ = bundle.target_for([model.target] if model.target else ())
    with open_segmenter(bundle, name, model.threads) as segmenter:
        iou = selftest(bundle, segmenter, name)
    return f"{bundle.manifest.name} release {bundle.manifest.release} on {name}: self-test IoU {iou:.3f}"


def try_model(device: Config) -> str:
    """Prove the model of the first recipe, with the rules and looks of all that share it; say how that went.

    Raises BundleError, ConfigError, ModelError.
    """
    config, recipes = device.model, served_recipes(device)
    bundle = open_bundle(chosen_bundle(device), trusted=config.trusted_keys)
    contexts = [
        Context.of(bundle, config.target, device="trial", rules=recipe.rules, recipe=name)
        for name, recipe in recipes.items()
    ]
    model = contexts[0].model
    with open_segmenter(bundle, model.target, config.threads) as segmenter:
        iou = selftest(bundle, segmenter, model.target)
        for recipe in recipes.values():
            with open_looks(
                segmenter, bundle, recipe.cameras, recipe.rules, threads=config.threads, trusted=config.trusted_keys
            ):
                pass  # networks for first looks were proven
    signer = "a trusted key" if bundle.trusted else f"{bundle.signed_by}, not checked against model.trusted_keys"
    return f"{model.name} release {model.release} on {model.target}: self-test IoU {iou:.3f}, signed by {signer}"
