"""CVAT XML: what is painted where, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from edge.errors import DatasetError
from models.annotation import MAX_MARKS, draw
from models.datasets import open_dataset
from models.recipe import ClassSpec
from tests.conftest import SHARED
from tests.models.one_mark import why

if TYPE_CHECKING:
    from pathlib import Path

    from models.datasets import Dataset

WIDTH, HEIGHT = 12, 10
RING = "1,1;9,1;9,8;1,8"
META = "<meta><task><labels>{}</labels></task></meta>"


def labels(*names: str) -> str:
    return META.format("".join(f"<label><name>{name}</name></label>" for name in names))


def image(body: str, name: str = "a.jpg", more: str = "") -> str:
    return f'<image id="0" name="{name}" width="{WIDTH}" height="{HEIGHT}" {more}>{body}</image>'


def polygon(points: str = RING, label: str = "crack", more: str = "") -> str:
    return f'<polygon label="{label}" points="{points}" {more}/>'


def mask(rle: str, box: tuple[int, int, int, int]) -> str:
    left, top, width, height = box
    return f'<mask label="crack" rle="{rle}" left="{left}" top="{top}" width="{width}" height="{height}"/>'


def picture(path: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path)


def dataset(root: Path, *body: str, pictures: tuple[str, ...] = ("a.jpg",)) -> Dataset:
    for name in pictures:
        picture(root / name)
    text = f"<annotations><version>1.1</version>{''.join(body)}</annotations>"
    (root / "annotations.xml").write_text(text, encoding="utf-8")
    return open_dataset(root, "cvat")


def marked(data: Dataset) -> object:
    (sample,) = data.samples
    (one,) = sample.marks()
    return one.inside().astype(int).tolist()


def test_a_polygon_marks_what_it_surrounds(tmp_path: Path) -> None:
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[1:8, 1:9] = 1
    assert marked(dataset(tmp_path, image(polygon()))) == expected.tolist()


def test_a_mask_runs_row_by_row_through_its_box_background_first(tmp_path: Path) -> None:
    data = dataset(tmp_path, image(mask("1, 2, 2, 1", (4, 2, 3, 2))))
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[2:4, 4:7] = [[0, 1, 1], [0, 0, 1]]
    assert marked(data) == expected.tolist()


def test_a_mask_with_a_hole_and_a_detached_part_keeps_both(tmp_path: Path) -> None:
    drawn = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 0, 1], [1, 1, 1, 0, 1]])
    runs = ",".join(str(len(list(run))) for run in _runs(drawn.ravel().tolist()))
    data = dataset(tmp_path, image(mask(f"0,{runs}", (2, 3, 5, 3))))
    assert np.array_equal(np.array(marked(data))[3:6, 2:7], drawn)


def _runs(values: list[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for value in values:
        if found and found[-1][0] == value:
            found[-1].append(value)
        else:
            found.append([value])
    return found


def test_an_ellipse_is_a_mask(tmp_path: Path) -> None:
    body = '<ellipse label="crack" cx="6" cy="5" rx="4" ry="2" rotation="90"/>'
    inside = np.array(marked(dataset(tmp_path, image(body))))
    assert inside.any(axis=1).sum() == 8
    assert inside.any(axis=0).sum() == 4


def test_the_higher_z_order_lies_on_top(tmp_path: Path) -> None:
    body = polygon(label="hole", more='z_order="2"') + polygon(label="crack", more='z_order="-1"')
    (sample,) = dataset(tmp_path, image(body)).samples
    assert [mark.label for mark in sample.marks()] == ["crack", "hole"]
    classes = (ClassSpec(name="good"), ClassSpec(name="crack"), ClassSpec(name="hole"))
    assert draw(sample.marks(), classes, HEIGHT, WIDTH, "x").classes[4, 4] == 2


def test_labels_stand_in_the_order_of_the_task(tmp_path: Path) -> None:
    attribute = "<attributes><attribute><name>severity</name></attribute></attributes>"
    joint = "<label><name>1</name><type>points</type><parent>pose</parent></label>"
    meta = META.format(f"<label><name>hole</name>{attribute}</label><label><name>crack</name></label>{joint}")
    assert dataset(tmp_path, meta, image(polygon())).labels == ("hole", "crack")


def test_an_image_without_shapes_is_clean(tmp_path: Path) -> None:
    (sample,) = dataset(tmp_path, image("")).samples
    assert sample.marks() == []


def test_an_image_with_boxes_only_is_not_taken_for_clean(tmp_path: Path) -> None:
    data = dataset(tmp_path, image('<box label="crack" xtl="1" ytl="1" xbr="4" ybr="4"/>'))
    assert not data.samples
    assert "has only 1 boxes and no mask" in why(data)


def test_boxes_and_skeletons_beside_masks_are_counted_and_their_joints_are_not(tmp_path: Path) -> None:
    joints = '<points label="1" points="1,1"/><points label="2" points="2,2"/>'
    data = dataset(tmp_path, image(f'<box/><skeleton label="pose">{joints}</skeleton><tag label="x"/>' + polygon()))
    assert len(data.samples) == 1
    assert "1 boxes, 1 skeletons were passed over" in data.notes[1]
    assert "1 tags" in data.notes[0]


def test_a_subset_is_the_split_and_tells_pictures_of_one_name_apart(tmp_path: Path) -> None:
    body = [image(polygon(), "a.jpg", f'subset="{subset}"') for subset in ("Train", "Validation", "Test")]
    names = tuple(f"images/{subset}/a.jpg" for subset in ("Train", "Validation", "Test"))
    data = dataset(tmp_path, *body, pictures=names)
    assert [(s.picture.parent.name, s.split) for s in data.samples] == [
        ("Train", "train"),
        ("Validation", "val"),
        ("Test", "test"),
    ]
    assert len({sample.group for sample in data.samples}) == 3


def test_a_picture_that_is_missing_is_a_fault_and_the_others_stay(tmp_path: Path) -> None:
    data = dataset(tmp_path, image(polygon()), image(polygon(), "b.jpg"))
    assert [sample.picture.name for sample in data.samples] == ["a.jpg"]
    assert "b.jpg' is missing" in why(data)


@pytest.mark.parametrize(("size", "reason"), [((HEIGHT, WIDTH), "EXIF"), ((6, 5), "not a resized one")])
def test_a_picture_of_another_size_than_stated_is_refused(tmp_path: Path, size: tuple[int, int], reason: str) -> None:
    picture(tmp_path / "a.jpg", *size)
    (sample,) = dataset(tmp_path, image(polygon()), pictures=()).samples
    with pytest.raises(DatasetError, match=rf"states {WIDTH}x{HEIGHT}, its picture is .*{reason}"):
        sample.marks()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (polygon("1,1;2,2"), "at least three"),
        (polygon("1,1;2,2;3"), "not written"),
        (polygon(""), "not written"),
        (polygon("1,1;nan,2;3,4"), "not finite"),
        (polygon("1,1;1e300,2;3,4"), "far outside"),
        (polygon("1,1;x,2;3,4"), "'x' is no number"),
        (mask("3,1", (0, 0, 3, 3)), "do not fill its box"),
        (mask("-9,18", (0, 0, 3, 3)), "do not fill its box"),
        (mask("9" * 30, (0, 0, 3, 3)), "no whole numbers"),
        (mask("9" * 5000, (0, 0, 3, 3)), "no whole numbers"),
        (mask("1000000000", (0, 0, 1000000000, 1)), "not inside the picture"),
        (mask("9", (-1, 0, 3, 3)), "not inside the picture"),
        (mask("", (0, 0, 3, 3)), "no whole numbers"),
        ('<ellipse label="crack" cx="1" cy="1" rx="inf" ry="1"/>', "not finite"),
        ('<ellipse label="crack" cx="1" cy="1"/>', "is no number"),
    ],
)
def test_a_broken_shape_is_named(tmp_path: Path, body: str, reason: str) -> None:
    (sample,) = dataset(tmp_path, image(body)).samples
    with pytest.raises(DatasetError, match=rf"annotations\.xml: a\.jpg: \w+ 1: .*{reason}"):
        sample.marks()


def test_a_shape_without_a_label_is_a_fault(tmp_path: Path) -> None:
    assert "polygon 1 has no label" in why(dataset(tmp_path, image(polygon(label=""))))


def test_more_shapes_than_anybody_draws_are_refused(tmp_path: Path) -> None:
    data = dataset(tmp_path, image(polygon() * (MAX_MARKS + 5)))
    assert not data.samples
    assert "at most" in why(data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "windows-1252"])
def test_the_encoding_that_the_file_declares_is_used(tmp_path: Path, encoding: str) -> None:
    picture(tmp_path / "grün.jpg")
    head = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
    body = f"{head}<annotations>{image(polygon(label='Riß'), 'grün.jpg')}</annotations>"
    (tmp_path / "x.xml").write_bytes(body.encode(encoding))
    (sample,) = open_dataset(tmp_path, "cvat").samples
    assert [mark.label for mark in sample.marks()] == ["Riß"]


BOMB = '<!DOCTYPE annotations [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE annotations [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("head", [BOMB, OUTSIDE, "<!DOCTYPE annotations>"])
def test_a_doctype_is_refused_before_an_entity_is_defined(tmp_path: Path, head: str) -> None:
    picture(tmp_path / "a.jpg")
    (tmp_path / "x.xml").write_text(f"{head}<annotations>{image(polygon(label='&a;'))}</annotations>", encoding="utf-8")
    assert "has a DOCTYPE" in why(open_dataset(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "<annotations><image name='a.jpg'>",
        "<annotations>\x00</annotations>",
        "<annotations></image>",
        '<annotations><image name="a.jpg"><polygon label="x" points="1,1" z_order="no"/></image></annotations>',
        '<annotations><track><polygon frame="no"/></track></annotations>',
        "<annotations><stop_frame>x</stop_frame></annotations>",
        "<annotations>" + "<a>" * 100_000,
    ],
)
def test_a_damaged_file_is_one_fault(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.xml").write_text(text, encoding="utf-8")
    data = open_dataset(tmp_path, "cvat")
    assert not data.samples
    assert why(data)


def test_a_damaged_file_takes_no_other_with_it(tmp_path: Path) -> None:
    (tmp_path / "damaged.xml").write_text("<annotations><ima", encoding="utf-8")
    data = dataset(tmp_path, image(polygon()))
    assert len(data.samples) == 1
    assert "no whole XML" in why(data)


def test_another_xml_is_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "voc.xml").write_text("<annotation><object/></annotation>", encoding="utf-8")
    (tmp_path / "empty.xml").write_text("", encoding="utf-8")
    assert len(dataset(tmp_path, image(polygon())).samples) == 1


def track(*frames: str, more: str = "") -> str:
    return f'<track id="0" label="crack" {more}>{"".join(frames)}</track>'


def shown(frame: int, outside: int = 0) -> str:
    return f'<polygon frame="{frame}" outside="{outside}" keyframe="1" points="{RING}"/>'


SPAN = "<meta><task><start_frame>0</start_frame><stop_frame>9</stop_frame></task></meta>"


def test_a_tracks_frames_are_found_as_cvat_names_them(tmp_path: Path) -> None:
    names = tuple(f"images/frame_{number:06d}.png" for number in (0, 3, 4, 5, 7, 12))
    data = dataset(tmp_path, SPAN, track(shown(3), shown(4), shown(5, outside=1)), pictures=names)
    assert [(s.picture.stem, len(s.marks())) for s in data.samples] == [
        ("frame_000000", 0),
        ("frame_000003", 1),
        ("frame_000004", 1),
        ("frame_000005", 0),
        ("frame_000007", 0),
    ]


def test_frames_that_show_one_object_are_one_group(tmp_path: Path) -> None:
    names = tuple(f"frame_{number:06d}.png" for number in range(6))
    data = dataset(tmp_path, SPAN, track(shown(1), shown(2)), track(shown(2), shown(4)), pictures=names)
    assert [s.group[-1] for s in data.samples] == ["0", "1", "1", "1", "1", "5"]


def test_a_video_without_its_frames_is_refused(tmp_path: Path) -> None:
    assert "is of a video, whose frames are no pictures here" in why(dataset(tmp_path, SPAN, track(shown(3))))


def test_videos_of_several_tasks_are_not_mixed(tmp_path: Path) -> None:
    body = [track(shown(3), more=f'task_id="{number}"') for number in (1, 2)]
    assert "tracks of 2 tasks" in why(dataset(tmp_path, *body, pictures=("frame_000003.png",)))


def test_a_name_without_an_ending_finds_its_picture(tmp_path: Path) -> None:
    data = dataset(tmp_path, image(polygon(), "frame_000001"), pictures=("images/frame_000001.png",))
    assert len(data.samples) == 1


@pytest.fixture
def real() -> Path:
    folder = SHARED / "annotations" / "cvat-xml"
    if not folder.is_dir():
        pytest.skip("needs the CVAT files in ../shared/data/annotations/cvat-xml")
    return folder


@pytest.mark.parametrize("name", ["export_task", "legacy-train"])
def test_a_real_task_with_pictures_is_read_but_for_what_is_no_mask(real: Path, tmp_path: Path, name: str) -> None:
    for picture_name, width, height in (("img0.jpg", 8, 8), ("img1.jpg", 10, 10)):
        picture(tmp_path / picture_name, width, height)
    text = (real / f"datumaro-{name}.xml").read_text(encoding="utf-8").replace('label=""', 'label="label1"')
    (tmp_path / "x.xml").write_text(text, encoding="utf-8")
    data = open_dataset(tmp_path)
    assert data.labels == ("label1", "label2")
    assert [(s.picture.name, [m.label for m in s.marks()]) for s in data.samples] == [("img1.jpg", ["label1"])]
    assert "has only 1 boxes" in why(data)


def test_a_real_project_keeps_its_subsets(real: Path, tmp_path: Path) -> None:
    for subset in ("Train", "Test", "Validation"):
        picture(tmp_path / "images" / subset / "img1.jpg", 10, 10)
    (tmp_path / "x.xml").write_bytes((real / "datumaro-export_project.xml").read_bytes())
    data = open_dataset(tmp_path)
    assert [s.split for s in data.samples] == ["test", "train", "val"]
    assert all(len(s.marks()) == 1 for s in data.samples)
    assert len(data.faults) == 3


def test_a_real_video_without_its_frames_is_refused(real: Path) -> None:
    assert "is of a video" in why(open_dataset(real / "datumaro-video.xml"))


def test_real_files_without_their_pictures_say_which_are_missing(real: Path) -> None:
    data = open_dataset(real / "datumaro-export_task.xml")
    assert not data.samples
    assert any("has no label" in fault.why for fault in data.faults)
