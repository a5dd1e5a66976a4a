"""Export a checkpoint to a plain float ONNX file that describes itself."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

import onnx
import torch

from edge.errors import ModelError
from models.card import CardInput, ModelCard, write_card
from models.train import Checkpoint

if TYPE_CHECKING:
    from torch import nn

OPSET = 17


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint that training wrote. Raises ModelError."""
    try:
        return Checkpoint.load(path)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}: give a .pt file that `edgeloupe train` wrote") from error
    except (KeyError, TypeError, ValueError, RuntimeError, UnpicklingError) as error:
        raise ModelError(
            f"{path}: not a checkpoint of edgeloupe: give a .pt file that `edgeloupe train` wrote"
        ) from error


def export(checkpoint: Checkpoint, path: Path) -> ModelCard:
    """Write the network of `checkpoint` to `path`, whole or not at all.

    The file takes `picture`, (1, 3, H, W) float32, normalised RGB, and gives `logits`, (1, classes, H / s, W / s)
    float32 at the network's output stride s. Batch normalisation is folded into the convolutions.
    """
    card = card_of(checkpoint)
    model = to_onnx(checkpoint.network(), width=card.input.width, height=card.input.height)
    write_card(model, card)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    onnx.save(model, partial)
    partial.replace(path)
    return card


def card_of(checkpoint: Checkpoint) -> ModelCard:
    """Describe the network of `checkpoint`."""
    recipe = checkpoint.recipe
    return ModelCard(
        name=recipe.name,
        classes=tuple(recipe.classes),
        focus=recipe.score_class,
        input=CardInput(
            width=recipe.input.width, height=recipe.input.height, mean=recipe.input.mean, std=recipe.input.std
        ),
        arch=f"{recipe.arch.name} x{recipe.arch.width:g}",
        epochs=checkpoint.epoch,
        val_score=checkpoint.score,
        licence=recipe.provenance.licence,
        data=recipe.provenance.data,
        notice=recipe.provenance.notice,
    )


def to_onnx(net: nn.Module, *, width: int, height: int) -> onnx.ModelProto:
    """Trace `net` in evaluation mode for one (1, 3, height, width) float32 picture."""
    with tempfile.TemporaryDirectory(prefix="edgeloupe-") as folder, warnings.catch_warnings():
        # The tracing exporter needs no onnxscript and folds batch normalisation; torch asks to move on from it.
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*TorchScript-based ONNX export.*")
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.onnx")
        traced = Path(folder) / "traced.onnx"
        torch.onnx.export(
            net.eval(),
            (torch.zeros(1, 3, height, width),),
            traced,
            dynamo=False,
            opset_version=OPSET,
            input_names=["picture"],
            output_names=["logits"],
        )
        model = onnx.load(traced)
    onnx.checker.check_model(model, full_check=True)
    return model
