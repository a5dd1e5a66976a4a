"""What runs only in the guest: elsewhere each of these tests is skipped, by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ACCELERATOR = os.environ.get("EDGELOUPE_VM", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if ACCELERATOR:
        return
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(
                pytest.mark.skip(reason=f"{item.path.stem}: in the virtual-machine lane only: make test-vm")
            )


class _AtOnce:
    """A machine that hangs later on never comes to pytest's summary: what failed is said at once."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._reporter.write_line(f"\n{report.longreprtext}")


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if ACCELERATOR and reporter is not None:
        session.config.pluginmanager.register(_AtOnce(reporter))
