"""Recipe: everything a training run depends on, in one validated YAML file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from edge import strict_yaml
from edge.strict_yaml import Strict

if TYPE_CHECKING:
    from pathlib import Path

Channel = Annotated[int, Field(ge=0, le=255)]
Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class ClassSpec(Strict):
    """One class: its name, how masks write it, how much its mistakes weigh."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    colour: tuple[Channel, Channel, Channel] | None = Field(default=None, description="RGB in colour masks")
    index: Annotated[int, Field(ge=0, le=255)] | None = Field(default=None, description="value in index masks")
    weight: Annotated[float, Field(gt=0)] = 1.0


class InputSpec(Strict):
    """The network's input, in pixels."""

    width: Positive
    height: Positive
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)  # RGB, of 0..255; ImageNet's
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)

    @model_validator(mode="after")
    def _fits_the_strides(self) -> InputSpec:
        if self.width % 32 or self.height % 32:
            raise ValueError("width and height must be multiples of 32, the coarsest stride of the networks")
        return self


class ArchSpec(Strict):
    """The architecture and its size."""

    name: str = "loupenet"
    width: Annotated[float, Field(gt=0, le=4)] = 1.0


class AugmentSpec(Strict):
    """How far training pictures are bent away from the originals."""

    scale: tuple[float, float] = (0.75, 1.4)
    rotate_deg: Annotated[float, Field(ge=0, le=180)] = 20.0
    shift: Share = 0.1
    flip: bool = True
    brightness: Share = 0.2
    contrast: Share = 0.25
    gamma: Share = 0.25
    colour_cast: Share = 0.08
    saturation: Share = 0.25
    hue_deg: Annotated[float, Field(ge=0, le=180)] = 6.0
    blur_px: Annotated[float, Field(ge=0)] = 1.0
    noise: Annotated[float, Field(ge=0)] = 4.0
    jpeg: Share = 0.2


class TrainSpec(Strict):
    """The optimiser's side of the run."""

    epochs: Positive
    batch: Positive = 8
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    warmup_epochs: Annotated[float, Field(ge=0)] = 2.0
    dice: Annotated[float, Field(ge=0)] = 1.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.998
    precision: Literal["float32", "bfloat16"] = "float32"
    validate_every: Positive = 5
    seed: int = 1


class Provenance(Strict):
    """What the model may be used for, and what it was made from."""

    licence: str
    data: str
    notice: str = ""


class Recipe(Strict):
    """One training run."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    classes: Annotated[list[ClassSpec], Field(min_length=2)]
    score_class: str = Field(description="the class whose IoU on the validation split picks the checkpoint")
    input: InputSpec
    arch: ArchSpec = ArchSpec()
    augment: AugmentSpec = AugmentSpec()
    train: TrainSpec
    provenance: Provenance

    @model_validator(mode="after")
    def _classes_agree(self) -> Recipe:
        names = [c.name for c in self.classes]
        if len(set(names)) != len(names):
            raise ValueError("classes: each name must stand once")
        if self.score_class not in names:
            raise ValueError(f"score_class = {self.score_class!r}: must be one of {', '.join(names)}")
        return self


def load_recipe(path: Path) -> Recipe:
    """Read a training recipe.

    Raises:
        ConfigError: the file can't be read or breaks a rule; every mistake on its own line.
    """
    return strict_yaml.load(path, Recipe)
