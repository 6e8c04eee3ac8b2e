"""Processes beside this one, which end with it when it is interrupted or fails."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Pool(ProcessPoolExecutor):
    """Processes that hear of no interrupt: Ctrl-C reaches all at a terminal, and one answers."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        # A process begins here, with the mask of this one. What arrives meanwhile is not lost.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def processes(workers: int) -> Iterator[Executor]:
    """Give what runs calls in other processes, which are begun anew and share nothing.

    Parameters
    ----------
    workers : int
        Processes at most.

    Yields
    ------
    Executor
        Waited for at the end; an interrupt or an error waits for nothing and ends the processes.
    """
    pool = _Pool(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield pool
    except BaseException:
        # Before they are waited for: nobody wants what they still do.
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
