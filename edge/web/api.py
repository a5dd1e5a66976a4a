"""API: what programs and the dashboard ask for, all of it by GET."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse

from edge.web import evidence_files, metrics
from edge.web.alert_log import without_outlines
from edge.web.live import Live, Viewer
from edge.web.look_out import health_told
from edge.web.state import WebState
from edge.web.view import Seen

_FRESH = {"cache-control": "no-store"}
_FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}

probes = APIRouter(tags=["probes"])
api = APIRouter(prefix="/api/v1", tags=["inspection"])


def _state(request: Request) -> WebState:
    state: WebState = request.app.state.web
    return state


State = Annotated[WebState, Depends(_state)]


@probes.get("/healthz")
def healthz(state: State) -> JSONResponse:
    """Say whether this process and the core are alive."""
    told = state.health.read()
    body = {"alive": told.answering, "core_age_s": told.age_s}
    return JSONResponse(body, 200 if told.answering else 503, _FRESH)


@probes.get("/readyz")
def readyz(state: State) -> JSONResponse:
    """Say whether the device inspects, and why not."""
    reasons = state.health.read().not_ready()
    return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200, _FRESH)


@probes.get("/metrics", response_class=PlainTextResponse)
def prometheus(state: State) -> Response:
    """Give figures to Prometheus."""
    return Response(metrics.exposition(state.health.read()), headers=_FRESH, media_type=metrics.CONTENT_TYPE)


@api.get("/health")
def health(state: State) -> dict[str, Any]:
    """Give the device's account of itself and whether it is still being written."""
    return health_told(state)


@api.get("/cameras")
def cameras(state: State) -> list[dict[str, Any]]:
    """List the cameras with their state and last verdict."""
    told = state.health.read()
    return [state.camera(name, told) for name in state.cameras(told)]


def _to_show(state: State, name: str, sequence: Annotated[int | None, Query(ge=1)] = None) -> Seen:
    return _found(name, state.views.to_show(name, sequence))


def _found(name: str, seen: Seen | None) -> Seen:
    if seen is None:
        raise HTTPException(404, f"camera {name}: no picture yet, or no such camera: see /api/v1/cameras")
    return seen


@api.get("/cameras/{name}/latest")
def latest(name: str, state: State) -> dict[str, Any]:
    """Give the last result of a camera with the age of its picture; `live` says whether it is current."""
    seen = _found(name, state.views.latest(name))
    age_s = round(seen.age_s(state.clock), 3)
    live = age_s <= state.stale_after_s(state.health.read().camera(name))
    return {"camera": name, "sequence": seen.sequence, "age_s": age_s, "live": live, "result": seen.result}


@api.get("/cameras/{name}/picture.jpg", response_class=Response)
def picture(seen: Annotated[Seen, Depends(_to_show)]) -> Response:
    """Give a picture, at most 640 pixels wide or high; the newest when `sequence` is gone: X-Sequence says which."""
    return Response(seen.pair().jpeg, headers=_FRESH | _sequence(seen), media_type="image/jpeg")


@api.get("/cameras/{name}/mask.png", response_class=Response)
def mask(seen: Annotated[Seen, Depends(_to_show)]) -> Response:
    """Give the class index of every pixel of the network's output as a grey PNG; `sequence` as for the picture."""
    return Response(seen.pair().png, headers=_FRESH | _sequence(seen), media_type="image/png")


def _sequence(seen: Seen) -> dict[str, str]:
    return {"x-sequence": str(seen.sequence)}


@api.get("/alerts")
def alerts(
    state: State,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, description="only alerts with a smaller seq")] = None,
    outlines: Annotated[bool, Query(description="with the regions' masks")] = True,  # noqa: FBT002 - a query's default
) -> list[dict[str, Any]]:
    """List alert messages, newest first."""
    found = state.alerts.recent(limit, before)
    return [alert if outlines else without_outlines(alert) for alert in found]


@api.get("/evidence/{path:path}", response_class=Response)
def evidence(path: str, state: State, width: Literal["160", "320", "640"] | None = None) -> Response:
    """Give a file behind an alert; of a picture, a small one at most `width` pixels wide."""
    file = evidence_files.find_soon(state.evidence_dir, path, state.clock.wall_s())
    small = evidence_files.thumbnail(file, int(width)) if file and width else None
    if file is None or (width and small is None):
        raise HTTPException(404, f"evidence {path}: no such file; old ones are deleted when space runs out")
    if small:
        return Response(small, headers=_FOR_EVER, media_type="image/jpeg")
    return FileResponse(file, headers=_FOR_EVER, media_type=evidence_files.MEDIA_TYPES[file.suffix])


@api.get("/stream", response_class=StreamingResponse)
async def stream(
    request: Request,
    camera: Annotated[str | None, Query(description="frames of this camera only")] = None,
    pictures: Annotated[bool, Query(description="frames with `picture` (JPEG) and `mask` (PNG) in base64")] = False,  # noqa: FBT002 - a query's default
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Push events: `frame` (newest wins), `alert` (none left out), `health`, `missed` (too many: read the list)."""
    live: Live = request.app.state.live
    events = live.events(Viewer(camera=camera, pictures=pictures, after=_alert_number(last_event_id)))
    return StreamingResponse(events, media_type="text/event-stream", headers=_FRESH | {"x-accel-buffering": "no"})


def _alert_number(event_id: str | None) -> tuple[str, int] | None:
    epoch, _, seq = (event_id or "").rpartition(":")
    return (epoch, int(seq)) if seq.isdigit() else None
