"""Runs in a process of their own, which a test may kill at any moment.

The processes are forked from one that has loaded everything, so that a kill falls into the work
and not into the loading.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from signal import SIGKILL

from live_market import Keyed

from shortcast.features import warehouse
from shortcast.features.archive import Archive, exclusive
from shortcast.features.fetching import fetch
from shortcast.features.sources import registry

_CONTEXT = get_context("forkserver")
registry()  # loads the readers
# Installed modules only: the process that forks does not know the folders of the tests.
_CONTEXT.set_forkserver_preload([name for name in sys.modules if name.startswith("shortcast.")])
#: No run of a small market takes so long.
_PATIENCE = 240.0


def fetch_day(home: Keyed, day: date) -> None:
    """Fetch what is due on a day; nothing may keep a source from coming."""
    report = fetch(today=day, config=home.settings)
    if failed := [outcome for outcome in report.failed if outcome.state != "quarantined"]:
        raise RuntimeError(str(failed))


def import_folder(home: Keyed, tree: Path) -> None:
    """Import a folder, as the command does."""
    with exclusive(home.settings.home, what="the import"):
        Archive(home.settings.archive).import_tree(tree, registry())


def build_home(home: Keyed) -> None:
    """Build the warehouse."""
    warehouse.build(home.settings)


def run(job: Callable[..., None], *arguments: object) -> float:
    """Run a job to its end, and return the seconds that it took; it must end well."""
    begun = time.monotonic()
    process = _CONTEXT.Process(target=job, args=arguments)
    process.start()
    process.join(_PATIENCE)
    if process.exitcode != 0:
        process.kill()
        raise AssertionError(f"{job.__name__}{arguments} ended with {process.exitcode}")
    return time.monotonic() - begun


def killed(after: float, job: Callable[..., None], *arguments: object) -> bool:
    """Kill a job after some seconds; False if it had ended before that."""
    process = _CONTEXT.Process(target=job, args=arguments)
    process.start()
    process.join(after)
    process.kill()
    process.join()
    assert process.exitcode in (0, -SIGKILL), f"{job.__name__} ended with {process.exitcode}"
    return process.exitcode == -SIGKILL
