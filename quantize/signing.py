"""Signing: the workshop's Ed25519 key, and signatures over canonical manifests."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from edge.errors import BundleError


def default_key() -> Path:
    """Say where the key lies when none is given."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "edgeloupe" / "signing-key.pem"


def public_key_path(key: Path) -> Path:
    """Say where the public half lies: devices get this file."""
    return key.with_suffix(".pub.pem")


def create_key(path: Path) -> None:
    """Make a new key in `path`, readable for its owner only, with its public half beside it.

    Raises:
        BundleError: the file is there already, or can't be written.
    """
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(private)
        public_key_path(path).write_bytes(public)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}: give another place for the signing key with --key") from error


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read a signing key from a PEM file. Raises BundleError."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}: give the PEM file of an Ed25519 key with --key") from error
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise BundleError(f"{path}: not an unencrypted private key in PEM form: give an Ed25519 key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BundleError(f"{path}: not an Ed25519 key: bundles are signed with Ed25519")
    return key


def signature(key: Ed25519PrivateKey, canonical: bytes) -> bytes:
    """Sign a canonical manifest; give the content of the bundle's `signature` file."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return json.dumps(
        {
            "algorithm": "Ed25519",
            "public_key": base64.b64encode(public).decode(),
            "signature": base64.b64encode(key.sign(canonical)).decode(),
        }
    ).encode()
