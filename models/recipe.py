"""Recipe: everything a training run depends on, in one validated YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge import strict_yaml
from edge.mask import border_classes
from edge.strict_yaml import Strict

Channel = Annotated[int, Field(ge=0, le=255)]
Positive = Annotated[int, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Stride = Annotated[int, Field(gt=0, multiple_of=32)]
Share = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[float, Field(gt=0)]


class ClassSpec(Strict):
    """One class: its name, how masks write it, how much its mistakes weigh."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    colour: tuple[Channel, Channel, Channel] | None = Field(default=None, description="RGB in colour masks")
    index: Annotated[int, Field(ge=0, le=255)] | None = Field(default=None, description="value in index masks")
    labels: tuple[str, ...] = Field(default=(), description="annotation labels of this class, beside its name")
    weight: Annotated[float, Field(gt=0)] = 1.0
    between: str | None = Field(
        default=None, description="a border that training draws where objects of that class touch, to keep them apart"
    )


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
    options: dict[str, float | str] = Field(default={}, description="what else this architecture can be told")
    channels: dict[str, tuple[Positive, ...]] = Field(default={}, description="what pruning left, by layer")


class AugmentSpec(Strict):
    """How far training pictures are bent away from the originals."""

    scale: tuple[Size, Size] = (0.75, 1.4)
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
    motion_px: Annotated[float, Field(ge=0)] = Field(default=0.0, description="longest streak of a moving part")
    noise: Annotated[float, Field(ge=0)] = 4.0
    jpeg: Share = 0.2

    @model_validator(mode="after")
    def _scale_rises(self) -> AugmentSpec:
        if self.scale[0] > self.scale[1]:
            raise ValueError("scale: the smaller one stands first")
        return self


class LossSpec(Strict):
    """Weights of the losses that are added up."""

    cross_entropy: Weight = 1.0
    dice: Weight = 1.0
    focal: Weight = 0.0
    focal_gamma: Weight = 2.0
    iou: Weight = 0.0
    lovasz: Weight = 0.0
    absent_classes: bool = Field(default=False, description="dice and iou count classes that a batch does not show")

    @model_validator(mode="after")
    def _something_is_learned(self) -> LossSpec:
        if not self.cross_entropy + self.dice + self.focal + self.iou + self.lovasz:
            raise ValueError("at least one of cross_entropy, dice, focal, iou and lovasz must be above 0")
        return self


class SamplingSpec(Strict):
    """Which pictures are shown how often, for defects that are rare and small."""

    balance: Share = Field(default=0.0, description="0: each picture once an epoch; 1: each class equally often")
    defect_crop: Share = Field(default=0.0, description="share of training pictures cut out around a marked object")
    crop: tuple[Share, Share] = Field(default=(0.3, 0.7), description="size of such a cut, of the picture's sides")
    window: tuple[Stride, Stride] | None = Field(
        default=None, description="width and height of training pictures that are cuts at the network's own scale"
    )
    copy_paste: Share = Field(default=0.0, description="share of pictures that get objects pasted from others")
    synthetic: Share = Field(default=0.0, description="share of pictures that get made-up defects of the score class")

    @model_validator(mode="after")
    def _a_cut_has_a_size(self) -> SamplingSpec:
        if not 0 < self.crop[0] <= self.crop[1]:
            raise ValueError("crop: must be two shares above 0, the smaller one first")
        return self


class DistilSpec(Strict):
    """A trained network that supervises this one, beside the truth."""

    teacher: Path = Field(description="a checkpoint, of any semantic architecture with the same classes")
    weight: Annotated[float, Field(gt=0)] = 1.0
    temperature: Annotated[float, Field(gt=0)] = 2.0


FINE_TUNING_RATE = 0.3
"""Learning rate of a network that is trained already, of that from the start."""


class TrainSpec(Strict):
    """The optimiser's side of the run."""

    epochs: Positive
    batch: Positive = 8
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    warmup_epochs: Annotated[float, Field(ge=0)] = 2.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.998
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    quantisation_bits: Annotated[int, Field(ge=2, le=8)] | None = Field(
        default=None, description="learn and validate with numbers rounded as integer chips round them, to so many bits"
    )
    validate_every: Positive = 5
    early_stop: Positive | None = Field(default=None, description="epochs without a better score before stopping")
    seed: Annotated[int, Field(ge=0)] = 1
    tensorboard: bool = Field(default=False, description="write curves for TensorBoard, beside history.csv")

    def fine_tuning(self, epochs: int) -> TrainSpec:
        """Give the settings by which a trained network goes on for so many epochs: gently, and at once."""
        changes = {"epochs": epochs, "learning_rate": FINE_TUNING_RATE * self.learning_rate, "warmup_epochs": 0.0}
        return self.model_copy(update=changes)


class Provenance(Strict):
    """What the model may be used for, and what it was made from."""

    licence: str
    data: str
    notice: str = ""


class Recipe(Strict):
    """One training run."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    classes: Annotated[list[ClassSpec], Field(min_length=2)]
    score_class: str = Field(description="the class that is looked for; its IoU on val picks the checkpoint")
    score: Literal["class", "mean"] = Field(default="class", description="mean: IoU over all classes but the first")
    input: InputSpec
    arch: ArchSpec = ArchSpec()
    loss: LossSpec = LossSpec()
    sampling: SamplingSpec = SamplingSpec()
    augment: AugmentSpec = AugmentSpec()
    distil: DistilSpec | None = None
    train: TrainSpec
    provenance: Provenance

    @property
    def score_id(self) -> int:
        """The index of the class that is looked for."""
        return [c.name for c in self.classes].index(self.score_class)

    @model_validator(mode="after")
    def _classes_agree(self) -> Recipe:
        names = [c.name for c in self.classes]
        if len(set(names)) != len(names):
            raise ValueError("classes: each name must stand once")
        if self.score_class not in names:
            raise ValueError(f"score_class = {self.score_class!r}: must be one of {', '.join(names)}")
        border_classes(self.classes)
        window = self.sampling.window
        if window and (window[0] > self.input.width or window[1] > self.input.height):
            raise ValueError("sampling.window: must not be larger than the input")
        return self


def load_recipe(path: Path) -> Recipe:
    """Read a training recipe.

    Raises:
        ConfigError: the file can't be read or breaks a rule; every mistake on its own line.
    """
    return strict_yaml.load(path, Recipe)
