"""The evaluation report: what it shows, and that everybody can read it."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import pytest

from edge.cli import main
from models.card import Calibration, read_card, write_card

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def report(network: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "new" / "report.html"
    assert main(["evaluate", str(network), str(pictures), "--threads", "1", "--report", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing: reports are tested in a real browser: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


def test_the_page_asks_the_network_for_nothing(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert "url(" not in page
    assert "@import" not in page


def test_the_worst_pictures_come_first(report: Path) -> None:
    values = re.findall(r"<h3>(?:Worst, \d+|In the middle|Best)</h3><p[^>]*>[^<]*IoU ([\d.]+) %", report.read_text())
    assert len(values) == 4  # those with spots
    assert sorted(values, key=float) == values


def test_every_picture_with_something_seen_shows_what_it_rests_on(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    assert page.count("<figcaption>What it rests on</figcaption>") == page.count("<figcaption>Seen</figcaption>") == 4
    assert "linear-gradient" in page


def test_a_model_that_was_not_calibrated_is_said_to_be_as_it_is(report: Path) -> None:
    assert "Its confidence is as training left it." in report.read_text(encoding="utf-8")


def test_what_the_temperature_did_is_told(network: Path, pictures: Path, tmp_path: Path) -> None:
    model = onnx.load(network)
    done = Calibration(temperature=1.5, pictures=61, error=(0.0009, 0.0029), focus_error=(0.0477, None))
    write_card(model, read_card(model, "").model_copy(update={"calibration": done}))
    onnx.save(model, tmp_path / "calibrated.onnx")
    path = tmp_path / "report.html"
    assert main(["evaluate", str(tmp_path / "calibrated.onnx"), str(pictures), "--report", str(path)]) == 0
    assert (
        "divided by 1.50, which 61 validation pictures asked for; on those the calibration error of pixels seen as "
        "spot went from 4.77 % to -, and that of all pixels from 0.09 % to 0.29 %." in path.read_text(encoding="utf-8")
    )


def test_a_report_that_cannot_be_written_is_told_in_one_line(
    network: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    command = ["evaluate", str(network), str(pictures), "--threads", "1", "--report", str(tmp_path / "file" / "r.html")]
    assert main(command) == 2
    assert "name a file that can be written" in capsys.readouterr().err


def test_nothing_half_written_is_left(report: Path) -> None:
    assert [path.name for path in report.parent.iterdir()] == [report.name]


@pytest.mark.skipif(find_spec("axe_playwright_python") is None, reason="pip install axe-playwright-python")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_is_accessible_and_fits(report: Path, browser: Browser, scheme: str, width: int) -> None:
    spec = find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    axe = next(Path(spec.origin).parent.rglob("axe.min.js")).read_text(encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(axe)
    found = page.evaluate("() => axe.run()")["violations"]
    page.close()
    assert [(fault["id"], fault["nodes"][0]["target"]) for fault in found] == []
