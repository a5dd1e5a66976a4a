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
    """INT8 against float: IoU of the focus class's masks on each picture where float sees it."""

    pictures: int  # on which float sees the focus class
    mean: float
    p10: float
    worst: float
    pooled: float
    appeared: int  # pictures on which only INT8 sees it
    pixels: float  # share of all pixels with the same class


class Parity(Figures):
    """Float and INT8 on the same pictures."""

    float_: Quality = Field(alias="float")
    int8: Quality
    drop_points: dict[str, float]  # by class, IoU of float less that of INT8 in percentage points
    agreement: Agreement

    @property
    def worst_drop(self) -> tuple[str, float]:
        """The class that loses most, and its loss in points."""
        name = max(self.drop_points, key=lambda n: self.drop_points[n])
        return name, self.drop_points[name]


class Gate(Figures):
    """What INT8 may lose."""

    max_drop_points: float = 0.5  # IoU of any class
    min_agreement: float = 0.95  # mean, of the focus class's masks

    def faults(self, parity: Parity) -> tuple[str, ...]:
        """Say what fails, one sentence each; empty when the gate is passed."""
        name, drop = parity.worst_drop
        found = []
        if drop > self.max_drop_points:
            found.append(f"IoU of {name} drops by {drop:.2f} points, at most {self.max_drop_points:g} are allowed")
        if parity.agreement.mean < self.min_agreement:
            found.append(
                f"masks agree to {parity.agreement.mean:.3f} with float, at least {self.min_agreement:g} is asked for"
            )
        return tuple(found)
