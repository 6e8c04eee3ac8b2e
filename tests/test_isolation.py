"""The guards of conftest.py: no network, no home of one's own, no telemetry."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from shortcast.settings import settings


@pytest.mark.parametrize("address", [("192.0.2.1", 443), ("2001:db8::1", 443, 0, 0)])
def test_connections_out_are_refused(address: tuple[object, ...]) -> None:
    family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
    with socket.socket(family) as client:
        with pytest.raises(AssertionError, match="use no network"):
            client.connect(address)
        with pytest.raises(AssertionError, match="use no network"):
            client.connect_ex(address)


def test_look_ups_are_refused() -> None:
    with pytest.raises(AssertionError, match=r"example\.org"):
        socket.getaddrinfo("example.org", 443)
    with pytest.raises(AssertionError, match=r"example\.org"):
        socket.create_connection(("example.org", 443), timeout=1)


def test_loopback_is_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_state_stays_in_the_tests_folder(tmp_path: Path, shortcast_home: Path) -> None:
    assert Path(os.environ["SHORTCAST_HOME"]) == shortcast_home
    assert shortcast_home.is_relative_to(tmp_path)
    assert settings().home == shortcast_home
    assert str(tmp_path) in os.environ["MLFLOW_TRACKING_URI"]
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
