"""Industrial cameras: Aravis' GigE camera over the loopback's UDP, and the producer that genicam's wheel carries."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from edge import cameras
from edge.camera_config import CameraConfig, ControlsConfig, FormatConfig, MqttTrigger
from edge.cameras import Nothing
from edge.cameras.genicam import to_bgr
from edge.capture.shutter import Shutter
from edge.clock import SystemClock
from edge.errors import CameraError, CameraStalledError, PictureError
from edge.frame import Shot
from edge.pictures.image import bgr
from edge.pulses import Pulses
from tests.brokers import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.cameras import Camera

pytestmark = pytest.mark.filterwarnings("ignore:DynamicImporter:ImportWarning")  # the bindings' own, of Debian 12

SYSTEM = Path("/usr/lib/python3/dist-packages")
GIGE = "Aravis-Fake-GV01"
SMALL = FormatConfig(width=160, height=120, pixels="Mono8", fps=20)
"""Ten of them fit into the kernel's usual socket buffer, so that half a second on a busy machine loses none."""


@pytest.fixture(scope="module")
def bindings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Lend the system's GObject bindings to this interpreter."""
    if not (SYSTEM / "gi").is_dir():
        pytest.fail("these tests need Aravis: run tests/install-system-parts")
    folder = tmp_path_factory.mktemp("bindings")
    (folder / "gi").symlink_to(SYSTEM / "gi")
    sys.path.append(str(folder))
    import gi

    gi.require_version("Aravis", "0.8")
    yield
    sys.path.remove(str(folder))


@pytest.fixture
def gige(request: pytest.FixtureRequest, bindings: None) -> Iterator[subprocess.Popen[bytes]]:
    """A GigE Vision camera on the loopback."""
    with _gige(*getattr(request, "param", ())) as process:
        yield process


