"""S3: each alert's files and the alert itself as objects in a bucket, of AWS or of any storage that speaks S3."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from edge.errors import SinkError

if TYPE_CHECKING:
    from edge.outputs.courier import Desk
    from edge.sink_config import S3Config
    from edge.sinks import Site

_TIMEOUT = timedelta(seconds=30)
_PATIENCE = timedelta(seconds=10)  # the courier tries again, with longer pauses


def create(name: str, config: S3Config, site: Site) -> S3:
    """Make the S3 sink `name`. Raises ConfigError."""
    return S3(config, config.secret(name), site)


class S3:
    """A bucket. Objects are written whole or not at all, and under the same name again when an upload is repeated."""

    def __init__(self, config: S3Config, secret: str | None, site: Site) -> None:
        self._config = config
        self._arrival = site.arrival(clips=config.clips)
        options: dict[str, Any] = {"region": config.region, "virtual_hosted_style_request": config.endpoint is None}
        if config.endpoint is not None:
            options["endpoint"] = config.endpoint
        if config.access_key_id is not None:
            options |= {"access_key_id": config.access_key_id, "secret_access_key": secret or ""}
        self._store = S3Store(
            config.bucket,
            client_options={"timeout": _TIMEOUT, "allow_http": (config.endpoint or "").startswith("http://")},
            retry_config={"max_retries": 2, "retry_timeout": _PATIENCE},
            **options,
        )

    def __enter__(self) -> Self:
        try:
            next(iter(obstore.list(self._store, self._config.prefix or None, chunk_size=1)), None)
        except BaseError as error:
            raise self._fault(error) from error
        return self

    def __exit__(self, *exc: object) -> None: ...

    def __str__(self) -> str:
        return f"bucket {self._config.bucket} at {self._config.endpoint or f'AWS {self._config.region}'}"

    def turn(self, desk: Desk) -> float:
        try:
            return self._arrival.bring(desk, self._put)
        except BaseError as error:
            raise self._fault(error) from error

    def _put(self, path: str, data: bytes) -> None:
        obstore.put(self._store, f"{self._config.prefix}{path}", data)

    def _fault(self, error: Exception) -> SinkError:
        line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        return SinkError(f"{self}: {line[:300]}: check endpoint, bucket, keys and the network")
