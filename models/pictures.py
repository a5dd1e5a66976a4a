"""Pictures: the picture files of a data set, found by whatever an annotation calls them."""

from __future__ import annotations

import unicodedata
import warnings
from collections import defaultdict
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from PIL import Image

from edge.errors import DatasetError
from edge.picture import is_picture

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # damaged EXIF, which nobody asked for

UNREADABLE = (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError)
"""What Pillow raises over a damaged picture; a wrong length field makes it ask for gigabytes."""


class Pictures:
    """All picture files below a folder, indexed once."""

    def __init__(self, root: Path, without: Collection[Path] = ()) -> None:
        self.root = root
        found = (path for path in root.rglob("*") if is_picture(path) and shown(path, root) and path.is_file())
        self.paths = sorted(path for path in found if path not in without)
        self._by_name, self._by_stem = defaultdict[str, list[Path]](list), defaultdict[str, list[Path]](list)
        for path in self.paths:
            self._by_name[_plain(path.name)].append(path)
            self._by_stem[_plain(path.stem)].append(path)

    def find(self, name: str) -> Path:
        """Find the picture an annotation calls `name`: a bare name, a path of another machine, either slash.

        Case does not count, unless two names differ by it alone; the ending may be left out.

        Raises:
            DatasetError: there is none below the folder, or several fit equally well.
        """
        parts = PurePosixPath(name.replace("\\", "/")).parts
        wanted = _plain(parts[-1]) if parts else ""
        found = self._by_name.get(wanted) or self._by_stem.get(wanted)
        if not found:
            raise DatasetError(f"{self.root}: the picture {name[:120]!r} is missing: put it below this folder")
        ranked = sorted(((_fit(path, parts), path) for path in found), reverse=True)
        if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
            raise DatasetError(
                f"{self.root}: {name[:120]!r} fits {ranked[0][1]} and {ranked[1][1]}: give each picture its own name"
            )
        return ranked[0][1]


def open_lazily(path: Path) -> Image.Image:
    """Open a picture and read its header only; how many pixels are too many is for the caller to say.

    Raises:
        one of `UNREADABLE`: not a picture, or beyond all measure.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path)


def shown(path: Path, root: Path) -> bool:
    """Say whether neither `path` nor a folder around it below `root` is hidden."""
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).lower()  # macOS takes accents apart


def _fit(path: Path, wanted: Sequence[str]) -> tuple[int, bool]:
    """Count the parts of both paths that agree, from the end; the last one does. Say whether it is written alike."""
    folders = zip(reversed(path.parts[:-1]), reversed(wanted[:-1]), strict=False)
    alike = takewhile(lambda pair: _plain(pair[0]) == _plain(pair[1]), folders)
    return sum(1 for _ in alike), path.name == wanted[-1]
