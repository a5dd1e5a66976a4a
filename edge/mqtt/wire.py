"""Wire: what stands in every message, as types; the published JSON Schemas are made from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.outbox.room import Step
from edge.topics import Verb

Evaluation = Literal["OK", "NotOK", "NotDecidable", "Undefined"]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="RFC 3339, UTC")]
Count = Annotated[int, Field(ge=0)]
Seq = Annotated[int, Field(ge=1, le=1 << 62)]
Share = Annotated[float, Field(ge=0, le=1)]
Epoch = Annotated[str, Field(pattern="^[0-9a-f]{16}$", description="random name of the device's alert store")]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Segmentation(_Message):
    """A mask as COCO's compressed run lengths, of the whole frame."""

    size: tuple[int, int] = Field(description="height, width")
    counts: str


class Region(_Message):
    """One connected blob of one class, in pixels of the original frame, origin top left."""

    id: int
    track_id: int | None
    class_id: int
    label: str
    score: Share
    bbox: tuple[int, int, int, int] = Field(description="x, y, width, height")
    area_px: Count
    area_mm2: float | None
    length_mm: float | None
    centroid: tuple[float, float]
    zones: list[str]
    segmentation: Segmentation


class Frame(_Message):
    """The picture that was inspected."""

    id: int
    width: Count
    height: Count
    captured_at: Time
    age_s: float


class ProcessingTimes(_Message):
    """Seconds."""

    acquisition: float
    preprocess: float
    inference: float
    postprocess: float
    total: float


class Model(_Message):
    """Which network spoke."""

    name: str
    release: int
    sha256: str
    target: str
    precision: str


class Coverage(_Message):
    """How closely the frame was looked at."""

    area: tuple[int, int, int, int] = Field(description="x, y, width and height of what was looked at at all")
    tiles: Count = Field(description="laid over it")
    examined: Count = Field(description="of these, looked at one by one; the rest was seen reduced")
    boxes: list[tuple[int, int, int, int]] = Field(description="of those examined, where these are not all")
    first_look: str | None = Field(description="sha256 of the bundle that saw the rest, where that is another one")


class ZoneThreshold(_Message):
    """What is otherwise in one zone."""

    ignore: bool
    min_score: Share | None = None
    undecided_score: Share | None = None
    min_area_px: Count | None = None
    max_share: Share | None = None


class Threshold(_Message):
    """When a region of one class is a defect."""

    min_score: Share
    undecided_score: Share | None = None
    min_area_px: Count
    max_share: Share
    zones: dict[str, ZoneThreshold] | None = None


class Result(_Message):
    """One inspection: OPC 40100-1 names in snake_case."""

    schema_: Literal["edgeloupe.result/1"] = Field(alias="schema")
    result_id: str
    device: str
    camera: str
    epoch: Epoch | None
    seq: Seq | None
    is_simulated: bool
    result_state: Literal["Completed"]
    result_evaluation: Evaluation
    result_evaluation_code: Annotated[int, Field(ge=0, le=3)]
    reasons: list[str]
    part_id: str | None
    job_id: str | None
    recipe_id: str | None = Field(description="null: the device has no recipes")
    creation_time: Time
    frame: Frame
    processing_times: ProcessingTimes
    model: Model
    thresholds: dict[str, Threshold] = Field(description="by class")
    class_shares: dict[str, Share]
    coverage: Coverage | None = Field(description="null: the whole frame was looked at, in a single look")
    regions: list[Region]


class Alert(Result):
    """One step in the life of an alert."""

    epoch: Epoch
    seq: Seq
    type: Literal["new", "update", "end"]
    alert_id: str
    evidence: str | None = Field(
        description="picture file, relative to the evidence folder; it follows within 5 s, or never after a failure"
    )
    mask: str | None = Field(default=None, description="class map of the picture's size as index PNG, likewise")
    overlay: str | None = Field(default=None, description="the picture with its regions drawn in, likewise")
    clip: str | None = Field(description="video of the seconds around it, likewise; written when they have passed")


class Folded(_Message):
    """What a summary stands for."""

    new: Count
    update: Count
    end: Count
    labels: dict[str, Count] = Field(description="regions by class")
    first_time: str
    last_time: str
    spans: list[tuple[Seq, Seq]] = Field(description="ranges of numbers, both ends included")


class Summary(_Message):
    """Many alerts of one camera, counted because there was no room for each."""

    schema_: Literal["edgeloupe.summary/1"] = Field(alias="schema")
    device: str
    camera: str
    epoch: Epoch
    seq: Seq
    type: Literal["summary"]
    alert_id: str
    result_evaluation: Evaluation
    reasons: list[str]
    creation_time: str
    folded: Folded


class Gap(_Message):
    """Numbers whose alerts can't come any more."""

    first_seq: Seq
    last_seq: Seq
    reason: Literal["damaged", "folded"]
    at: Time


class Room(_Message):
    """What had to go for want of room, the last step and the sums since the start."""

    step: Step
    pictures_bytes: Count
    delivered: Count
    folded: Count


class StateHealth(_Message):
    """Whether the device does its work."""

    ready: bool | None
    reasons: list[str]


class NextModel(_Message):
    """A model that was activated and is not loaded yet: `reload_model` does it."""

    name: str
    release: Count


class RefusedModel(_Message):
    """The last model that was activated and taken back by the device itself."""

    bundle: str
    reason: str


class State(_Message):
    """The device, and which alerts it keeps for replay."""

    device: str
    version: str
    model: dict[str, Any] | None
    next_model: NextModel | None
    refused_model: RefusedModel | None
    recipe_id: str | None = Field(description="in force; null: the device has no recipes")
    epoch: Epoch
    first_seq: Seq
    last_seq: Count
    gaps: list[Gap]
    room: Room | None
    health: StateHealth


class CommandRequest(BaseModel):
    """A command. Signed ones carry `by`, `issued_at`, `signature` and `correlation`."""

    correlation: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")] | None = None
    camera: str | None = Field(default=None, description="all of them when left out")
    by: str | None = Field(default=None, description="the operator")
    issued_at: float | None = Field(default=None, description="seconds since 1970")
    signature: str | None = Field(
        default=None,
        description="HMAC-SHA-256 in hexadecimal digits, over all fields but this one with `verb` and `device`,"
        " as JSON with sorted keys, without spaces, in ASCII",
    )


class Reply(BaseModel):
    """The answer to a command; replies to `replay`, `trigger` and `adjust` say more."""

    schema_: Literal["edgeloupe.reply/1"] = Field(alias="schema")
    verb: Verb
    correlation: str | None
    error: str | None = Field(description="null: it was done")


class ReplayReply(Reply):
    """Which numbers were dealt with; the rest is asked for next."""

    epoch: str
    first_seq: Seq
    last_seq: Seq
    replayed: Count
    missing: list[tuple[Seq, Seq]]
