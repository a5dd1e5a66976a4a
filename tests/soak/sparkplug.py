"""Another implementation reads our Sparkplug payloads: `python -m tests.soak.sparkplug PYTHON`, 10,000 payloads.

PYTHON is a Python with the package pysparkplug; a venv of its own, since it pins an old paho-mqtt.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

from edge.outputs.sparkplug import DOUBLE, INT32, INT64, STRING, Metric, payload

READER = Path(__file__).with_name("sparkplug_reader.py")
PAYLOADS = 10_000


def some_metric(dice: random.Random) -> Metric:
    """Draw a metric of any kind."""
    name = "".join(dice.choice("abc/ éß€😀") for _ in range(dice.randrange(1, 20)))
    at, past = dice.randrange(1 << 42), dice.random() < 0.2
    match dice.randrange(6):
        case 0:
            return Metric(name=name, value=dice.random() < 0.5, timestamp_ms=at, is_historical=past)
        case 1:
            return Metric(name=name, value=dice.randrange(-(1 << 63), 1 << 63), timestamp_ms=at, is_historical=past)
        case 2:
            return Metric(name=name, value=dice.randrange(-(1 << 31), 1 << 31), timestamp_ms=at, datatype=INT32)
        case 3:
            return Metric(name=name, value=dice.uniform(-1e9, 1e9), timestamp_ms=at, is_historical=past)
        case 4:
            return Metric(name=name, value="é€" * dice.randrange(200), timestamp_ms=at, is_historical=past)
        case _:
            kind = dice.choice((INT64, DOUBLE, STRING))
            return Metric(name=name, value=None, timestamp_ms=at, datatype=kind)


def main(python: str) -> int:
    """Run all of it; 0 when every value came back."""
    dice = random.Random(7)
    sent = [
        (dice.randrange(1 << 42), [some_metric(dice) for _ in range(dice.randrange(8))], n % 256)
        for n in range(PAYLOADS)
    ]
    lines = [f"DDATA {payload(at, metrics, seq).hex()}" for at, metrics, seq in sent]
    lines.append(f"NDEATH {payload(1, [Metric(name='bdSeq', value=17, timestamp_ms=1)], None).hex()}")
    ran = subprocess.run([python, str(READER)], input="\n".join(lines), capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(ran.stderr[-2000:])
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    expected = [
        {
            "timestamp": at,
            "seq": seq,
            "metrics": [[m.name, m.value, m.kind, m.timestamp_ms, m.is_historical, m.value is None] for m in metrics],
        }
        for at, metrics, seq in sent
    ]
    wrong = [(a, b) for a, b in zip(told, [*expected, {"bd_seq": 17}], strict=True) if a != b]
    print(f"{len(told)} payloads, {sum(len(metrics) for _, metrics, _ in sent)} metrics, {len(wrong)} wrong")
    for pair in wrong[:3]:
        print(*pair, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
