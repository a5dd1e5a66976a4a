"""Library: what the architectures out of the transformers library share: how it is asked for, and its weights."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from edge.errors import ModelError
from models.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedConfig, PreTrainedModel


@contextlib.contextmanager
def extra(arch: str) -> Iterator[None]:
    """Say what to install where the library, or what it rests on, is absent. Raises ModelError."""
    try:
        yield
    except ImportError as error:
        raise ModelError(f"{arch} needs the extra `transformers`: pip install edgeloupe[transformers]") from error


def start(
    kind: type[PreTrainedModel], config: PreTrainedConfig, weights: str, fresh: tuple[str, ...] = ()
) -> PreTrainedModel:
    """Build a model, with chance weights or with those in `weights`, a local folder or a name on the library's hub.

    Args:
        kind: the model's class.
        config: its size.
        weights: where the weights come from; empty for none.
        fresh: beginnings of the names of weights that may differ, because they depend on the classes.

    Raises:
        ModelError: the weights can't be read, or are those of another size.
    """
    from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415 # the library may be absent

    if not weights:
        return kind(config)
    if not sys.stderr.isatty():
        disable_progress_bar()
    try:
        with quiet():
            model, report = kind.from_pretrained(
                weights, config=config, ignore_mismatched_sizes=True, use_safetensors=True, output_loading_info=True
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"weights {weights}: can't be read: give a folder with config.json and model.safetensors, "
            "or a name on the hub while it can be reached"
        ) from error
    wrong = [*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])]
    wrong = sorted(name for name in wrong if not name.startswith(fresh))
    if wrong:
        raise ModelError(
            f"weights {weights}: {len(wrong)} are missing or of another size, such as {wrong[0]}: "
            "give the options of the size they were trained at"
        )
    return model


def whole(name: str, value: float, low: int, high: int) -> int:
    """Check an option that counts something. Raises ValueError."""
    if value not in range(low, high + 1):
        raise ValueError(f"{name} = {value}: must be a whole number from {low} to {high}")
    return int(value)
