"""Reading pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import PictureError
from edge.picture import is_picture, read_picture


def test_a_picture_comes_as_height_width_bgr(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 6, 3), (10, 20, 30), np.uint8))
    picture = read_picture(tmp_path / "a.png")
    assert picture.shape == (4, 6, 3)
    assert picture[0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize(("content", "said"), [(b"", "not a picture"), (b"hello", "not a picture"), (None, "No such")])
def test_what_is_no_picture_gets_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "bad.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PictureError, match=said) as caught:
        read_picture(path)
    assert "\n" not in str(caught.value)


def test_a_picture_that_claims_to_be_enormous_is_refused(tmp_path: Path) -> None:
    ok, data = cv2.imencode(".png", np.zeros((1, 1), np.uint8))
    assert ok
    claimed = bytearray(data.tobytes())
    claimed[16:24] = (60_000).to_bytes(4, "big") * 2
    (tmp_path / "bomb.png").write_bytes(claimed)
    with pytest.raises(PictureError):
        read_picture(tmp_path / "bomb.png")


def test_hidden_files_are_no_pictures() -> None:
    assert is_picture(Path("a.JPG"))
    assert not is_picture(Path("._a.jpg"))
    assert not is_picture(Path("a.txt"))
