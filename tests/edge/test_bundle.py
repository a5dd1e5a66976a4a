"""Bundles: what is whole opens, whatever else is refused before a runtime sees it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import stat
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge import bundle_archive
from edge.bundle import canonical_json, open_bundle
from edge.bundle_archive import is_safe_name
from edge.errors import BundleError
from edge.manifest import Processing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = Ed25519PrivateKey.generate()


@pytest.fixture
def folder(scripted_bundle: Path, tmp_path: Path) -> Path:
    """A copy to tamper with, signed by `KEY`."""
    copy = tmp_path / "bundle"
    shutil.copytree(scripted_bundle, copy)
    _sign(copy)
    return copy


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGELOUPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bundles"


def _sign(folder: Path, change: Callable[[dict[str, Any]], object] = lambda _: None, *, relist: bool = False) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    if relist:
        manifest["files"] = {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
            for name, data in ((name, (folder / name).read_bytes()) for name in manifest["files"])
        }
    change(manifest)
    (folder / "manifest.json").write_bytes(json.dumps(manifest).encode())
    public = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = {
        "algorithm": "Ed25519",
        "public_key": base64.b64encode(public).decode(),
        "signature": base64.b64encode(KEY.sign(canonical_json(manifest))).decode(),
    }
    (folder / "signature").write_bytes(json.dumps(signature).encode())


def _zip(folder: Path, path: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


def _pem(path: Path, key: Ed25519PrivateKey) -> Path:
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def _refused(path: Path, match: str, **options: Any) -> None:
    with pytest.raises(BundleError, match=match) as caught:
        open_bundle(path, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path.parent)) or "cache" in str(caught.value)


def test_a_folder_and_its_zip_are_the_same_bundle(folder: Path, cache: Path, tmp_path: Path) -> None:
    one, other = open_bundle(folder), open_bundle(_zip(folder, tmp_path / "a.loupe"))
    assert one.sha256 == other.sha256
    assert one.manifest == other.manifest
    assert one.signed_by == other.signed_by
    assert one.path == folder
    assert other.path.parent == cache
    assert one.file("model.txt").read_bytes() == other.file("model.txt").read_bytes()


def test_a_zip_is_unpacked_once_and_mended_when_the_copy_is_damaged(folder: Path, cache: Path, tmp_path: Path) -> None:
    path = _zip(folder, tmp_path / "a.loupe")
    first = open_bundle(path).path
    before = (first / "model.txt").stat().st_ino
    assert (open_bundle(path).path / "model.txt").stat().st_ino == before
    (first / "model.txt").write_bytes(b"green is a spot\n")
    assert (open_bundle(path).path / "model.txt").read_bytes() == b"red is a spot\n"
    assert [p.name for p in cache.iterdir()] == [first.name]


def test_a_damaged_zip_is_refused_although_a_good_copy_was_unpacked_before(
    folder: Path, cache: Path, tmp_path: Path
) -> None:
    good = _zip(folder, tmp_path / "a.loupe", zipfile.ZIP_STORED)
    open_bundle(good)
    damaged = tmp_path / "b.loupe"
    damaged.write_bytes(good.read_bytes().replace(b"red is a spot", b"red is a spud"))
    _refused(damaged, r"model\.txt")


def test_a_trusted_key_is_recognised(folder: Path, tmp_path: Path) -> None:
    ours, other = _pem(tmp_path / "ours.pem", KEY), _pem(tmp_path / "other.pem", Ed25519PrivateKey.generate())
    assert open_bundle(folder, trusted=[other, ours]).trusted
    assert not open_bundle(folder).trusted


def test_another_key_is_refused(folder: Path, tmp_path: Path) -> None:
    other = _pem(tmp_path / "other.pem", Ed25519PrivateKey.generate())
    _refused(folder, "is not trusted here", trusted=[other])


def test_a_file_that_is_no_public_key_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"hello")
    _refused(folder, "not a public key", trusted=[tmp_path / "key.pem"])
    _refused(folder, "No such file", trusted=[tmp_path / "none.pem"])


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize(
    ("attack", "match"),
    [
        (lambda f: (f / "model.txt").write_bytes(b"RED is a spot\n"), "model.txt is not what was signed"),
        (lambda f: (f / "model.txt").write_bytes(b"red\n"), "model.txt is 4 bytes, the manifest says 14"),
        (lambda f: (f / "model.txt").unlink(), "model.txt is missing"),
        (lambda f: (f / "more.txt").write_bytes(b""), "more.txt is not in the signed manifest"),
        (lambda f: (f / "probe" / "x").write_bytes(b""), "probe/x is not in the signed manifest"),
        (lambda f: (f / "manifest.json").unlink(), "holds no manifest.json"),
        (lambda f: (f / "signature").unlink(), "holds no signature"),
        (lambda f: (f / "signature").write_bytes(b"{}"), "must be an Ed25519 signature"),
        (lambda f: (f / "signature").write_bytes(b"\xff" * 80), "signature: not valid JSON"),
        (lambda f: (f / "signature").write_bytes(b"[" * 4000), "signature: not valid JSON"),
        (lambda f: (f / "signature").write_bytes(b" " * 5000), "signature is larger than 4096 bytes"),
        (lambda f: (f / "manifest.json").write_bytes(b"[]"), "must be a JSON object"),
        (lambda f: (f / "manifest.json").write_bytes(b'{"a":1,"a":2}'), "a key stands twice"),
        (lambda f: (f / "manifest.json").write_bytes(b'{"a":NaN}'), "NaN is no JSON number"),
        (lambda f: (f / "manifest.json").write_bytes(b"{}"), "made for another version"),
    ],
)
def test_tampering_is_refused(
    attack: Callable[[Path], object], match: str, *, zipped: bool, folder: Path, cache: Path, tmp_path: Path
) -> None:
    attack(folder)
    _refused(_zip(folder, tmp_path / "a.loupe") if zipped else folder, match)
    assert not cache.exists() or not list(cache.iterdir())


def test_a_changed_manifest_does_not_fit_its_signature(folder: Path) -> None:
    data = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_bytes(json.dumps({**data, "release": 2}).encode())
    _refused(folder, "does not fit manifest.json")


def test_the_layout_of_the_manifest_does_not_matter(folder: Path) -> None:
    data = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_bytes(json.dumps(data, indent=3, sort_keys=True).encode())
    assert open_bundle(folder).manifest.name == "scripted"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda m: m.update(schema="edgeloupe.bundle/2"), "schema: Input should be"),
        (lambda m: m.update(extra=1), "extra: Extra inputs are not permitted"),
        (lambda m: m.update(release=0), "release: Input should be greater"),
        (lambda m: m.update(release="1"), "release: Input should be a valid integer"),
        (lambda m: m.update(focus="dent"), "focus must be one of them"),
        (lambda m: m.update(created="2026-11-21T00:00:00"), "time zone"),
        (lambda m: m["processing"].update(folded=["something else"]), "sha256 is not that of the steps"),
        (lambda m: m["targets"]["cpu"].update(entry="../model.txt"), "is named but not listed"),
        (lambda m: m["files"].update({"../x": {"sha256": "0" * 64, "size": 0}}), "can't be the name of a file"),
        (lambda m: m["files"].update({"signature": {"sha256": "0" * 64, "size": 0}}), "can't be the name of a file"),
        (lambda m: m["input"].update(colour_order="RGB"), "colour_order"),
    ],
)
def test_even_a_signed_manifest_must_hold_together(change: Callable[[Any], object], match: str, folder: Path) -> None:
    _sign(folder, change)
    _refused(folder, match)


def test_a_bundle_prepared_in_another_way_is_refused(folder: Path) -> None:
    other = Processing.of("nearest/9", ("none",)).model_dump(mode="json")
    (folder / "receipt.json").write_text(json.dumps({"processing_sha256": other["sha256"]}), encoding="utf-8")
    _sign(folder, lambda m: m.update(processing=other), relist=True)
    _refused(folder, "must be prepared by nearest/9, this device has")


def test_a_receipt_of_other_processing_is_refused(folder: Path) -> None:
    (folder / "receipt.json").write_text(json.dumps({"processing_sha256": "0" * 64}), encoding="utf-8")
    _sign(folder, relist=True)
    _refused(folder, "measured with other processing")


@pytest.mark.parametrize("where", ["model.txt", "probe/link", "signature"])
def test_links_in_a_folder_are_refused(where: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"red is a spot\n")
    (folder / where).unlink(missing_ok=True)
    (folder / where).symlink_to(tmp_path / "elsewhere")
    _refused(folder, f"{where} is a link or no regular file")


def test_a_linked_folder_and_a_pipe_inside_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    _refused(folder, "more is a link")
    (folder / "more").unlink()
    os.mkfifo(folder / "more")
    _refused(folder, "more is a link or no regular file")


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/../../x", "a\\x", "C:x", "a//x", "./x", "a/", "", "a\0b", "a\nb", "x" * 300]
)
def test_names_that_lead_elsewhere_are_unsafe(name: str) -> None:
    assert not is_safe_name(name)


@pytest.mark.parametrize("name", ["../x", "/x", "a\\x", "a//x", "x\ny"])
def test_unsafe_names_in_a_zip_are_refused(name: str, folder: Path, tmp_path: Path) -> None:
    path = _zip(folder, tmp_path / "a.loupe")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    _refused(path, "unsafe entry name")


def test_a_link_in_a_zip_is_refused(folder: Path, tmp_path: Path) -> None:
    path = _zip(folder, tmp_path / "a.loupe")
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    _refused(path, "link is a link")


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_entries_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    path = _zip(folder, tmp_path / "a.loupe")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("model.txt", b"green")
    _refused(path, "two entries of one name")


@pytest.mark.parametrize(("name", "match"), [("MODEL.txt", "upper and lower case"), ("model.txt/x", "below a file")])
def test_names_that_collide_on_some_disks_are_refused(name: str, match: str, folder: Path, tmp_path: Path) -> None:
    path = _zip(folder, tmp_path / "a.loupe")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    _refused(path, match)


def test_folder_entries_in_a_zip_do_no_harm(folder: Path, cache: Path, tmp_path: Path) -> None:
    path = _zip(folder, tmp_path / "a.loupe")
    with zipfile.ZipFile(path, "a") as archive:
        archive.mkdir("probe")
    assert open_bundle(path).manifest.name == "scripted"


def test_other_compressions_are_refused(folder: Path, tmp_path: Path) -> None:
    _refused(_zip(folder, tmp_path / "a.loupe", zipfile.ZIP_LZMA), "another way than deflate")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(folder: Path, cache: Path, tmp_path: Path) -> None:
    (folder / "zeros").write_bytes(bytes(20 << 20))
    _refused(_zip(folder, tmp_path / "a.loupe"), "refused as a zip bomb")
    assert not cache.exists()


def test_too_many_files_and_too_many_bytes_are_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _zip(folder, tmp_path / "a.loupe")
    monkeypatch.setattr(bundle_archive, "MAX_TOTAL_BYTES", 100)
    _refused(path, "too large for a device")
    monkeypatch.setattr(bundle_archive, "MAX_ENTRIES", 3)
    _refused(folder, "more than 3 files")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_zip_is_refused(share: float, folder: Path, tmp_path: Path) -> None:
    path = _zip(folder, tmp_path / "a.loupe")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    _refused(path, "not a whole .loupe file")


def test_a_zip_that_claims_to_need_another_version_is_refused(folder: Path, cache: Path, tmp_path: Path) -> None:
    path = _zip(folder, tmp_path / "a.loupe")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 235
    path.write_bytes(data)
    _refused(path, "not a whole .loupe file")


def test_every_flipped_byte_of_a_zip_is_noticed_or_harmless(folder: Path, cache: Path, tmp_path: Path) -> None:
    path = _zip(folder, tmp_path / "a.loupe")
    data, whole = path.read_bytes(), open_bundle(folder)
    for place in range(0, len(data), 23):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        with suppress(BundleError):  # where it opens, a time stamp, say, what was signed must be untouched
            opened = open_bundle(path)
            assert opened.sha256 == whole.sha256
            assert opened.file("model.txt").read_bytes() == whole.file("model.txt").read_bytes()


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    _refused(tmp_path / "none.loupe", "No such file")


def test_a_cache_that_cannot_be_written_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"")
    path = _zip(folder, tmp_path / "a.loupe")
    _refused(path, "set EDGELOUPE_CACHE", cache_dir=tmp_path / "cache" / "x")


def test_targets_are_chosen_by_preference(folder: Path) -> None:
    bundle = open_bundle(folder)
    assert bundle.target_for()[0] == "cpu"
    assert bundle.target_for(["openvino", "cpu"])[0] == "cpu"
    with pytest.raises(BundleError, match="has no target openvino, only cpu"):
        bundle.target_for(["openvino"])


def test_only_listed_files_are_given_out(folder: Path) -> None:
    with pytest.raises(BundleError, match="holds no signature"):
        open_bundle(folder).file("signature")