@contextlib.contextmanager
def _gige(*options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = ["arv-fake-gv-camera-0.8", "-i", "127.0.0.1", "-s", "GV01", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(_is_discovered, "for the camera")
        yield process
        process.kill()


def _is_discovered() -> bool:
    from gi.repository import Aravis

    Aravis.update_device_list()
    return GIGE in [Aravis.get_device_id(number) for number in range(Aravis.get_n_devices())]


@pytest.fixture(scope="module")
def producer() -> Path:
    import genicam

    return next(Path(genicam.__file__).parent.glob("*.cti"))


def make(place: str, **options: Any) -> Camera:
    return cameras.create(CameraConfig(source=f"genicam:{place}", **options))


def exhaust(camera: Camera) -> None:
    """Read until it fails; fail when it does not."""
    for _ in range(60):
        camera.read()


def next_shot(camera: Camera) -> Shot:
    for _ in range(20):
        shot = camera.read()
        if isinstance(shot, Shot):
            return shot
    pytest.fail("no picture came")


def test_a_gige_camera_gives_pictures_as_it_was_told_to(gige: subprocess.Popen[bytes]) -> None:
    with make(GIGE, format=SMALL, controls=ControlsConfig(exposure_us=5000, gain=2)) as camera:
        shots = [next_shot(camera) for _ in range(4)]
    assert {shot.picture.shape for shot in shots} == {(120, 160, 3)}
    assert {shot.format for shot in shots} == {"Mono8"}
    stamps = [shot.stamp_s or 0 for shot in shots]
    assert stamps == sorted(set(stamps))


def test_a_gige_camera_that_goes_away_is_told_and_opened_again(gige: subprocess.Popen[bytes]) -> None:
    with make(GIGE, format=SMALL) as camera:
        next_shot(camera)
        gige.kill()
        gige.wait()
        with pytest.raises(CameraStalledError, match="gives no pictures"):
            exhaust(camera)


@pytest.mark.parametrize("gige", [("-r", "50")], indirect=True)
def test_packets_that_are_lost_make_a_picture_damaged_not_live(gige: subprocess.Popen[bytes]) -> None:
    with make(GIGE, format=SMALL) as camera, pytest.raises(PictureError, match="came incomplete"):
        exhaust(camera)


def test_a_camera_with_a_hardware_trigger_waits_in_peace(gige: subprocess.Popen[bytes]) -> None:
    with make(GIGE, hardware_trigger="Line0", stall_s=0.1) as camera:
        assert [camera.read() for _ in range(2)] == [Nothing.YET] * 2


def test_a_pulse_releases_the_shutter_and_is_one_picture(gige: subprocess.Popen[bytes]) -> None:
    pulses, pulse = Queue[None](), threading.Event()

    def watch(heard: Pulses) -> None:
        heard.sound()
        while not heard.stopping.is_set():
            with contextlib.suppress(Empty):
                pulses.get(timeout=0.01)
                heard.add()
                pulse.set()

    config = CameraConfig(
        source=f"genicam:{GIGE}", format=SMALL, hardware_trigger="Software", trigger=MqttTrigger(kind="mqtt")
    )
    with cameras.create(config) as camera, Pulses("a line", watch) as trigger:
        shutter = Shutter(camera, trigger, SystemClock())
        for again in (0, 2):  # further pictures of a burst
            assert [shutter.read(again=False) for _ in range(2)] == [Nothing.YET] * 2, "nobody asked"
            pulses.put(None)
            assert pulse.wait(10)
            pulse.clear()
            shots = [_read(shutter, again=number > 0) for number in range(1 + again)]
            assert all(shutter.ask(bgr(shot.picture), 0.0).wanted for shot in shots)


def _read(shutter: Shutter, *, again: bool) -> Shot:
    for _ in range(20):
        shot = shutter.read(again=again)
        if isinstance(shot, Shot):
            return shot
    pytest.fail("no picture came")


def test_a_camera_that_is_released_but_gives_nothing_is_told(gige: subprocess.Popen[bytes]) -> None:
    with make(GIGE, format=SMALL, hardware_trigger="Software", stall_s=1) as camera:
        release = cameras.release_of(camera)
        assert release is not None
        release()
        next_shot(camera)
        gige.kill()
        gige.wait()
        with pytest.raises(CameraError, match="check cable and power"):
            release()


@pytest.mark.parametrize("trigger", [{"kind": "change"}, {"kind": "free", "idle_fps": 1}])
def test_a_shutter_can_not_be_released_by_what_needs_its_pictures(trigger: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="can't depend on pictures"):
        CameraConfig.model_validate({"source": "genicam:any", "hardware_trigger": "Software", "trigger": trigger})


HOT = """
<Float Name="DeviceTemperature" NameSpace="Standard"><pValue>DeviceTemperatureConverter</pValue></Float>
<Converter Name="DeviceTemperatureConverter" NameSpace="Custom">
<FormulaTo>FROM / 10</FormulaTo><FormulaFrom>TO * 10</FormulaFrom><pValue>GainRawRegister</pValue></Converter>
<Float Name="ExposureTimeAbs" """
"""Shows ten times the register of the gain as the temperature: the fake camera has no thermometer."""


def test_a_camera_tells_how_hot_it_is_where_it_knows(gige: subprocess.Popen[bytes], tmp_path: Path) -> None:
    from gi.repository import Aravis

    with make(GIGE, format=SMALL, controls=ControlsConfig(gain=9)) as camera:
        assert next_shot(camera).temperature_c is None
    Aravis.enable_interface("Fake")
    plain = Aravis.Camera.new("Fake_1").get_device().get_genicam_xml()[0]  # the same, and there it has an end
    gige.kill()
    gige.wait()
    (tmp_path / "hot.xml").write_text(plain.replace('<Float Name="ExposureTimeAbs" ', HOT), encoding="utf-8")
    with _gige("-g", str(tmp_path / "hot.xml")), make(GIGE, format=SMALL, controls=ControlsConfig(gain=9)) as camera:
        assert next_shot(camera).temperature_c == 90.0


def test_a_format_that_the_camera_does_not_have_is_one_helpful_line(bindings: None) -> None:
    with pytest.raises(CameraError, match="check power, network and settings") as caught:
        make("Fake_1", format=FormatConfig(pixels="Coord3D")).__enter__()
    assert "\n" not in str(caught.value)


def test_a_camera_that_is_not_there_is_one_helpful_line(bindings: None) -> None:
    with pytest.raises(CameraError, match="`edgeloupe cameras` lists cameras"):
        make("Nobody-1").__enter__()


def test_a_vendors_producer_gives_pictures(producer: Path) -> None:
    camera = make("any", producer=producer, format=FormatConfig(width=160, height=120))
    for _ in range(2):  # and it can be opened again
        with camera:
            assert next_shot(camera).picture.shape == (120, 160, 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"producer": Path("/nowhere.cti")}, "check producer, camera and settings"),
        ({"controls": ControlsConfig(exposure_us=100)}, "has no ExposureTime"),
    ],
)
def test_what_a_producer_can_not_do_is_one_helpful_line(producer: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(CameraError, match=said) as caught:
        make("any", **{"producer": producer, **options}).__enter__()
    assert "\n" not in str(caught.value)


def test_a_serial_number_that_nobody_has_lists_those_there_are(producer: Path) -> None:
    with pytest.raises(CameraError, match="VikyTL_DEV_red"):
        make("4711", producer=producer).__enter__()


@pytest.mark.parametrize("form", ["BayerRG8", "BayerBG8", "BayerGR8", "BayerGB8"])
def test_a_red_scene_is_red_whatever_the_order_of_the_mosaic(form: str) -> None:
    red_at = {"R": (0, 0), "B": (1, 1)}.get(form[5]) or {"GR": (0, 1), "GB": (1, 0)}[form[5:7]]
    raw = np.zeros((16, 16), np.uint8)
    raw[red_at[0] :: 2, red_at[1] :: 2] = 200
    picture = to_bgr(raw.ravel(), 16, 16, form, "test")
    blue, green, red = picture[4:12, 4:12].reshape(-1, 3).mean(axis=0)
    assert red > 150
    assert blue == green == 0


def test_deep_formats_keep_their_upper_bits_and_unknown_ones_are_named() -> None:
    words = np.full(12, 0x0ABC, np.uint16)
    assert to_bgr(words.view(np.uint8), 4, 3, "Mono12", "test")[0, 0].tolist() == [0xAB] * 3
    with pytest.raises(CameraError, match=r"gives Coord3D: set format\.pixels to one of"):
        to_bgr(words.view(np.uint8), 4, 3, "Coord3D", "test")
