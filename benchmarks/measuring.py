"""What one command takes: seconds, CPU seconds and peak memory, of it and all that it starts."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# Peak memory is counted in kilobytes on Linux and in bytes on macOS.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_EVERY_SECONDS = 0.5


class Used(NamedTuple):
    """What a command took.

    Attributes
    ----------
    seconds : float
        By the clock.
    cpu_seconds : float
        Of all its processes; on a machine that others use too, the figure to compare.
    peak_gb : float
        Most memory held at once, all its processes together; where the system does not tell
        (other than Linux), that of the largest process.
    """

    seconds: float
    cpu_seconds: float
    peak_gb: float


def measure(command: Sequence[str], home: Path) -> Used:
    """Run one command in a home of its own.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    home : Path
        What ``SHORTCAST_HOME`` names for it.

    Returns
    -------
    Used

    Raises
    ------
    SystemExit
        When the command fails; its own message stands above.
    """
    begun = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "SHORTCAST_HOME": str(home)})
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY_SECONDS):
            peak[0] = max(peak[0], _resident(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        over.set()
        watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}; nothing measured.")
    return Used(
        seconds=time.perf_counter() - begun,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_gb=max(peak[0], usage.ru_maxrss * _RSS_UNIT) / 1e9,
    )


def _resident(pid: int) -> int:
    """Return the bytes that a process and all below it hold; 0 where the system does not tell."""
    total, todo = 0, [pid]
    while todo:
        folder = Path("/proc", str(todo.pop()))
        try:
            pages = int((folder / "statm").read_text().split()[1])
            below = [tasks.read_text().split() for tasks in folder.glob("task/*/children")]
        except (OSError, IndexError):
            continue  # it has just ended
        total += pages * os.sysconf("SC_PAGE_SIZE")
        todo += [int(child) for children in below for child in children]
    return total
