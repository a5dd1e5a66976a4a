"""Replay: answer a consumer that noticed a gap: `cmd/replay` with {"epoch", "first_seq", "last_seq", "correlation"}."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.mqtt.broker import Message
from edge.topics import is_correlation, is_publishable

if TYPE_CHECKING:
    from edge.mqtt.broker import Received
    from edge.mqtt.delivery import Delivery
    from edge.outbox import OutboxDrain
    from edge.topics import Topics

MOST_ROWS = 1000
"""Numbers dealt with per request; the reply's `last_seq` says how far it went, and the rest is asked for next."""
MOST_REPLIES = 32
"""So many replies wait at most; then the newest wins."""

_Seq = Field(ge=1, le=(1 << 62), strict=True)


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True)

    epoch: str
    first_seq: int = _Seq
    last_seq: int = _Seq

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last_seq < self.first_seq:
            raise ValueError("last_seq is below first_seq")
        return self


def answer_replay(received: Received, topics: Topics, outbox: OutboxDrain, delivery: Delivery) -> Message | None:
    """Mark the alerts asked for as pending again and give the reply; None when it is not known where to send it.

    The reply is `{"epoch", "first_seq", "last_seq", "replayed", "missing": [[first, last]…], "error"}`. Asking for
    what is under way or pending changes nothing. A retained command is an old one and is ignored.
    Raises OutboxError.
    """
    if received.retain:
        return None
    try:
        request = _Request.model_validate_json(received.payload)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        told: dict[str, Any] = {"error": f"{'.'.join(str(p) for p in fault['loc'])}: {fault['msg']}".lstrip(": ")}
    else:
        told = _replay(request, outbox, delivery)
    return _reply(received, topics, told)


def _replay(request: _Request, outbox: OutboxDrain, delivery: Delivery) -> dict[str, Any]:
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


def _reply(received: Received, topics: Topics, told: dict[str, Any]) -> Message | None:
    """Address the reply: MQTT 5's response topic, else `reply/<correlation>` with the correlation in either place."""
    topic = received.response_topic
    if topic is None:
        correlation = _correlation(received)
        topic = topics.reply(correlation) if correlation is not None else None
    if not is_publishable(topic):
        return None
    return Message(topic=topic, payload=json.dumps(told).encode(), correlation=received.correlation)


def _correlation(received: Received) -> str | None:
    try:
        if received.correlation is not None:
            found: object = received.correlation.decode("ascii")
        else:
            found = json.loads(received.payload).get("correlation")
    except (ValueError, AttributeError):  # not ASCII, not JSON, not an object
        return None
    return str(found) if is_correlation(found) else None
