"""Bundle: a signed model package, verified whole before any runtime reads a byte of it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from pydantic import ValidationError

from edge import runtimes
from edge.bundle_archive import check_entry, open_archive, read_small, sync_folders
from edge.cache import cache_folder, write_whole
from edge.errors import BundleError
from edge.manifest import Manifest, TargetInfo
from edge.pictures.prepare import PREPARE_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.bundle_archive import Archive

MANIFEST, SIGNATURE, RECEIPT = "manifest.json", "signature", "receipt.json"
MAX_JSON_BYTES, MAX_SIGNATURE_BYTES = 4 << 20, 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A verified bundle, as a folder on this machine."""

    path: Path  # the folder
    manifest: Manifest
    receipt: Mapping[str, Any]  # receipt.json: the measured proof that INT8 agrees with float
    sha256: str  # of the canonical manifest: names this model for ever
    signed_by: str  # fingerprint of the key, as `SHA256:...`
    trusted: bool  # that key is one of those the caller trusts

    def file(self, name: str) -> Path:
        """Give the path of a file listed in the manifest. Raises BundleError where it is not listed."""
        if name not in self.manifest.files:
            raise BundleError(f"{self.path}: holds no {name}: ask for a file that the manifest lists")
        return self.path / name

    def target_for(self, preference: Sequence[str] = ()) -> tuple[str, TargetInfo]:
        """Choose the target for this device: the first of `preference` that is in the bundle, or one that runs here.

        Raises:
            BundleError: none of `preference` is in the bundle.
        """
        targets = self.manifest.targets
        wanted = preference or sorted(targets, key=lambda name: _rank(targets[name]))
        name = next((p for p in wanted if p in targets), None)
        if name is None:
            raise BundleError(
                f"{self.path}: has no target {' or '.join(preference)}, only {', '.join(targets)}: "
                "quantise the model for this device"
            )
        return name, targets[name]


def _rank(info: TargetInfo) -> tuple[bool, int]:
    place = runtimes.NAMES.index(info.runtime) if info.runtime in runtimes.NAMES else len(runtimes.NAMES)
    return runtimes.installed(info.runtime) is None, place


def open_bundle(path: Path, *, trusted: Sequence[Path] = (), cache_dir: Path | None = None) -> Bundle:
    """Verify the bundle at `path`, a `.loupe` zip or the same as a folder, and give it as a folder.

    A zip is unpacked, once, into `cache_dir` (by default `$EDGELOUPE_CACHE`, or `edgeloupe` in the user's cache).
    A folder is used where it lies: keep it writable for nobody else.

    Args:
        path: the zip or the folder.
        trusted: PEM files of Ed25519 public keys. Given any, the bundle must be signed by one of them; without, its
            own key is used, which shows damage but not who made it (`Bundle.trusted` is then False).
        cache_dir: where zips are unpacked.

    Raises:
        BundleError: damaged, tampered with, signed by another key, or made for another version of edgeloupe.
    """
    keys = [read_public_key(key) for key in trusted]
    with open_archive(path) as archive:
        manifest, canonical = _read_manifest(archive)
        public = _check_signature(archive, canonical, keys)
        _check_listing(archive, manifest)
        if path.is_dir():
            for name, info in manifest.files.items():
                check_entry(archive, name, info.sha256, info.size)
            folder = path
        else:
            folder = _unpack(archive, manifest, canonical, cache_dir or cache_folder("bundles"))
    return Bundle(
        path=folder,
        manifest=manifest,
        receipt=_read_receipt(folder, manifest),
        sha256=hashlib.sha256(canonical).hexdigest(),
        signed_by=fingerprint(public),
        trusted=bool(keys),
    )


def copy_bundle(bundle: Bundle, folder: Path) -> None:
    """Copy a verified bundle into a new folder, verified once more on the way and whole on the disk.

    Raises:
        BundleError: it changed meanwhile.
        OSError: the folder can't be written.
    """
    with open_archive(bundle.path) as archive:
        manifest, canonical = _read_manifest(archive)
        if hashlib.sha256(canonical).hexdigest() != bundle.sha256:
            raise BundleError(f"{bundle.path}: was changed while it was copied: install it again")
        _copy(archive, manifest, canonical, read_small(archive, SIGNATURE, MAX_SIGNATURE_BYTES), folder)


def _copy(archive: Archive, manifest: Manifest, canonical: bytes, signature: bytes, folder: Path) -> None:
    folder.mkdir()
    for name, info in manifest.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        check_entry(archive, name, info.sha256, info.size, folder / name)
    write_whole(folder / MANIFEST, canonical)
    write_whole(folder / SIGNATURE, signature)
    sync_folders(folder)


