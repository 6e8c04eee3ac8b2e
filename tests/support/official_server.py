"""A server on loopback that answers for every official address, from simulated records.

``https://HOST/PATH`` is answered under ``http://127.0.0.1:PORT/HOST/PATH``, in the format, with
the headers and within the limits of the host that it stands for. What it hands out on a day is
what the simulated market had published by then; its clock is the test's. Faults happen as a plan
says (`official_faults`), and everything that was asked and answered is kept for assertions.
"""

from __future__ import annotations

import select
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import official_portals  # noqa: F401  (its hosts register themselves)
from official_answers import Answer, Question
from official_faults import Fault, NoFaults
from official_hosts import HOSTS, Keys
from official_records import Shelf

HTML = b"<!DOCTYPE html>\n<html><head><title>Service unavailable</title></head><body></body></html>"


@dataclass(frozen=True)
class Event:
    """One request and how it was answered.

    Attributes
    ----------
    day : date
        By the server's clock.
    method, host, path : str
        Of the official address.
    query : dict of str to str
        Behind the ``?``.
    status : int
        Of HTTP; 0 where there was no answer.
    source : str
        Whose records were shown.
    fault : str
        What went wrong by plan; '' for nothing.
    """

    day: date
    method: str
    host: str
    path: str
    query: dict[str, str]
    status: int
    source: str
    fault: str


