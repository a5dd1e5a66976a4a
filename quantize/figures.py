"""Figures: what is measured about a network, as it stands in receipts and in `--json`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Figures(BaseModel):
    """A frozen group of figures; reading is strict, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, serialize_by_alias=True)


class Objects(Figures):
    """Connected pieces of one class: found in the truth, missed, and seen where the truth has none."""

    found: int
    missed: int
    false: int


class Severity(Figures):
    """How far the share of the focus class on the object is off, in percentage points against the truth."""

    mean_points: float
    median_points: float
    max_points: float
    mean_interval: tuple[float, float]  # 95 %, over groups


class Quality(Figures):
    """One network against the truth."""

    pictures: int
    groups: int
    iou: dict[str, float | None]  # by class, pooled over all pixels; none where neither truth nor mask has it
    focus_iou_interval: tuple[float, float]  # 95 %, over groups
    objects: dict[str, Objects]  # by class
    severity: Severity


class Agreement(Figures):
    """INT8 against float: IoU of their masks on each picture where float sees any."""

    pictures: int  # on which float does
    mean: float
    p10: float
    worst: float
    pooled: float
    appeared: int  # pictures on which only INT8 sees it
    pixels: float  # share of all pixels with the same class


class Drop(Figures):
    """What INT8 has less of a figure than float, over the same draws of groups for both."""

    points: float  # percentage points
    interval: tuple[float, float] | None  # 95 %, over groups; none where they are too few for one

    @property
    def is_chance(self) -> bool:
        """Whether as good as no loss lies within the interval: so few pictures can't tell."""
        return self.interval is not None and self.interval[0] <= 0

    @property
    def text(self) -> str:
        """Say it as `+0.12 (-0.30 to +0.41)`."""
        between = f" ({self.interval[0]:+.2f} to {self.interval[1]:+.2f})" if self.interval else ""
        return f"{self.points:+.2f}{between}"


class Parity(Figures):
    """Float and INT8 on the same pictures."""

    float_: Quality = Field(alias="float")
    int8: Quality
    drop_points: dict[str, float]  # by class, IoU of float less that of INT8 in percentage points
    iou_drop: dict[str, Drop] = {}  # by class that the truth has; receipts of old have none
    mean_iou_drop: Drop | None = None  # of the mean over the classes that the truth has; receipts of old have none
    recall_drop: dict[str, Drop] = {}  # objects found, by class that has any; receipts of old have none
    agreement: Agreement  # of the focus class's masks
    foreground: Agreement | None = None  # of all classes but the first as one; receipts of old have none

    @property
    def likeness(self) -> float:
        """How far masks agree, to choose by: the focus class's counts half, since few pictures may show it."""
        return (self.agreement.mean + (self.foreground or self.agreement).mean) / 2


class LayerSensitivity(Figures):
    """What rounding one layer's inputs and weights does, everything else in float."""

    layer: str  # the name of its node
    operator: str
    macs: int  # multiplications with its weights, for one picture
    mask_loss: float  # 1 - IoU of the focus class's masks, over all pictures together
    snr_db: float  # power of the logits over that of their error


class Gate(Figures):
    """What INT8 may lose. Receipts of old ask for nothing of what may be none."""

    max_drop_points: float = 0.5  # IoU of any class, and share of its objects that are found
    max_mean_drop_points: float | None = None  # IoU, mean over the classes that the truth has
    min_agreement: float = 0.95  # mean, of the focus class's masks
    min_worst_tenth: float | None = None  # tenth percentile, likewise
    of_foreground: bool = False  # both are asked of the masks of all classes but the first, too

    def faults(self, parity: Parity) -> tuple[str, ...]:
        """Say what fails, one sentence each; empty when the gate is passed.

        A loss that may be chance is none: few pictures can't tell.
        """
        allowed = f"at most {self.max_drop_points:g} are allowed"
        found = [
            f"IoU of {name} drops by {drop:.2f} points, {allowed}"
            for name, drop in parity.drop_points.items()
            if drop > self.max_drop_points and not (name in parity.iou_drop and parity.iou_drop[name].is_chance)
        ]
        found += [
            f"{lost.points:.2f} points fewer objects of {name} are found, {allowed}"
            for name, lost in parity.recall_drop.items()
            if lost.points > self.max_drop_points and not lost.is_chance
        ]
        mean, most = parity.mean_iou_drop, self.max_mean_drop_points
        if mean is not None and most is not None and mean.points > most and not mean.is_chance:
            found.append(f"mean IoU drops by {mean.points:.2f} points, at most {most:g} are allowed")
        masks, least = {"masks": parity.agreement}, self.min_worst_tenth
        if self.of_foreground and parity.foreground and parity.foreground != parity.agreement:
            masks["masks of all classes but the first"] = parity.foreground
        for what, agree in masks.items():
            if agree.mean < self.min_agreement:
                found.append(
                    f"{what} agree to {agree.mean:.3f} with float, at least {self.min_agreement:g} is asked for"
                )
            if least is not None and agree.p10 < least:
                found.append(f"the worst tenth of {what} agrees to {agree.p10:.3f}, at least {least:g} is asked for")
        return tuple(found)

    def times(self, share: float) -> Gate:
        """Allow only a share of the loss and of the disagreement."""
        return Gate(
            max_drop_points=share * self.max_drop_points,
            max_mean_drop_points=None if self.max_mean_drop_points is None else share * self.max_mean_drop_points,
            min_agreement=_nearer_to_all(self.min_agreement, share),
            min_worst_tenth=None if self.min_worst_tenth is None else _nearer_to_all(self.min_worst_tenth, share),
            of_foreground=self.of_foreground,
        )

    @property
    def text(self) -> str:
        """Say what is asked, in one line."""
        asked = [f"at most {self.max_drop_points:g} points of any class"]
        if self.max_mean_drop_points is not None:
            asked.append(f"{self.max_mean_drop_points:g} of all classes' mean")
        asked.append(f"agreement {self.min_agreement:g}")
        if self.min_worst_tenth is not None:
            asked.append(f"of the worst tenth {self.min_worst_tenth:g}")
        if self.of_foreground:
            asked.append("of the foreground likewise")
        return ", ".join(asked)


def _nearer_to_all(least: float, share: float) -> float:
    """Ask for more where something is asked for."""
    return 1 - share * (1 - least) if least else 0.0


PROMISE = Gate(max_mean_drop_points=0.2, min_agreement=0.97, min_worst_tenth=0.85, of_foreground=True)
"""What `edgeloupe quantize` asks for where nothing else is said."""
