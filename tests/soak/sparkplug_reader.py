"""Run by a Python that has pysparkplug: reads payloads, a kind and hexadecimal digits a line, and prints JSON lines."""

from __future__ import annotations

import json
import sys

from pysparkplug import DBirth, DData, NBirth, NData, NDeath

KINDS = {"NBIRTH": NBirth, "NDEATH": NDeath, "NDATA": NData, "DBIRTH": DBirth, "DDATA": DData}


def read(line: str) -> dict[str, object]:
    kind, data = line.split()
    told = KINDS[kind].decode(bytes.fromhex(data))
    if kind == "NDEATH":
        return {"bd_seq": told.bd_seq_metric.value}
    metrics = [
        [metric.name, metric.value, int(metric.datatype), metric.timestamp, metric.is_historical, metric.is_null]
        for metric in told.metrics
    ]
    return {"timestamp": told.timestamp, "seq": told.seq, "metrics": metrics}


if __name__ == "__main__":
    for one in sys.stdin:
        print(json.dumps(read(one)))