class OfficialServer:
    """Answers for all official hosts; a context manager.

    Parameters
    ----------
    records : Path
        Folder ``SOURCE/AS_OF/SIMULATED-...``.
    today : callable
        The day; by default that of ``day``, which may be set.
    keys : Keys
        What is let in.
    faults : NoFaults
        What goes wrong.
    per_minute : int
        Requests that openFDA takes in a minute (of the server's own clock).
    silence : float
        Seconds that it leaves a request without an answer before it hangs up.
    """

    def __init__(
        self,
        records: Path,
        today: Callable[[], date] | None = None,
        *,
        keys: Keys | None = None,
        faults: NoFaults | None = None,
        per_minute: int = 240,
        silence: float = 30.0,
    ) -> None:
        self.day = date(2025, 12, 31)
        self._today = today or (lambda: self.day)
        self.keys = keys or Keys()
        self.faults = faults or NoFaults()
        self.shelf = Shelf(records, self.faults)
        self.per_minute, self.silence = per_minute, silence
        self.events: list[Event] = []
        self._times: Counter[tuple[date, str, str]] = Counter()
        self._asked_at: dict[tuple[str, date], deque[float]] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        owner = self

        class Handler(_Handler):
            server_of = owner

        self._http = _Http(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def address(self) -> str:
        """What `SHORTCAST_FETCH_VIA` is set to."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> OfficialServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def today(self) -> date:
        return self._today()

    def faulty(self) -> list[Event]:
        """What was answered wrongly, by plan."""
        return [event for event in self.events if event.fault]

    def is_over_limit(self, who: str) -> bool:
        """Count a request, and return whether there were too many in the last minute of a day.

        Days may be played faster than they pass: no minute holds requests of two of them.
        """
        with self._lock:
            key, now = (who, self.today()), time.monotonic()
            asked = self._asked_at.setdefault(key, deque())
            while asked and now - asked[0] > 60:
                asked.popleft()
            asked.append(now)
            return len(asked) > self.per_minute

    def answer(self, question: Question) -> tuple[Answer, Fault | None]:
        """Answer a question, and say what is to go wrong on the way."""
        for pattern, ask in HOSTS:
            if match := pattern.fullmatch(f"{question.host}{question.path}"):
                found = ask(self, question, *match.groups())
                break
        else:
            found = Answer(b"<html><body>404 - page not found</body></html>", status=404)
        with self._lock:
            key = (question.day, question.host, question.path)
            self._times[key] += 1
            again = self._times[key]
        address = f"{question.host}{question.path}"
        return found, self.faults.on_the_way(found.source, question.day, address, again)

    def wait_for_hang_up(self, connection: Any) -> None:
        """Say nothing until the one who asked has gone, or the patience of a test is over."""
        until = time.monotonic() + self.silence
        while time.monotonic() < until and not self._closing.is_set():
            if select.select([connection], [], [], 0.05)[0] and not connection.recv(1):
                return

    def note(self, question: Question, status: int, source: str, fault: str) -> None:
        with self._lock:
            self.events.append(
                Event(
                    question.day,
                    question.method,
                    question.host,
                    question.path,
                    question.query,
                    status,
                    source,
                    fault,
                )
            )


class _Http(ThreadingHTTPServer):
    """Takes it as it comes that those who ask hang up."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Reads requests, and writes answers with their faults."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes: the second one must not wait until the first is acknowledged.
    disable_nagle_algorithm = True
    server_of: OfficialServer

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _serve(self) -> None:
        server = self.server_of
        parts = urlsplit(self.path)
        _, host, *rest = parts.path.split("/", 2)
        question = Question(
            self.command,
            host,
            unquote("/" + "".join(rest)),
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            server.today(),
        )
        answer, fault = server.answer(question)
        kind = fault.kind if fault else ""
        damage = answer.damage
        if damage is None:
            damage = server.shelf.damage(answer.source, question.day) if answer.source else ""
        told = kind or (damage if answer.status == 200 else "")
        try:
            if kind == "timeout":
                server.note(question, 0, answer.source, told)
                server.wait_for_hang_up(self.connection)
                self.close_connection = True
                return
            if fault and kind in ("429", "500", "503"):
                wait = {"Retry-After": str(fault.retry_after)} if kind != "500" else {}
                answer = Answer(HTML, answer.source, int(kind), wait)
            elif kind == "html":
                answer = Answer(HTML, answer.source, headers={"Content-Type": "text/html"})
            else:
                answer = _conditional(question, answer)
                if kind == "truncated" and not answer.content:
                    fault, told = None, ""  # nothing that could break off
                if answer.status == 304:
                    told = kind if fault else ""  # what was not sent cannot be damaged
            server.note(question, answer.status, answer.source, told)
            self._write(question, answer, fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _write(self, question: Question, answer: Answer, fault: Fault | None) -> None:
        content = answer.content
        moment = datetime(*question.day.timetuple()[:3], 12, tzinfo=UTC)
        if fault and fault.kind == "clock":
            moment += timedelta(days=fault.days)
        self.send_response_only(answer.status)
        headers = {
            "Content-Type": "application/octet-stream",
            "Date": format_datetime(moment, usegmt=True),
            "X-Shortcast-Data": "simulated",
            "Content-Length": str(len(content)),
            **answer.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if question.method == "HEAD" or answer.status == 304:
            return
        if fault and fault.kind == "truncated" and content:
            self.wfile.write(content[: int(len(content) * fault.share)])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(content)


def _conditional(question: Question, answer: Answer) -> Answer:
    """Answer with less where the one who asks has it already (RFC 9110)."""
    if answer.status != 200 or answer.changed_on is None:
        return answer
    etag = f'"{md5(answer.content, usedforsecurity=False).hexdigest()}"'
    changed = datetime(*answer.changed_on.timetuple()[:3], tzinfo=UTC)
    validators = {
        "ETag": etag,
        "Last-Modified": format_datetime(changed, usegmt=True),
        "Accept-Ranges": "bytes",
    }
    headers = {**validators, **answer.headers}
    asked = question.headers
    if "if-none-match" in asked:
        is_held = etag in asked["if-none-match"]
    else:
        since = asked.get("if-modified-since")
        is_held = since is not None and parsedate_to_datetime(since) >= changed
    if is_held:
        return Answer(b"", answer.source, 304, headers)
    begun = asked.get("range", "")
    if begun.startswith("bytes=") and asked.get("if-range", etag) in (
        etag,
        validators["Last-Modified"],
    ):
        start = int(begun.removeprefix("bytes=").split("-")[0])
        size = len(answer.content)
        if start >= size:
            return Answer(b"", answer.source, 416, {"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        return Answer(answer.content[start:], answer.source, 206, headers)
    return Answer(answer.content, answer.source, 200, headers)


def days(first: date, count: int) -> Iterator[date]:
    """Days in a row."""
    for number in range(count):
        yield first + timedelta(days=number)
