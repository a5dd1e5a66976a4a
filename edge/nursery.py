"""Nursery: what the process that forks the daemon's others has loaded, so that they share it; it dies with the daemon.

Nobody imports it but multiprocessing's fork server, by its name and last of all it loads, before it takes requests.
"""

from __future__ import annotations

import gc

import edge.capture.capture
import edge.config
import edge.worker  # noqa: F401 - all for the processes to come
from edge.child import die_with_parent

die_with_parent()
gc.collect()
gc.freeze()  # a collection in a process would touch, and so copy, what it shares
