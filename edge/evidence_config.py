"""Evidence configuration: what is kept behind alerts, for how long, and who must not be seen in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edge.strict_yaml import Strict

EvidenceKind = Literal["picture", "mask", "overlay"]


class RetentionConfig(Strict):
    """How evidence of one class is kept."""

    days: Annotated[float, Field(gt=0)] | None = Field(default=None, description="deleted then; unset: space decides")
    priority: Annotated[int, Field(ge=0, le=9)] = Field(default=0, description="the highest go last")
