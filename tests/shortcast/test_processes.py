"""Processes beside this one end with it, and only it hears of an interrupt."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from concurrent.futures import Future

import pytest

from shortcast.processes import processes


def survives_an_interrupt() -> bool:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)
    time.sleep(0.05)
    return True


def test_an_interrupt_for_all_reaches_this_process_alone() -> None:
    with processes(1) as pool:
        assert pool.submit(survives_an_interrupt).result(timeout=60)


def broken_off(by: BaseException, asleep: list[Future[None]]) -> None:
    with processes(2) as pool:
        pool.submit(os.getpid).result(timeout=60)
        asleep += [pool.submit(time.sleep, 600) for _ in range(4)]
        raise by


@pytest.mark.parametrize("by", [KeyboardInterrupt(), FileNotFoundError()], ids=repr)
def test_an_interrupt_or_error_here_waits_for_no_other(by: BaseException) -> None:
    asleep: list[Future[None]] = []
    with pytest.raises(type(by)):
        broken_off(by, asleep)
    assert [job.done() for job in asleep] == [True] * 4
    assert not multiprocessing.active_children()


def test_what_fails_there_is_raised_here() -> None:
    with processes(1) as pool, pytest.raises(FileNotFoundError):
        pool.submit(os.stat, "/nowhere").result(timeout=60)
