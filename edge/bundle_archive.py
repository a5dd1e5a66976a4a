"""Bundle archive: the bytes of a bundle, in a zip or a folder, with every name and size checked before use."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Protocol

from edge.cache import sync_folder
from edge.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_ENTRIES = 1000
MAX_TOTAL_BYTES = 1 << 30
MAX_RATIO = 100
"""A zip that grows by more than this is a bomb: networks shrink by 2, their XML descriptions by 20."""

CHUNK = 1 << 20


class Archive(Protocol):
    """Named bytes. Names are safe relative paths with `/`; nothing is a link."""

    where: str  # stands in errors
    sizes: dict[str, int]  # bytes by name

    def chunks(self, name: str) -> Iterator[bytes]:
        """Read one entry piece by piece, never more than `sizes[name]`. Raises BundleError."""
        ...


class _Folder:
    """A bundle as a folder."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path
        self.sizes = dict(self._walk(path, ""))
        _check_names(self.where, self.sizes)

    def _walk(self, folder: Path, prefix: str) -> Iterator[tuple[str, int]]:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                name = prefix + entry.name
                info = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(info.st_mode):
                    yield from self._walk(folder / entry.name, name + "/")
                elif stat.S_ISREG(info.st_mode):
                    yield name, info.st_size
                else:
                    raise BundleError(f"{self.where}: {name} is a link or no regular file: bundles hold files only")

    def chunks(self, name: str) -> Iterator[bytes]:
        descriptor = os.open(self._path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            yield from _limited(file, self.sizes[name], f"{self.where}: {name}")


class _Zip:
    """A bundle as a zip, stored or deflated."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.where = str(path)
        self._zip = archive
        self._entries = [info for info in archive.infolist() if not self._is_folder(info)]
        for info in self._entries:
            self._check(info)
        self.sizes = {info.filename: info.file_size for info in self._entries}
        if len(self.sizes) != len(self._entries):
            raise BundleError(f"{self.where}: holds two entries of one name: make the bundle anew")
        _check_names(self.where, self.sizes)
        packed = sum(info.compress_size for info in self._entries)
        if sum(self.sizes.values()) > MAX_RATIO * max(packed, 1):
            raise BundleError(f"{self.where}: grows more than {MAX_RATIO} times when unpacked: refused as a zip bomb")

    @staticmethod
    def _is_folder(info: zipfile.ZipInfo) -> bool:
        return info.is_dir() and info.file_size == 0

    def _check(self, info: zipfile.ZipInfo) -> None:
        # The name as it stands in the file: zipfile itself cuts at NUL and turns backslashes on some systems.
        if info.filename != info.orig_filename:
            raise BundleError(f"{self.where}: unsafe entry name {info.orig_filename[:80]!r}: make the bundle anew")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BundleError(f"{self.where}: {info.filename} is encrypted or packed in another way than deflate")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise BundleError(f"{self.where}: {info.filename} is a link or no regular file: bundles hold files only")

    def chunks(self, name: str) -> Iterator[bytes]:
        try:
            with self._zip.open(name) as file:
                yield from _limited(file, self.sizes[name], f"{self.where}: {name}")
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise BundleError(f"{self.where}: {name} is damaged ({error}): copy the bundle again") from error


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open the bundle at `path`, a zip or a folder.

    Raises:
        BundleError: missing, damaged, a link, or holding names, kinds or amounts that no bundle needs.
    """
    try:
        if path.is_dir():
            yield _Folder(path)
        else:
            with zipfile.ZipFile(path) as archive:
                yield _Zip(path, archive)
    except (zipfile.BadZipFile, NotImplementedError) as error:  # the latter for a version that no zip has
        raise BundleError(f"{path}: not a whole .loupe file ({error}): copy the bundle again") from error
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror or error}: give a .loupe file or the same as a folder") from error


def read_small(archive: Archive, name: str, limit: int) -> bytes:
    """Read one entry of at most `limit` bytes. Raises BundleError when it is missing or larger."""
    if name not in archive.sizes:
        raise BundleError(f"{archive.where}: holds no {name}: not a bundle, or an incomplete one")
    if archive.sizes[name] > limit:
        raise BundleError(f"{archive.where}: {name} is larger than {limit} bytes: not a bundle's")
    return b"".join(archive.chunks(name))


def check_entry(archive: Archive, name: str, sha256: str, size: int, copy_to: Path | None = None) -> None:
    """Compare one entry with its listed size and hash, writing it to `copy_to` on the way.

    Raises:
        BundleError: the entry is missing or differs; what was copied must then be thrown away.
    """
    if archive.sizes.get(name) != size:
        found = f"{archive.sizes[name]} bytes" if name in archive.sizes else "missing"
        raise BundleError(f"{archive.where}: {name} is {found}, the manifest says {size} bytes: copy the bundle again")
    digest = hashlib.sha256()
    if copy_to is None:
        for chunk in archive.chunks(name):
            digest.update(chunk)
    else:
        with copy_to.open("xb") as file:
            for chunk in archive.chunks(name):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    if digest.hexdigest() != sha256:
        raise BundleError(f"{archive.where}: {name} is not what was signed: copy the bundle again")


def sync_folders(root: Path) -> None:
    """Put the folder `root` and all below it on the disk, so that a rename shows it whole or not at all."""
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        sync_folder(folder)


def _limited(file: IO[bytes], size: int, where: str) -> Iterator[bytes]:
    left = size
    while chunk := file.read(min(CHUNK, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise BundleError(f"{where} is longer than its entry says: make the bundle anew")
        yield chunk
    if left:
        raise BundleError(f"{where} is cut short: copy the bundle again")


def _check_names(where: str, sizes: dict[str, int]) -> None:
    if len(sizes) > MAX_ENTRIES:
        raise BundleError(f"{where}: holds more than {MAX_ENTRIES} files: not a bundle")
    if sum(sizes.values()) > MAX_TOTAL_BYTES:
        raise BundleError(f"{where}: unpacks to more than {MAX_TOTAL_BYTES >> 20} MiB: too large for a device")
    for name in sizes:
        if not is_safe_name(name):
            raise BundleError(f"{where}: unsafe entry name {name[:80]!r}: make the bundle anew")
    _check_collisions(where, sizes)


def _check_collisions(where: str, names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise BundleError(f"{where}: {name} and {other} differ in upper and lower case only: rename one")
    for name in names:
        if any(str(parent).casefold() in seen for parent in PurePosixPath(name).parents):
            raise BundleError(f"{where}: {name} lies below a file: make the bundle anew")


def is_safe_name(name: str) -> bool:
    """Say whether `name` is a plain relative path with `/`: no `..`, no drive, no backslash, no control characters."""
    return (
        0 < len(name) <= 255
        and name.isprintable()
        and "\\" not in name
        and ":" not in name
        and all(part not in ("", ".", "..") for part in name.split("/"))
    )
