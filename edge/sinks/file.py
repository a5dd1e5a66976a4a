"""File: a CSV or NDJSON file a day, a line an alert, synced before it counts as taken; no line twice, none torn."""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from edge.clock import rfc3339
from edge.errors import SinkError

if TYPE_CHECKING:
    from pathlib import Path

    from edge.clock import Clock
    from edge.outbox.outbox import Stored
    from edge.outputs.courier import Desk
    from edge.sink_config import FileConfig
    from edge.sinks import Site

COLUMNS = (
    "epoch", "seq", "device", "camera", "alert_id", "type", "creation_time", "result_evaluation", "reasons", "labels",
    "area_px", "evidence",
)  # fmt: skip

_AT_ONCE = 500
_IDLE_S = 5.0
_TAIL_BYTES = 1 << 20


def create(name: str, config: FileConfig, site: Site) -> Files:
    """Make the file sink `name`; its files are `NAME-YYYY-MM-DD.csv` or `.ndjson`, by the day of the commit in UTC."""
    return Files(name, config, site.clock)


class Files:
    """A folder of files that only grow; other programs may read them at any time."""

    def __init__(self, name: str, config: FileConfig, clock: Clock) -> None:
        self._name = name
        self._config = config
        self._clock = clock
        self._file: BinaryIO | None = None
        self._day = ""
        self._last = ("", 0)  # epoch and number of the last line of today's file

    def __enter__(self) -> Self:
        try:
            self._config.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._fault(error) from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def __str__(self) -> str:
        return str(self._config.folder)

    def turn(self, desk: Desk) -> float:
        alerts = desk.alerts(_AT_ONCE)
        try:
            for alert in alerts:
                self._write(alert)
            self._sync()
        except OSError as error:
            raise self._fault(error) from error
        desk.take(*alerts)
        return 0.0 if alerts else _IDLE_S

    def _write(self, alert: Stored) -> None:
        day = datetime.fromtimestamp(alert.committed_at, UTC).strftime("%Y-%m-%d")
        if self._file is None or day != self._day:
            self._sync()
            self._close()
            self._file, self._last = _append_to(self._path(day), self._config.format)
            self._day = day
            self._forget_old()
        epoch, seq = self._last
        if alert.epoch == epoch and alert.seq <= seq:
            return  # written before a power cut made the outbox forget it
        self._file.write(_csv_line(alert) if self._config.format == "csv" else alert.message.encode() + b"\n")
        self._last = (alert.epoch, alert.seq)

    def _sync(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def _path(self, day: str) -> Path:
        return self._config.folder / f"{self._name}-{day}.{self._config.format}"

    def _forget_old(self) -> None:
        if self._config.keep_days is None:
            return
        oldest = datetime.fromtimestamp(self._clock.wall_s(), UTC) - timedelta(days=self._config.keep_days)
        first = self._path(oldest.strftime("%Y-%m-%d")).name
        for path in self._config.folder.glob(f"{self._name}-????-??-??.{self._config.format}"):
            if path.name < first:
                path.unlink(missing_ok=True)

    def _fault(self, error: OSError) -> SinkError:
        return SinkError(f"{self}: {error.strerror or error}: check the disk and the rights of the folder")


def _append_to(path: Path, form: str) -> tuple[BinaryIO, tuple[str, int]]:
    """Open the file behind its last whole line, and tell that line's epoch and number."""
    file = path.open("a+b")
    try:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(size - _TAIL_BYTES, 0))
        tail = file.read()
        whole = tail[: tail.rfind(b"\n") + 1]
        file.truncate(start + len(whole))
        if form == "csv" and start + len(whole) == 0:
            file.write(_row(COLUMNS))
        lines = whole.splitlines()
        return file, _number(lines[-1], form) if lines else ("", 0)
    except BaseException:
        file.close()
        raise


def _number(line: bytes, form: str) -> tuple[str, int]:
    try:
        if form == "csv":
            epoch, seq = next(csv.reader([line.decode()]))[:2]
            return epoch, int(seq)
        told = json.loads(line)
        return str(told["epoch"]), int(told["seq"])
    except (ValueError, KeyError, TypeError, StopIteration):  # the head of a CSV, or not ours
        return "", 0


def _csv_line(alert: Stored) -> bytes:
    fields = alert.fields()
    regions = [region for region in fields.get("regions") or () if isinstance(region, dict)]
    more: dict[str, Any] = {
        "creation_time": fields.get("creation_time") or rfc3339(alert.committed_at),
        "reasons": "; ".join(str(reason) for reason in fields.get("reasons") or ()),
        "labels": " ".join(dict.fromkeys(str(region.get("label")) for region in regions)),
        "area_px": sum(int(region.get("area_px") or 0) for region in regions),
    }
    return _row([{**fields, **more}.get(column) for column in COLUMNS])


def _row(cells: Any) -> bytes:
    text = io.StringIO()
    plain = [" ".join(cell.splitlines()) if isinstance(cell, str) else cell for cell in cells]
    csv.writer(text, lineterminator="\n").writerow(plain)
    return text.getvalue().encode(errors="replace")
