from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from edge.clock import SystemClock
from edge.mailbox import MOST_AT_ONCE, Mailbox

if TYPE_CHECKING:
    from collections.abc import Mapping

ALERT: dict[str, Any] = {"kind": "inspected", "alerts": [{"type": "new"}]}
BEAT: dict[str, Any] = {"kind": "beat"}


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox(SystemClock())


def take(mailbox: Mailbox, wait_s: float = 0.0, linger_s: float = 0.0) -> list[Mapping[str, Any]]:
    return mailbox.take(wait_s, linger_until_s=SystemClock().monotonic_s() + linger_s)


def test_without_a_worker_it_waits_in_vain(mailbox: Mailbox) -> None:
    began = time.monotonic()
    assert take(mailbox, 0.05) == []
    assert time.monotonic() - began >= 0.05


def test_what_waits_is_taken_together_but_never_without_end(mailbox: Mailbox) -> None:
    theirs = mailbox.renew()
    for _ in range(MOST_AT_ONCE + 3):
        theirs.send(BEAT)
    assert len(take(mailbox)) == MOST_AT_ONCE
    assert len(take(mailbox)) == 3
    assert take(mailbox) == []


def test_an_alert_waits_for_others_until_it_is_time(mailbox: Mailbox) -> None:
    theirs = mailbox.renew()
    theirs.send(ALERT)
    later = threading.Timer(0.05, theirs.send, (ALERT,))
    later.start()
    assert take(mailbox, linger_s=0.5) == [ALERT, ALERT]
    later.join()
    theirs.send(ALERT)
    began = time.monotonic()
    assert take(mailbox, 5.0, linger_s=-1.0) == [ALERT]
    assert time.monotonic() - began < 1


def test_a_worker_that_died_within_a_word_is_given_up(mailbox: Mailbox) -> None:
    theirs = mailbox.renew()
    theirs.send(BEAT)
    os.write(theirs.fileno(), b"\0\0")  # the first half of a length
    theirs.close()
    assert take(mailbox) == [BEAT]
    assert take(mailbox) == []


def test_a_new_worker_starts_on_a_clean_pipe(mailbox: Mailbox) -> None:
    mailbox.renew().send(ALERT)
    theirs = mailbox.renew()
    theirs.send(BEAT)
    assert take(mailbox) == [BEAT]
