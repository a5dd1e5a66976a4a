"""A bundle whose network is scripted, so that pictures decide what is found."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.bundle import canonical_json
from edge.manifest import Processing
from edge.pictures.prepare import PREPARE_VERSION
from edge.runtimes import scripted


def make_bundle(
    folder: Path,
    *,
    release: int = 1,
    spot: str = "spot",
    sound: bool = True,
    size: tuple[int, int] = (160, 120),
    borders: bool = False,
) -> Path:
    """Write a signed bundle into `folder` whose network finds red (class `spot`) at half of `size`, width by height.

    One that is not `sound` fails its self-test; one with `borders` could keep apart spots that touch.
    """
    folder.mkdir(exist_ok=True)
    width, height = size
    picture = np.full((height, width, 3), 128, np.uint8)
    picture[40:80, 60:100] = (0, 0, 255)
    classes, _ = scripted.create(Path(), 0, 1).infer(picture)
    (folder / "probe").mkdir()
    cv2.imwrite(str(folder / "probe" / "1.png"), picture)
    cv2.imwrite(str(folder / "probe" / "1-mask.png"), classes if sound else 1 - classes)
    (folder / "model.txt").write_text("red is a spot\n", encoding="utf-8")
    processing = Processing.of(PREPARE_VERSION, ("none",))
    (folder / "receipt.json").write_text(json.dumps({"processing_sha256": processing.sha256}), encoding="utf-8")
    target = {"runtime": "scripted", "precision": "int8", "entry": "model.txt", "version_range": ">=0"}
    files = {
        path.relative_to(folder).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size": path.stat().st_size,
        }
        for path in folder.rglob("*")
        if path.is_file()
    }
    border = [{"name": "seam", "between": spot}] if borders else []
    manifest = {
        "schema": "edgeloupe.bundle/1",
        "name": "scripted",
        "release": release,
        "task": "semantic",
        "classes": [{"name": "good"}, {"name": spot, "colour": [255, 0, 0]}, *border],
        "focus": spot,
        "input": {"width": width, "height": height},
        "output": {"meaning": "class-map/1", "width": width // 2, "height": height // 2},
        "processing": processing.model_dump(mode="json"),
        "targets": {"cpu": target},
        "reference": {**target, "precision": "float32"},
        "files": files,
        "probe": [{"picture": "probe/1.png", "masks": {"cpu": "probe/1-mask.png"}}],
        "licence": "Apache-2.0",
        "provenance": "made by the tests",
        "created": "2026-11-21T00:00:00Z",
    }
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = {
        "algorithm": "Ed25519",
        "public_key": base64.b64encode(public).decode(),
        "signature": base64.b64encode(key.sign(canonical_json(manifest))).decode(),
    }
    (folder / "manifest.json").write_bytes(canonical_json(manifest))
    (folder / "signature").write_text(json.dumps(signature), encoding="utf-8")
    return folder
