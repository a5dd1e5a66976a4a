"""GPIO: an edge on a line, timed and queued by the kernel."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from edge.errors import TriggerError
from edge.triggers import Demand

if TYPE_CHECKING:
    from edge.camera_config import GpioTrigger
    from edge.pictures.image import Image
    from edge.triggers import Place

_RETRY_S = 2.0


class Gpio:
    """One line; it is requested again when the chip goes away and comes back, as USB ones do."""

    def __init__(self, config: GpioTrigger) -> None:
        self._config = config
        self._name = f"gpio {config.chip} line {config.line}"
        self._request: Any = None  # gpiod.LineRequest
        self._trouble = ""
        self._retry_at = float("-inf")
        self._waiting = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._release()

    def ask(self, picture: Image | None, now_mono_s: float) -> Demand:
        try:
            if self._request is None and now_mono_s >= self._retry_at:
                self._retry_at = now_mono_s + _RETRY_S
                self._request = _request(self._config, self._name)
                self._trouble = ""
            if self._request is not None and self._request.wait_edge_events(timedelta(0)):
                self._waiting += len(self._request.read_edge_events())
        except OSError as error:
            self._release()
            self._trouble = f"{self._name}: {error.strerror or error}: check chip, line and the group gpio"
        except TriggerError as error:
            self._trouble = str(error)
        wanted = self._waiting > 0 and picture is not None
        self._waiting -= wanted
        return Demand(wanted=wanted, trouble=self._trouble)

    def _release(self) -> None:
        if self._request is not None:
            self._request.release()
            self._request = None


def _request(config: GpioTrigger, name: str) -> Any:
    try:
        import gpiod  # noqa: PLC0415 - an extra
        from gpiod.line import Edge  # noqa: PLC0415
    except ImportError as error:
        raise TriggerError(f"{name}: gpiod is not installed: pip install 'edgeloupe[gpio]'") from error
    settings = gpiod.LineSettings(
        edge_detection=Edge.RISING if config.edge == "rising" else Edge.FALLING,
        debounce_period=timedelta(milliseconds=config.debounce_ms),
    )
    return gpiod.request_lines(str(config.chip), consumer="edgeloupe", config={config.line: settings})


def create(config: GpioTrigger, place: Place) -> Gpio:
    """Make the trigger; the line is requested at the first question."""
    del place
    return Gpio(config)
