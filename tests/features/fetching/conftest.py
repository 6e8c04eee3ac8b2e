"""A loopback server that answers what a test tells it, under ``/HOST/PATH``."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import tenacity.nap

from shortcast.settings import Settings

TODAY, NOON = date(2026, 11, 23), time(12)


@dataclass
class Asked:
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What is sent back; `length` is what the header says (-1: nothing)."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


Answering = Callable[[Asked], Answer]


class Server(ThreadingHTTPServer):
    """A server that says nothing of clients that hang up: some are meant to."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Official:
    """The server: `answers` by ``HOST/PATH``, and what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answering] = {}
        self.asked: list[Asked] = []
        self.today = TODAY
        self.headers: dict[str, str] = {}
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def date_time_string(self, timestamp: float | None = None) -> str:
                noon = datetime(
                    owner.today.year, owner.today.month, owner.today.day, 12, tzinfo=UTC
                )
                return format_datetime(noon, usegmt=True)

            def _answer(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("content-length") or 0)
                asked = Asked(
                    self.command,
                    parts.path.lstrip("/"),
                    dict(parse_qsl(parts.query)),
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                )
                owner.asked.append(asked)
                missing = Answer(b"nothing here", 404)
                answering = owner.answers.get(asked.path)
                answer = answering(asked) if answering else missing
                self.send_response(answer.status)
                for name, value in {**owner.headers, **answer.headers}.items():
                    self.send_header(name, value)
                length = len(answer.body) if answer.length is None else answer.length
                if answer.status != 304 and length >= 0:
                    self.send_header("Content-Length", str(length))
                if length != len(answer.body):
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(answer.body)
                if length != len(answer.body):
                    self.close_connection = True

            do_GET = do_POST = _answer  # noqa: N815 - names of the base class

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as there
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def serves(self, place: str, body: bytes, **headers: str) -> None:
        """Serve a file under ``HOST/PATH`` with entity tag and ranges."""
        self.answers[place] = serve(body, headers)

    def serves_json(self, place: str, content: Any) -> None:
        """Serve JSON under ``HOST/PATH``."""
        raw = json.dumps(content).encode()
        self.answers[place] = lambda _: Answer(raw, headers={"Content-Type": "application/json"})

    def body(self, place: str) -> bytes:
        """What is served under ``HOST/PATH`` now."""
        return self.answers[place](self.request()).body

    @staticmethod
    def request() -> Asked:
        """A request without conditions."""
        return Asked("GET", "", {}, {}, b"")

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [asked.path for asked in self.asked]


def serve(body: bytes, headers: Mapping[str, str] | None = None) -> Answering:
    """Answer as a file server does: entity tag, 304, ranges."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    own = {"ETag": tag, "Accept-Ranges": "bytes", **(headers or {})}

    def answer(asked: Asked) -> Answer:
        if asked.headers.get("if-none-match") == tag:
            return Answer(status=304, headers=own)
        start = asked.headers.get("range", "").removeprefix("bytes=").removesuffix("-")
        if start and asked.headers.get("if-range") == tag:
            place = f"bytes {start}-{len(body) - 1}/{len(body)}"
            return Answer(body[int(start) :], 206, {**own, "Content-Range": place})
        return Answer(body, headers=own)

    return answer


@pytest.fixture(scope="session")
def answer() -> type[Answer]:
    """What a server sends back."""
    return Answer


@pytest.fixture(scope="session")
def serving() -> Callable[..., Answering]:
    """A file server's way of answering for one file."""
    return serve


@pytest.fixture
def official() -> Iterator[Official]:
    """A server that knows no address yet."""
    server = Official()
    yield server
    server.close()


@pytest.fixture
def config(official: Official, shortcast_home: Any) -> Settings:
    """Settings that ask the loopback server for everything."""
    return Settings(home=shortcast_home, fetch_via=official.address)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No test waits between two tries; what would have been waited, in seconds."""
    found: list[float] = []

    class Clock:
        @staticmethod
        def sleep(seconds: float) -> None:
            found.append(seconds)

    monkeypatch.setattr(tenacity.nap, "time", Clock)
    return found
