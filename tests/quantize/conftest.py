"""Fixtures of the workshop: a toy network and its pictures, and one bundle made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from quantize import targets
from quantize.figures import Gate
from quantize.signing import create_key, read_key
from quantize.toy import write_toy_network, write_toy_pictures
from quantize.workshop import Order, quantize

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_pictures(tmp_path_factory.mktemp("pictures") / "toys")


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_network(tmp_path_factory.mktemp("network") / "toy.onnx")


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "signing-key.pem"
    create_key(path)
    return path


@pytest.fixture(scope="session")
def key(key_file: Path) -> Ed25519PrivateKey:
    return read_key(key_file)


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory, network: Path, pictures: Path, key: Ed25519PrivateKey) -> Path:
    """A real INT8 bundle of the toy network, as a zip."""
    output = tmp_path_factory.mktemp("bundle") / "toy.loupe"
    receipt = quantize(
        Order(
            model=network,
            data=pictures,
            targets=targets.NAMES,
            output=output,
            key=key,
            created="2026-11-21T00:00:00Z",
            gate=Gate(max_drop_points=5, min_agreement=0.9),
            calibration=8,
            threads=1,
        )
    )
    assert receipt.targets["openvino"].passed
    return output
