"""Package: files become a bundle folder with a signed manifest, and a folder becomes a .loupe file."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.bundle import MANIFEST, SIGNATURE, canonical_json
from edge.errors import BundleError
from edge.manifest import (
    ClassInfo,
    FileInfo,
    InputInfo,
    LightInfo,
    Manifest,
    OutputInfo,
    Probe,
    TargetInfo,
)
from edge.picture import read_picture
from quantize.fold import processing
from quantize.signing import signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from edge.segment import Segmenter
    from models.card import ModelCard

PROBE_WIDTH = 1024
STORED = (".jpg", ".png")
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold: the same files always give the same bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a bundle is, apart from the bytes of its files."""

    card: ModelCard
    release: int
    output: tuple[int, int]  # height, width of the class map
    targets: dict[str, TargetInfo]
    reference: TargetInfo
    probe: tuple[Probe, ...]
    light: LightInfo | None = None  # of the calibration pictures
    created: str  # RFC 3339

    def manifest(self, files: dict[str, FileInfo]) -> Manifest:
        """Describe the bundle with these files."""
        card = self.card
        return Manifest(
            schema_="edgeloupe.bundle/1",
            name=card.name,
            release=self.release,
            classes=tuple(
                ClassInfo(name=c.name, colour=c.colour, index=c.index, between=c.between) for c in card.classes
            ),
            focus=card.focus,
            input=InputInfo(width=card.input.width, height=card.input.height),
            output=OutputInfo(height=self.output[0], width=self.output[1]),
            processing=processing(card),
            targets=self.targets,
            reference=self.reference,
            files=files,
            probe=self.probe,
            light=self.light,
            licence=card.licence,
            provenance=card.data,
            notice=card.notice,
            created=self.created,
        )


def write_probe(pictures: Sequence[Path], segmenters: Mapping[str, Segmenter], folder: Path) -> tuple[Probe, ...]:
    """Write probe pictures, at most 1024 px wide, and the class maps that each target's segmenter gives for them.

    Raises:
        PictureError, ModelError: a picture can't be read, or the network fails.
    """
    (folder / "probe").mkdir()
    made = []
    for number, path in enumerate(pictures, 1):
        probe = Probe(
            picture=f"probe/{number}.jpg", masks={target: f"probe/{number}-{target}.png" for target in segmenters}
        )
        picture = read_picture(path)
        height, width = picture.shape[:2]
        if width > PROBE_WIDTH:
            size = (PROBE_WIDTH, round(height * PROBE_WIDTH / width))
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        _write(folder / probe.picture, cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
        for target, segmenter in segmenters.items():
            classes = segmenter(read_picture(folder / probe.picture)).classes
            _write(folder / probe.masks[target], cv2.imencode(".png", classes)[1].tobytes())
        made.append(probe)
    return tuple(made)


def seal(folder: Path, contents: Contents, key: Ed25519PrivateKey) -> None:
    """List and sign every file in `folder`; a manifest that is there already is replaced."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = {name: _file_info(folder / name) for name in names if name not in (MANIFEST, SIGNATURE)}
    data = json.loads(contents.manifest(files).model_dump_json())
    _write(folder / MANIFEST, (json.dumps(data, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())
    _write(folder / SIGNATURE, signature(key, canonical_json(data)))


def pack(folder: Path, path: Path) -> None:
    """Zip a bundle folder to `path`, whole or not at all; the same folder always gives the same bytes.

    Raises:
        BundleError: `path` can't be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                for name in (MANIFEST, SIGNATURE, *(n for n in names if n not in (MANIFEST, SIGNATURE))):
                    archive.writestr(_entry(name), (folder / name).read_bytes(), compresslevel=9)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise BundleError(f"{path}: {error.strerror}: give another place with -o") from error


def sha256_of(path: Path) -> str:
    """Give the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(STORED) else zipfile.ZIP_DEFLATED
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    entry.create_system = 3  # Unix, wherever this runs
    return entry


def _file_info(path: Path) -> FileInfo:
    return FileInfo(sha256=sha256_of(path), size=path.stat().st_size)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
