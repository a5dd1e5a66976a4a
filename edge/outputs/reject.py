"""Reject: when to throw out a part that was seen some way ahead of the ejector; pure timing, no hardware."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from edge.sink_config import RejectConfig

POLL_S = 0.005
"""How often an encoder is looked at: at 1 m/s, every 5 mm."""
MOST_PARTS = 1000
COUNTER = 1 << 32
"""Encoders count in 32 bits and begin at 0 again."""

_IDLE_S = 1.0
_SAMPLES = 8192  # of the encoder: 40 s of looking back


class Rejector:
    """Turns inspections into the level of one output, by time at a fixed line speed or by an encoder's counts.

    All times are seconds of the monotonic clock. A part that was judged only after it had passed the ejector is
    counted in `late` and not thrown out: the pulse would hit another one.
    """

    def __init__(self, config: RejectConfig) -> None:
        self.late = 0
        self.pulses = 0
        self._config = config
        self._due: deque[float] = deque()  # seconds, or counts of the unwrapped encoder, in order
        self._until_s = 0.0
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)  # time, unwrapped count

    @property
    def counted(self) -> int:
        """The encoder's last reading; 0 before the first."""
        return self._samples[-1][1] % COUNTER if self._samples else 0

    def see(self, camera: str, result: Mapping[str, Any], captured_s: float, now_s: float) -> None:
        """Take one inspection into account."""
        config = self._config
        if camera != config.camera or result.get("result_evaluation") not in config.when:
            return
        due, here = self._place(captured_s), self._here(now_s)
        if due is None or here is None or due < here or len(self._due) >= MOST_PARTS:
            self.late += 1
            return
        self._due.append(due)
        if len(self._due) > 1 and due < self._due[-2]:
            self._due = deque(sorted(self._due))

    def count(self, raw: int, now_s: float) -> None:
        """Take a reading of the encoder, modulo 2**32; it may run backwards."""
        if self._samples:
            last = self._samples[-1][1]
            step = (raw - last) % COUNTER
            raw = last + (step if step < COUNTER // 2 else step - COUNTER)
        self._samples.append((now_s, raw))

    def level(self, now_s: float) -> bool:
        """Say whether the output is to be on; to be asked at least every `wait_s`."""
        here = self._here(now_s)
        while self._due and here is not None and self._due[0] <= here:
            start_s = now_s if self._config.mm_per_count else self._due[0]
            self._until_s = max(self._until_s, start_s + self._config.pulse_s)
            self._due.popleft()
            self.pulses += 1
        return now_s < self._until_s

    def wait_s(self, now_s: float) -> float:
        """Say for how long nothing can change."""
        waits = [_IDLE_S]
        if now_s < self._until_s:
            waits.append(self._until_s - now_s)
        if self._config.mm_per_count:
            waits.append(POLL_S)
        elif self._due:
            waits.append(max(self._due[0] - now_s, 0.0))
        return min(waits)

    def _here(self, now_s: float) -> float | None:
        """Say where the line is: in seconds, or in counts; None before the encoder was read."""
        if not self._config.mm_per_count:
            return now_s
        return self._samples[-1][1] if self._samples else None

    def _place(self, captured_s: float) -> float | None:
        """Say where the line will be when the part seen at `captured_s` lies before the ejector."""
        config = self._config
        if config.speed_mm_s:
            return captured_s + config.distance_mm / config.speed_mm_s
        count = self._count_at(captured_s)
        return None if count is None or not config.mm_per_count else count + config.distance_mm / config.mm_per_count

    def _count_at(self, then_s: float) -> float | None:
        """Interpolate the encoder at a time; None before the first reading that is still known."""
        after: tuple[float, int] | None = None
        for at, count in reversed(self._samples):
            if at <= then_s:
                if after is None or after[0] == at:
                    return count
                return count + (after[1] - count) * (then_s - at) / (after[0] - at)
            after = at, count
        return None
