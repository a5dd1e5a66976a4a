"""Model card: what a float ONNX file says about itself, so that nobody has to guess classes, sizes or colour order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from edge.errors import ModelError
from edge.mask import border_classes
from edge.strict_yaml import Strict
from models.recipe import ClassSpec

if TYPE_CHECKING:
    import onnx

Task = Literal["semantic", "instance", "panoptic", "promptable"]
"""Classes per pixel; objects; both; the one object that somebody clicks on."""

KEY = "edgeloupe"
"""Where the card stands in the ONNX file's `metadata_props`, as JSON."""


class _Part(Strict):
    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)


class CardInput(_Part):
    """What the network takes: (1, 3, height, width) float32, (pixel - mean) / std with pixels of 0 to 255."""

    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    colour_order: Literal["RGB", "BGR"] = "RGB"


class Calibration(_Part):
    """What the logits were divided by, in the weights, and what that did on the validation split.

    Expected calibration errors, 0 to 1, before and after; none without pixels.
    """

    temperature: Annotated[float, Field(gt=0)]
    pictures: Annotated[int, Field(gt=0)]
    error: tuple[float | None, float | None]
    focus_error: tuple[float | None, float | None]  # of pixels seen as the class that is looked for


class ModelCard(_Part):
    """The description inside a float ONNX file."""

    schema_: Literal["edgeloupe.model/1"] = Field(default="edgeloupe.model/1", alias="schema")
    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
    classes: Annotated[tuple[ClassSpec, ...], Field(min_length=2, max_length=255)]
    focus: str  # the class that is looked for
    input: CardInput
    task: Task = "semantic"
    part: str = ""  # of a network that is several files, such as `encoder` and `decoder`
    arch: str
    epochs: int
    val_score: float | None  # IoU of the focus class on the validation split
    calibration: Calibration | None = None  # none where the confidence is as training left it
    licence: str
    data: str  # what the network was trained on
    notice: str = ""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes' names, by index."""
        return tuple(c.name for c in self.classes)

    @property
    def focus_id(self) -> int:
        """The index of the class that is looked for."""
        return self.class_names.index(self.focus)

    @model_validator(mode="after")
    def _focus_is_a_class(self) -> Self:
        if self.focus not in self.class_names:
            raise ValueError(f"focus must be one of {', '.join(self.class_names)}")
        border_classes(self.classes)
        return self


def read_card(model: onnx.ModelProto, where: str) -> ModelCard:
    """Read the card of a loaded ONNX model; `where` stands in the errors.

    Raises:
        ModelError: there is none, or it is not understood.
    """
    text = next((p.value for p in model.metadata_props if p.key == KEY), None)
    if text is None:
        raise ModelError(
            f"{where}: carries no model card (metadata key {KEY!r} with classes, input size, mean and std): "
            "export it with `edgeloupe export`, or give it one with `edgeloupe adopt`"
        )
    try:
        return ModelCard.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise ModelError(f"{where}: model card: {key}: {fault['msg']}: export it again") from error


def write_card(model: onnx.ModelProto, card: ModelCard) -> None:
    """Put `card` into `model`, instead of one that may be there."""
    kept = [(p.key, p.value) for p in model.metadata_props if p.key != KEY]
    del model.metadata_props[:]
    for key, value in [*kept, (KEY, card.model_dump_json())]:
        model.metadata_props.add(key=key, value=value)
