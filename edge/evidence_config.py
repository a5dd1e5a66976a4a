"""Evidence configuration: what is kept behind alerts, for how long, and who must not be seen in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edge.strict_yaml import Strict

EvidenceKind = Literal["picture", "mask", "overlay"]


class RetentionConfig(Strict):
    """How evidence of one class is kept."""

    days: Annotated[float, Field(gt=0)] | None = Field(default=None, description="deleted then; unset: space decides")
    priority: Annotated[int, Field(ge=0, le=9)] = Field(default=0, description="the highest go last")


class PeopleConfig(Strict):
    """Who must not be recognised in what is kept and sent."""

    bundle: Path = Field(description="a model that knows where people are")
    classes: Annotated[tuple[str, ...], Field(min_length=1)] = Field(default=("person",), description="of that model")
    target: str | None = Field(default=None, description="unset: the first target of the bundle that runs here")
    grow: Annotated[float, Field(ge=0, le=0.2)] = Field(
        default=0.02, description="hidden around them, as a share of the picture's longer side"
    )
