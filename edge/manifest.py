"""Manifest: what a bundle says about itself, and what its signature covers."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.bundle_archive import is_safe_name
from edge.mask import border_classes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.picture import Picture

Slug = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Channel = Annotated[int, Field(ge=0, le=255)]
Pixels = Annotated[int, Field(ge=1, le=16384)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, validate_by_name=True, serialize_by_alias=True)


class ClassInfo(_Part):
    """One class of the class map; its index is its place in the list."""

    name: Slug
    colour: tuple[Channel, Channel, Channel] | None = None  # RGB, for drawing
    index: Channel | None = None  # value in index masks of the data set, where it is not the place in the list
    between: Slug | None = None  # a border that keeps apart the objects of that class, and counts as it


class InputInfo(_Part):
    """The picture the network takes."""

    width: Pixels
    height: Pixels
    colour_order: Literal["BGR"] = "BGR"
    layout: Literal["NHWC"] = "NHWC"
    dtype: Literal["uint8"] = "uint8"


class OutputInfo(_Part):
    """What the network gives: `class-map/1` is class indices and scores, both (height, width) uint8."""

    meaning: Literal["class-map/1"] = "class-map/1"
    width: Pixels
    height: Pixels


class Processing(_Part):
    """Everything between a camera's picture and the class map that is not the trained network."""

    prepare: str  # edge.pictures.prepare.PREPARE_VERSION of the workshop
    folded: tuple[str, ...]  # steps inside the graph, in their order, with their numbers
    sha256: Sha256

    @classmethod
    def of(cls, prepare: str, folded: tuple[str, ...]) -> Self:
        """Describe processing and compute its hash."""
        return cls(prepare=prepare, folded=folded, sha256=cls._digest(prepare, folded))

    @staticmethod
    def _digest(prepare: str, folded: tuple[str, ...]) -> str:
        return hashlib.sha256(json.dumps([prepare, *folded], separators=(",", ":")).encode()).hexdigest()

    @model_validator(mode="after")
    def _hash_fits(self) -> Self:
        if self.sha256 != self._digest(self.prepare, self.folded):
            raise ValueError("sha256 is not that of the steps")
        return self


class TargetInfo(_Part):
    """One form of the network: which file, for whom."""

    runtime: Slug  # a name in edge.runtimes
    precision: Literal["int8", "float32"]
    entry: str  # the file the runtime opens
    version_range: Annotated[str, Field(pattern=r"^>=\d+(\.\d+)*(,<\d+(\.\d+)*)?$")]  # of the runtime's package


class FileInfo(_Part):
    """One file of the bundle."""

    sha256: Sha256
    size: Annotated[int, Field(ge=0)]


class Probe(_Part):
    """A picture and the class maps that the network must give for it, at the network's output size."""

    picture: str
    masks: dict[Slug, str]  # by target: chips round differently


Levels = tuple[float, float, float, float]
"""Brightness, blue, green and red, 0 to 255."""


class LightInfo(_Part):
    """Between which means the pictures lie that the network was calibrated with: it saw no other light."""

    low: Levels  # of the pictures' means, the lowest
    high: Levels  # and the highest

    @classmethod
    def of(cls, pictures: Iterable[Picture]) -> Self:
        """Measure pictures, at least one."""
        colours = np.array([picture.mean(axis=(0, 1)) for picture in pictures])
        means = np.round(np.column_stack([colours.mean(axis=1), colours]), 1)
        return cls(low=tuple(means.min(axis=0).tolist()), high=tuple(means.max(axis=0).tolist()))

    def off(self, colour: tuple[float, float, float]) -> Levels:
        """Say by how many grey levels a mean blue, green and red lies outside; 0 within, below is negative."""
        now = (sum(colour) / 3, *colour)
        brightness, blue, green, red = (
            value - min(max(value, low), high) for value, low, high in zip(now, self.low, self.high, strict=True)
        )
        return brightness, blue, green, red


class Manifest(_Part):
    """The signed description of a bundle; `files` lists everything but the manifest and its signature."""

    schema_: Literal["edgeloupe.bundle/1"] = Field(alias="schema")
    name: Slug
    release: Annotated[int, Field(ge=1)]
    task: Literal["semantic"] = "semantic"
    classes: Annotated[tuple[ClassInfo, ...], Field(min_length=2, max_length=255)]
    focus: Slug  # the class that is looked for
    input: InputInfo
    output: OutputInfo
    processing: Processing
    targets: Annotated[dict[Slug, TargetInfo], Field(min_length=1)]
    reference: TargetInfo  # the same network in float
    files: dict[str, FileInfo]
    probe: tuple[Probe, ...]
    licence: str
    provenance: str
    notice: str = ""
    light: LightInfo | None = None  # bundles made before it was measured have none
    created: str  # RFC 3339

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes' names, by index."""
        return tuple(c.name for c in self.classes)

    @property
    def focus_id(self) -> int:
        """The index of the class that is looked for."""
        return self.class_names.index(self.focus)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if len(set(self.class_names)) != len(self.classes) or self.focus not in self.class_names:
            raise ValueError("classes must have different names, and focus must be one of them")
        border_classes(self.classes)
        for name in self.files:
            if not is_safe_name(name) or name in ("manifest.json", "signature"):
                raise ValueError(f"files: {name[:80]!r} can't be the name of a file in a bundle")
        needed = {"receipt.json", self.reference.entry, *(t.entry for t in self.targets.values())}
        needed |= {name for probe in self.probe for name in (probe.picture, *probe.masks.values())}
        missing = needed - self.files.keys()
        if missing:
            raise ValueError(f"files: {min(missing)} is named but not listed")
        if any(probe.masks.keys() != self.targets.keys() for probe in self.probe):
            raise ValueError("probe: every picture must have a mask for each target")
        if datetime.fromisoformat(self.created).tzinfo is None:
            raise ValueError("created must carry its time zone")
        return self
