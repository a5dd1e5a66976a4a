"""App: puts the web process's routes, pages and guard together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from edge import __version__
from edge.errors import EdgeloupeError
from edge.web.api import api, probes
from edge.web.calibration_api import boards, calibration
from edge.web.guard import Guard
from edge.web.live import Live

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Scope

    from edge.web.state import WebState

STATIC = Path(__file__).parent / "static"


class Pages(StaticFiles):
    """The dashboard's files; the browser asks each time whether they changed, so that an update shows at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer one request."""
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        return response


def create_app(state: WebState) -> FastAPI:
    """Make the application over what it may read."""
    app = FastAPI(
        title="edgeloupe", version=__version__, openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None
    )
    app.state.web = state
    app.state.live = Live(state)
    app.add_middleware(Guard)
    app.add_exception_handler(EdgeloupeError, _say_why)
    app.include_router(probes)
    for router in (api, boards, calibration):
        app.include_router(router)
    app.mount("/", Pages(directory=STATIC, html=True))
    return app


def _say_why(request: Request, error: Exception) -> Response:
    del request
    return JSONResponse({"detail": str(error)}, 503)
