"""Starting the service: an address that is taken is told in one sentence."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from shortcast.errors import ShortcastError
from shortcast.serving.app import require_free, serve


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which something else listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_refused_and_another_one_named(taken: int) -> None:
    told = re.escape(f"--port {taken + 1} (make up PORT={taken + 1})")
    with pytest.raises(ShortcastError, match=told):
        require_free("127.0.0.1", taken)
    with pytest.raises(ShortcastError, match=told):
        serve("127.0.0.1", taken)


def test_a_free_port_is_taken_as_it_is(taken: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        free = other.getsockname()[1]
    assert free != taken
    require_free("127.0.0.1", free)
