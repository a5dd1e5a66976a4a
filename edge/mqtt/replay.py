"""Replay: answer a consumer that noticed a gap: `cmd/replay` with {"epoch", "first_seq", "last_seq"}."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.mqtt.command import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.mqtt.delivery import Delivery
    from edge.outbox.outbox import OutboxDrain

MOST_ROWS = 1000
"""Numbers dealt with per request; the reply's `last_seq` says how far it went, and the rest is asked for next."""

_Seq = Field(ge=1, le=(1 << 62), strict=True)


class ReplayRequest(BaseModel):
    """The fields of `cmd/replay`."""

    model_config = ConfigDict(frozen=True)

    epoch: str
    first_seq: int = _Seq
    last_seq: int = _Seq

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last_seq < self.first_seq:
            raise ValueError("last_seq is below first_seq")
        return self


def replay(fields: Mapping[str, Any], outbox: OutboxDrain, delivery: Delivery) -> dict[str, Any]:
    """Mark the alerts asked for as pending again, and tell which ones are gone.

    The answer is `{"epoch", "first_seq", "last_seq", "replayed", "missing": [[first, last]…], "error"}`. Asking for
    what is under way or pending changes nothing.

    Raises:
        RefusedError: the request makes no sense.
        OutboxError: the outbox can't be read or written.
    """
    try:
        request = ReplayRequest.model_validate(fields)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise RefusedError(f"{place}: {fault['msg']}".lstrip(": ")) from error
    return _replay(request, outbox, delivery)


def _replay(request: ReplayRequest, outbox: OutboxDrain, delivery: Delivery) -> dict[str, Any]:
    last = min(request.last_seq, request.first_seq + MOST_ROWS - 1)
    told = {"epoch": request.epoch, "first_seq": request.first_seq, "last_seq": last}
    if request.epoch != outbox.epoch:
        return {**told, "last_seq": request.last_seq, "replayed": 0, "missing": [], "error": "unknown epoch"}
    last = max(min(last, outbox.last_seq), request.first_seq)  # numbers not given yet are not missing
    gone = outbox.missing(request.first_seq, last) if request.first_seq <= outbox.last_seq else []
    return {
        **told,
        "last_seq": last,
        "replayed": delivery.replay(request.first_seq, last),
        "missing": [list(span) for span in gone],
        "error": None,
    }
