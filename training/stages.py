"""Seconds and peak memory of each stage of a run."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

#: ``ru_maxrss`` is in kilobytes on Linux and in bytes on macOS.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass
class Stages:
    """A stopwatch with a name for each lap.

    Attributes
    ----------
    seconds : dict of str to float
        Wall-clock seconds of each stage, added up if it ran more than once, side by side too.
    peak_memory_bytes : dict of str to int
        Highest memory of the process up to the end of each stage.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_bytes: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what happens inside the ``with`` block.

        Parameters
        ----------
        name : str
            Name of the stage.
        """
        begun = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - begun
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
            with self._lock:
                self.seconds[name] = round(self.seconds.get(name, 0.0) + took, 3)
                self.peak_memory_bytes[name] = peak
