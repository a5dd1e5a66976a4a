"""Export a checkpoint to plain float ONNX files that describe themselves."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, cast

import onnx
import torch
from tqdm import tqdm

from models.card import CardInput, ModelCard, write_card
from models.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from models.archs import Network, Part
    from models.checkpoint import Checkpoint

OPSET = 18
"""What the exporter writes of itself; older ones it converts to, newer ones some converters for chips don't read."""


def export(checkpoint: Checkpoint, path: Path) -> dict[Path, ModelCard]:
    """Write the network of `checkpoint` to `path`, whole or not at all; give the files with their cards.

    A network of several parts becomes a file for each: `best.onnx` becomes `best.encoder.onnx`, `best.decoder.onnx`.
    Shapes are static and the pictures (1, 3, H, W) float32, normalised RGB; a semantic network gives `logits`, (1,
    classes, H / s, W / s) float32 at its output stride s. Batch normalisation is folded into the convolutions.
    """
    network = checkpoint.network()
    card = card_of(checkpoint, network)
    return write(network.parts(card.input.height, card.input.width), card, path)


def write(parts: Mapping[str, Part], card: ModelCard, path: Path) -> dict[Path, ModelCard]:
    """Write a file for each part, all of them or none; give them with their cards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files = {path.with_suffix(f".{name}{path.suffix}") if name else path: name for name in parts}
    cards = {file: card.model_copy(update={"part": name}) for file, name in files.items()}
    try:
        for file, name in tqdm(files.items(), desc="exporting", unit="file", disable=None):
            model = to_onnx(parts[name])
            write_card(model, cards[file])
            onnx.save(model, _partial(file))
        for file in files:
            _partial(file).replace(file)
    finally:
        for file in files:
            _partial(file).unlink(missing_ok=True)
    return cards


def card_of(checkpoint: Checkpoint, network: Network) -> ModelCard:
    """Describe the network of `checkpoint`."""
    recipe = checkpoint.recipe
    return ModelCard(
        name=recipe.name,
        classes=tuple(recipe.classes),
        focus=recipe.score_class,
        input=CardInput(
            width=recipe.input.width, height=recipe.input.height, mean=recipe.input.mean, std=recipe.input.std
        ),
        task=network.task,
        arch=f"{recipe.arch.name} x{recipe.arch.width:g}{', pruned' if recipe.arch.channels else ''}",
        epochs=checkpoint.epoch,
        val_score=checkpoint.score,
        calibration=checkpoint.calibration,
        licence=recipe.provenance.licence,
        data=recipe.provenance.data,
        notice=recipe.provenance.notice,
    )


def to_onnx(part: Part) -> onnx.ModelProto:
    """Convert a part in evaluation mode, with the shapes of its example."""
    with quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*treespec.*")  # torch's, about torch
        program = torch.onnx.export(
            part.module.eval(),
            part.example,
            dynamo=True,
            opset_version=OPSET,
            input_names=part.inputs,
            output_names=part.outputs,
            verbose=False,
        )
    model = cast("torch.onnx.ONNXProgram", program).model_proto
    _forget_the_source(model.graph)
    onnx.checker.check_model(model, full_check=True)
    return model


def _partial(file: Path) -> Path:
    return file.with_name(f"{file.name}.partial")


def _forget_the_source(graph: onnx.GraphProto) -> None:
    """Leave out the stack traces that the exporter writes beside every node: they name this machine's folders."""
    for thing in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del thing.metadata_props[:]
