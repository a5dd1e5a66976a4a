"""The workshop's key."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from edge.bundle import fingerprint, read_public_key
from edge.errors import BundleError
from quantize.signing import create_key, default_key, public_key_path, read_key

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_key_is_for_its_owner_only_and_has_its_public_half_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing-key.pem"
    create_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert fingerprint(read_public_key(public_key_path(path))) == fingerprint(read_key(path).public_key())


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    create_key(path)
    before = path.read_bytes()
    with pytest.raises(BundleError, match="File exists"):
        create_key(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"-----BEGIN NONSENSE-----"])
def test_something_else_than_a_key_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(BundleError, match="not an unencrypted private key"):
        read_key(tmp_path / "key.pem")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"none\.pem: No such file"):
        read_key(tmp_path / "none.pem")


def test_the_default_key_lies_in_the_users_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_key() == tmp_path / "edgeloupe" / "signing-key.pem"