def canonical_json(value: Any) -> bytes:
    """Write `value` as UTF-8 JSON with sorted keys and no spaces: what is hashed and signed."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def fingerprint(key: Ed25519PublicKey) -> str:
    """Name a public key as `SHA256:` and 43 characters, the way ssh does."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read an Ed25519 public key from a PEM file. Raises BundleError."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}: give the PEM file of a public key") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BundleError(f"{path}: not a public key in PEM form: give the .pub.pem beside the signing key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BundleError(f"{path}: not an Ed25519 key: bundles are signed with Ed25519")
    return key


def _read_manifest(archive: Archive) -> tuple[Manifest, bytes]:
    where = f"{archive.where}: {MANIFEST}"
    data = _parse_json(read_small(archive, MANIFEST, MAX_JSON_BYTES), where)
    canonical = canonical_json(data)
    try:
        manifest = Manifest.model_validate_json(canonical)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise BundleError(f"{where}: {key}: {fault['msg']}: made for another version of edgeloupe?") from error
    if manifest.processing.prepare != PREPARE_VERSION:
        raise BundleError(
            f"{where}: pictures must be prepared by {manifest.processing.prepare}, this device has {PREPARE_VERSION}: "
            "quantise the model again with the device's version of edgeloupe"
        )
    return manifest, canonical


def _check_signature(archive: Archive, canonical: bytes, keys: Sequence[Ed25519PublicKey]) -> Ed25519PublicKey:
    where = f"{archive.where}: {SIGNATURE}"
    data = _parse_json(read_small(archive, SIGNATURE, MAX_SIGNATURE_BYTES), where)
    try:
        if set(data) != {"algorithm", "public_key", "signature"} or data["algorithm"] != "Ed25519":
            raise BundleError(f"{where}: must be an Ed25519 signature: sign the bundle again")
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(data["public_key"], validate=True))
        signature = base64.b64decode(data["signature"], validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise BundleError(f"{where}: is not readable: sign the bundle again") from error
    if keys and public not in keys:
        raise BundleError(f"{where}: key {fingerprint(public)} is not trusted here: install its public key, or refuse")
    try:
        public.verify(signature, canonical)
    except InvalidSignature as error:
        raise BundleError(f"{where}: does not fit {MANIFEST}: damaged or tampered with, copy it again") from error
    return public


def _check_listing(archive: Archive, manifest: Manifest) -> None:
    unlisted = archive.sizes.keys() - manifest.files.keys() - {MANIFEST, SIGNATURE}
    if unlisted:
        raise BundleError(f"{archive.where}: {min(unlisted)} is not in the signed manifest: remove it")


def _unpack(archive: Archive, manifest: Manifest, canonical: bytes, cache: Path) -> Path:
    """Copy a verified zip into the cache, named by its content; an intact earlier copy is used as it is.

    The zip is verified all the same: a damaged file must be noticed, not covered up by an older, better copy.
    """
    signature = read_small(archive, SIGNATURE, MAX_SIGNATURE_BYTES)
    folder = cache / hashlib.sha256(canonical + b"\0" + signature).hexdigest()
    if folder.is_dir() and _intact(folder, manifest, canonical):
        for name, info in manifest.files.items():
            check_entry(archive, name, info.sha256, info.size)
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix="unpack-", dir=cache) as scratch:
            partial = Path(scratch) / "bundle"
            _copy(archive, manifest, canonical, signature, partial)
            _put(partial, folder, manifest, canonical)
    except OSError as error:
        raise BundleError(f"{cache}: {error.strerror or error}: set EDGELOUPE_CACHE to a folder with space") from error
    return folder


def _put(partial: Path, folder: Path, manifest: Manifest, canonical: bytes) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # a damaged earlier copy
    try:
        partial.rename(folder)
    except OSError:
        if not _intact(folder, manifest, canonical):  # not another process that was quicker
            raise


def _intact(folder: Path, manifest: Manifest, canonical: bytes) -> bool:
    try:
        with open_archive(folder) as archive:
            if read_small(archive, MANIFEST, MAX_JSON_BYTES) != canonical:
                return False
            _check_listing(archive, manifest)
            for name, info in manifest.files.items():
                check_entry(archive, name, info.sha256, info.size)
    except BundleError:
        return False
    return True


def _read_receipt(folder: Path, manifest: Manifest) -> dict[str, Any]:
    where = f"{folder / RECEIPT}"
    receipt = _parse_json((folder / RECEIPT).read_bytes(), where)
    if receipt.get("processing_sha256") != manifest.processing.sha256:
        raise BundleError(f"{where}: was measured with other processing than the manifest's: quantise the model again")
    return receipt


def _parse_json(data: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(data, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: not valid JSON ({str(error)[:60]}): copy the bundle again") from error
    if not isinstance(value, dict):
        raise BundleError(f"{where}: must be a JSON object: copy the bundle again")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
