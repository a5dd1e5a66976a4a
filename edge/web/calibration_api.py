"""Calibration API: the dashboard's only routes that change anything; each needs the operator's key."""

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from edge.errors import ConfigError
from edge.geometry.board import Board
from edge.geometry.sheet import svg
from edge.web.api import State
from edge.web.calibrating import Order

_FRESH = {"cache-control": "no-store"}


def _allow(state: State, authorization: Annotated[str, Header()] = "") -> None:
    """Let in who holds the key. Raises ConfigError when it can't be read."""
    key = state.key()
    if key is None:
        raise HTTPException(403, "nothing may be changed from here: give the device a key with web.key_file")
    if not hmac.compare_digest(authorization.encode(), f"Bearer {key}".encode()):
        raise HTTPException(
            401, "this is not the device's key: it stands in web.key_file", {"www-authenticate": "Bearer"}
        )


calibration = APIRouter(prefix="/api/v1/calibration", tags=["calibration"], dependencies=[Depends(_allow)])
boards = APIRouter(prefix="/api/v1", tags=["calibration"])

BoardText = Annotated[str, Field(max_length=80, examples=["charuco:9x6:22:16"])]


class Begin(BaseModel):
    """What is calibrated, and with which board."""

    model_config = ConfigDict(extra="forbid")

    camera: Annotated[str, Field(max_length=40)]
    board: BoardText


def _board(text: str) -> Board:
    try:
        return Board.parse(text)
    except ConfigError as error:
        raise HTTPException(422, str(error)) from error


@boards.get("/board.svg", response_class=Response)
def board_svg(board: Annotated[str, Query(max_length=80)]) -> Response:
    """Draw a board to be printed, of true size."""
    return Response(svg(_board(board)), headers=_FRESH, media_type="image/svg+xml")


@calibration.post("", status_code=201)
def begin(wish: Begin, state: State) -> dict[str, Any]:
    """Begin a calibration; one at a time."""
    _board(wish.board)
    if wish.camera not in state.cameras(state.health.read()):
        raise HTTPException(404, f"camera {wish.camera}: no such camera: see /api/v1/cameras")
    if not state.calibrator.start(wish.camera, wish.board):
        raise HTTPException(409, "a calibration is running already: end it first")
    return state.calibrator.told()


@calibration.get("")
def told(state: State) -> dict[str, Any]:
    """Tell how the calibration stands; one that nobody asks about ends by itself after a minute."""
    return state.calibrator.told()


@calibration.get("/picture.jpg", response_class=Response)
def picture(state: State) -> Response:
    """Give what it looked at last, at most 960 pixels wide or high; 204 before the first."""
    jpeg = state.calibrator.picture()
    if not jpeg:
        return Response(status_code=204, headers=_FRESH)
    return Response(jpeg, headers=_FRESH, media_type="image/jpeg")


@calibration.post("/{order}", status_code=202)
def order(order: Order, state: State) -> dict[str, Any]:
    """Go on: `views`, `plane`, `measure`, `lens` (without a plane), `save`."""
    if not state.calibrator.order(order):
        raise HTTPException(409, "no calibration is running: begin one")
    return state.calibrator.told()


@calibration.delete("", status_code=204)
def end(state: State) -> None:
    """End the calibration; what was not saved is lost."""
    state.calibrator.stop()
