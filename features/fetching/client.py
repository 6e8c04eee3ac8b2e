"""Asking an official address politely, and taking what it answers without trusting it.

Every request keeps to the host's pace, is tried again after what passes (a time-out, 429, 500),
waits as long as the answer asks (``Retry-After``) and no longer than is sensible, and says who
asks. A download that breaks off goes on where it stopped, if the file is still the same one.

Where `Settings.fetch_via` names a mirror, ``https://HOST/PATH`` is asked for there as
``MIRROR/HOST/PATH``; addresses are official ones everywhere else in the program.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import httpx2
import stamina
import stamina.instrumentation

from shortcast import __version__
from shortcast.errors import ShortcastError
from shortcast.features.archive import checksum, partial_of
from shortcast.features.fetching.secrets import Secrets

T = TypeVar("T")

#: Answers that say nothing against the next try.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
#: Where the hosts of so many bodies were silent and none has answered, no other is asked.
_SILENT = 3
#: A description of files, or one page of an interface, is smaller than this.
_MOST_OF_A_PAGE = 64_000_000
_TELL_EVERY = 5_000_000
#: Only a mirror may say that its records are made up; an official host never does.
_SIMULATED = ("x-shortcast-data", "simulated")
#: Which part of a file an answer holds: first byte, last byte, bytes of the whole.
_SPAN = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", re.ASCII)

# What is tried again is told by the fetch log, with the source; stamina's own lines lack it.
stamina.instrumentation.set_on_retry_hooks([])
# They write down headers when all is logged, and a header that comes back may repeat a key.
for _library in ("httpx2", "httpcore2"):
    logging.getLogger(_library).setLevel(logging.WARNING)


class FetchError(ShortcastError):
    """A source could not be fetched; the last good snapshot stays in force."""


class AbsentError(FetchError):
    """There is nothing under the address (404 or 410)."""


class _AgainError(Exception):
    """What failed may pass: a fault of the line, or an answer that says so.

    Parameters
    ----------
    said : str
        What happened.
    wait : float or None
        Seconds that the answer asks to wait.
    is_silence : bool
        Whether there was no connection to the host at all.
    """

    def __init__(self, said: str, wait: float | None = None, *, is_silence: bool = False) -> None:
        super().__init__(said)
        self.wait = wait
        self.is_silence = is_silence


@dataclass(frozen=True)
class Manners:
    """How often and how long a request is tried.

    Attributes
    ----------
    tries : int
        Tries of one request.
    first_wait, longest_wait, jitter : float
        Seconds: waits double from the first to the longest, each with a random part more.
    patience : float
        Longest ``Retry-After`` that is waited for, in seconds; a longer one ends the fetch of
        the source for this time.
    timeout : float
        Seconds without a byte after which a request counts as broken off.
    """

    tries: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    jitter: float = 1.0
    patience: float = 300.0
    timeout: float = 60.0


#: One's own mirror needs less sparing than a public server.
MIRROR_MANNERS = Manners(
    tries=6, first_wait=0.05, longest_wait=1.0, jitter=0.05, patience=30.0, timeout=10.0
)


@dataclass(frozen=True)
class Validators:
    """By what a server tells whether a file has changed."""

    etag: str = ""
    last_modified: str = ""

    @property
    def resumable(self) -> str:
        """What a download may be resumed by: a strong entity tag, else the date; '' if neither."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified

    def agrees_with(self, other: Validators) -> bool:
        """Return whether both may be of the same file: an answer need not repeat each of them."""
        return all(
            not ours or not theirs or ours == theirs
            for ours, theirs in (
                (self.etag, other.etag),
                (self.last_modified, other.last_modified),
            )
        )


@dataclass(frozen=True)
class Download:
    """A file that came whole.

    Attributes
    ----------
    path : Path
        Where it lies.
    sha256 : str
        Its checksum, of the bytes on the disk.
    validators : Validators
        To ask whether it has changed.
    simulated : bool
        A mirror says that its records are made up.
    """

    path: Path
    sha256: str
    validators: Validators
    simulated: bool


@dataclass(frozen=True)
class Page:
    """A small answer.

    Attributes
    ----------
    content : Any
        What the JSON holds.
    following : str
        Address of the next page (``Link: rel="next"``) on the same host, '' if there is none.
    simulated : bool
        A mirror says that its records are made up.
    """

    content: Any
    following: str
    simulated: bool


@dataclass
class Client:
    """Asks official addresses, directly or by way of a mirror.

    Parameters
    ----------
    today : date
        The day of the run; a server whose clock says otherwise is not believed.
    via : str or None
        Address of a mirror, without a slash at its end.
    contact : str
        Address or e-mail of who runs this, told to every server; '' for none.
    secrets : Secrets
        Keys that must not be shown.
    per_minute : int
        Requests a minute that a host is asked at most; may be set anew for every source.
    manners : Manners
        How often and how long to try; by default those for a mirror if there is one.
    tell : callable
        Told one line of progress.
    count : callable
        Told the host of every request before it is sent; may raise `FetchError`.
    now, sleep : callable
        The clock that requests are paced by, in seconds.
    """

    today: date
    via: str | None = None
    contact: str = ""
    secrets: Secrets = field(default_factory=lambda: Secrets([]))
    per_minute: int = 30
    manners: Manners | None = None
    tell: Callable[[str], None] = lambda _: None
    count: Callable[[str], None] = lambda _: None
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._manners = self.manners or (MIRROR_MANNERS if self.via else Manners())
        host = urlsplit(self.via or "").hostname
        is_here = host in ("127.0.0.1", "::1", "localhost")
        self._sends_keys = not self.via or is_here or self.via.startswith("https://")
        #: What failed and was tried again, one sentence each; to be emptied by who has read it.
        self.retried: list[str] = []
        self._last: dict[str, float] = {}
        self._down: set[str] = set()
        self._was_answered = False
        self._http = httpx2.Client(
            headers={"User-Agent": _user_agent(self.contact)},
            timeout=httpx2.Timeout(self._manners.timeout, connect=min(self._manners.timeout, 15)),
            follow_redirects=False,
            trust_env=not is_here,
            verify=_certificates(trust_env=not is_here),
        )

    @property
    def is_cut_off(self) -> bool:
        """Whether several were silent and none has answered: most likely there is no network."""
        return self._silent_bodies() > 1 and not self._was_answered

    def _silent_bodies(self) -> int:
        """Count the bodies of which a host did not answer."""
        return len(set(map(_domain, self._down)))

    def close(self) -> None:
        """Give up the connections."""
        self._http.close()

    def page(
        self,
        address: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        """Ask for a small answer in JSON.

        Parameters
        ----------
        address : str
            Official address.
        query : mapping of str to str, optional
            Put behind the address.
        body : Any, optional
            Sent as JSON by POST; without it the request is a GET.
        headers : mapping of str to str, optional
            Keys and the like; sent to the address's own host only.

        Returns
        -------
        Page

        Raises
        ------
        FetchError
            If it does not come, or is no JSON, after all tries.
        """
        if query:
            address += ("&" if "?" in address else "?") + urlencode(query)
        method, sent = ("GET", None) if body is None else ("POST", json.dumps(body).encode())

        def once() -> Page:
            with self._open(
                method, address, {"Accept": "application/json", **(headers or {})}, sent
            ) as answer:
                raw = bytearray()
                for chunk in answer.iter_bytes():
                    raw += chunk
                    if len(raw) > _MOST_OF_A_PAGE:
                        raise FetchError(
                            f"{self._named(address)} answers with no end; try again later."
                        )
                try:
                    content = json.loads(raw)
                except (ValueError, RecursionError) as error:
                    kind = "an HTML page" if raw[:200].lstrip()[:1] == b"<" else "no whole JSON"
                    raise _AgainError(f"{self._named(address)} answered with {kind}") from error
                link = answer.links.get("next", {}).get("url", "")
                following = _led_to(address, link) if link else ""
                if following and urlsplit(following)[:2] != urlsplit(address)[:2]:
                    # It would be asked with the keys of this host.
                    raise FetchError(
                        f"{self._named(address)} names a next page at {_shown(following)}, "
                        "which is another host and is not asked; look whether the source has moved."
                    )
                return Page(content, following, self._is_made_up(answer))

        return self._persist(address, once)

    def sign_in(self, address: str, form: Mapping[str, str], header: str) -> str:
        """Send a form with keys, and return the token that a header of the answer holds.

        Parameters
        ----------
        address : str
            Official address.
        form : mapping of str to str
            What is sent.
        header : str
            Name of the header.

        Returns
        -------
        str
            The token, which is kept as secret as a key.

        Raises
        ------
        FetchError
            If there is none.
        """
        if not self._sends_keys:
            raise FetchError(
                f"{self._named(address)} needs keys, and the mirror is neither on this machine nor "
                "asked by https; they are not sent there."
            )
        asked = {"Content-Type": "application/x-www-form-urlencoded"}

        def once() -> str:
            with self._open("POST", address, asked, urlencode(form).encode()) as answer:
                return answer.headers.get(header, "")

        token = self._persist(address, once)
        if not token:
            raise FetchError(
                f"{self._named(address)} answered without {header!r}; look at the keys in "
                "the settings, and whether the source has changed."
            )
        self.secrets.add(token)
        return token

    def download(
        self,
        address: str,
        target: Path,
        *,
        most: int,
        known: Validators | None = None,
        headers: Mapping[str, str] | None = None,
        within: str = "",
    ) -> Download | None:
        """Fetch a file, or learn that it has not changed.

        Parameters
        ----------
        address : str
            Official address.
        target : Path
            Where the whole file shall lie; it lies beside it until it is whole.
        most : int
            Bytes that it may have.
        known : Validators, optional
            Of the file that is held already.
        headers : mapping of str to str, optional
            Sent to the address's own host only.
        within : str
            What every address that we are sent on to must begin with.

        Returns
        -------
        Download or None
            None if the server says that the file has not changed.

        Raises
        ------
        FetchError
            If it does not come whole after all tries, or is too large.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _Partial(target, address)
        while True:
            found = self._persist(
                address, lambda: self._download_once(partial, most, known, headers or {}, within)
            )
            # A server may hand out less at once than was asked for: each time it is asked on.
            if not isinstance(found, str):
                return found

    def _download_once(
        self,
        partial: _Partial,
        most: int,
        known: Validators | None,
        headers: Mapping[str, str],
        within: str,
    ) -> Download | Literal["more"] | None:
        address, begun = partial.address, partial.begun_with().resumable
        asked = {"Accept-Encoding": "identity", **headers}
        if begun:
            asked |= {"Range": f"bytes={partial.size}-", "If-Range": begun}
        elif known and known.etag:
            asked["If-None-Match"] = known.etag
        elif known and known.last_modified:
            asked["If-Modified-Since"] = known.last_modified
        with self._open("GET", address, asked, None, within) as answer:
            if answer.status_code == 304 and known and not begun:
                return None
            if answer.status_code == 416 and begun:
                partial.drop()
                raise _AgainError(
                    f"{self._named(address)} has changed since the download broke off"
                )
            validators = Validators(
                answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
            )
            length = int(answer.headers.get("content-length") or -1)
            packed = answer.headers.get("content-encoding", "identity") != "identity"
            whole = -1 if length < 0 or packed else length
            until = whole
            if answer.status_code == 206:
                span = _SPAN.fullmatch(answer.headers.get("content-range", "").strip())
                first, last, whole = map(int, span.groups()) if span else (-1, -1, -1)
                until = last + 1
                held = partial.begun_with()
                fits = begun and first == partial.size < until <= whole and not packed
                if not fits or not held.agrees_with(validators):
                    partial.drop()
                    raise _AgainError(
                        f"{self._named(address)} answered with another part than asked for"
                    )
                validators = held
            elif answer.status_code == 200:
                partial.drop()
            else:
                raise FetchError(
                    f"{self._named(address)} answered with {answer.status_code}, unasked."
                )
            if max(whole, length) > most:
                raise FetchError(
                    f"{self._named(address)} is {max(whole, length):,} bytes long, and at "
                    f"most {most:,} are expected; look at the source, and raise its size if it has "
                    "grown."
                )
            partial.begin(validators if not packed else Validators())
            self._receive(answer, partial, most, whole)
            if until >= 0 and partial.size != until:
                if partial.size > until:
                    partial.drop()
                raise _AgainError(
                    f"{self._named(address)} broke off after {partial.size:,} of {whole:,} bytes"
                )
            if until < whole:
                return "more"
            if max(until, length) < 0 and "chunked" not in answer.headers.get(
                "transfer-encoding", ""
            ):
                validators = Validators()  # nothing tells whether this is the whole file
            made_up, promised = self._is_made_up(answer), _promised_digest(answer.headers)
        path = partial.finish()
        found = checksum(path)
        if promised and promised[1] != _digest(path, promised[0]):
            path.unlink()
            raise _AgainError(
                f"{self._named(address)} does not have the checksum that it comes with"
            )
        return Download(path, found, validators, made_up)

    def _receive(self, answer: httpx2.Response, partial: _Partial, most: int, whole: int) -> None:
        """Write the body of an answer behind what is there."""
        told, tail = partial.size, b""
        with partial.path.open("ab") as stream:
            # As they come: what is gathered into larger ones is lost when the line breaks.
            for chunk in answer.iter_bytes():
                if self.secrets.longest:
                    if self.secrets.are_in(tail + chunk):
                        stream.close()
                        partial.drop()
                        raise FetchError(
                            f"{self._named(partial.address)} repeats the key that it was "
                            "asked with, so its answer is not kept; look at the source."
                        )
                    tail = (tail + chunk)[-self.secrets.longest :]
                stream.write(chunk)
                if stream.tell() > most:
                    stream.close()
                    partial.drop()
                    raise FetchError(
                        f"{self._named(partial.address)} is longer than the {most:,} bytes "
                        "that are expected; look at the source, and raise its size if it has grown."
                    )
                if stream.tell() - told >= _TELL_EVERY:
                    told = stream.tell()
                    of = f" of {whole / 1e6:.1f}" if whole > 0 else ""
                    self.tell(f"{self._named(partial.address)}: {told / 1e6:.1f}{of} MB")
            stream.flush()
            os.fsync(stream.fileno())

    def _is_made_up(self, answer: httpx2.Response) -> bool:
        name, value = _SIMULATED
        return self.via is not None and answer.headers.get(name, "").lower() == value

    def _persist(self, address: str, once: Callable[[], T]) -> T:
        """Try until it succeeds or the tries are used up."""
        host = _host(self._place(_led_to(address, "")))
        if not self._was_answered and self._silent_bodies() >= _SILENT:
            raise FetchError(
                f"Nothing has answered in this run, so {self._named(address)} was not asked; see "
                "whether this machine is connected."
            )
        if host in self._down:
            raise FetchError(
                f"{host} did not answer earlier in this run, so {self._named(address)} was not "
                "asked; try again later."
            )
        manners, tries = self._manners, 0

        def again(error: Exception) -> bool | float:
            if not isinstance(error, _AgainError):
                return False
            # Where the first host was waited for in vain, the next is not likely to answer.
            if error.is_silence and self._down and not self._was_answered:
                return False
            self.retried.append(str(error))
            # Who asks for less than we would wait is not asked at once all the same.
            if error.wait is not None and error.wait > manners.first_wait:
                return error.wait
            return True

        try:
            for attempt in stamina.retry_context(
                on=again,
                attempts=manners.tries,
                timeout=None,
                wait_initial=manners.first_wait,
                wait_max=manners.longest_wait,
                wait_jitter=manners.jitter,
            ):
                tries = attempt.num
                with attempt:
                    return once()
        except _AgainError as error:
            if error.is_silence:
                self._down.add(host)
            times = f", {tries} times" if tries > 1 else ""
            raise FetchError(f"{error}{times}; try again later.") from None
        raise AssertionError("a try either returns or raises")

    @contextmanager
    def _open(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        body: bytes | None,
        within: str = "",
    ) -> Iterator[httpx2.Response]:
        """Send a request and give its answer, redirects followed, faults told apart.

        Raises
        ------
        _AgainError
            If it failed in a way that may pass.
        FetchError
            If it failed for good.
        """
        asked = address
        for _ in range(_MOST_REDIRECTS + 1):
            self._keep_pace(address)
            host = urlsplit(address).netloc
            self.count(host)
            # What an answer sends us on to has no business with the keys of this host.
            sent = headers if host == urlsplit(asked).netloc else _without_keys(headers)
            sent = sent if self._sends_keys else _without_keys(sent)
            if body is not None:
                sent = {"Content-Type": "application/json", **sent}
            try:
                with self._http.stream(
                    method, self._place(address), headers=dict(sent), content=body
                ) as answer:
                    self._was_answered = True
                    if answer.status_code in _REDIRECTS and "location" in answer.headers:
                        address = _led_to(address, answer.headers["location"])
                        is_ours = urlsplit(address).scheme == "https" and address.startswith(within)
                        if method != "GET" or not is_ours:
                            raise FetchError(
                                f"{self._named(asked)} sends us on to {_shown(address)}, where we "
                                "do not follow; look whether the source has moved."
                            )
                        continue
                    self._judge(answer, asked)
                    yield answer
                    return
            except httpx2.TransportError as error:
                # One slow address says nothing of the others.
                is_silence = isinstance(error, (httpx2.ConnectTimeout, httpx2.ConnectError))
                self._was_answered |= not is_silence
                said = self.secrets.hide(str(error)) or type(error).__name__
                raise _AgainError(
                    f"{self._named(asked)} cannot be read ({said})",
                    is_silence=is_silence,
                ) from None
            except UnicodeEncodeError:
                raise FetchError(
                    f"{self._named(asked)} was not asked: a key in the settings has a character "
                    "that cannot be sent, which may be an invisible one; enter the key anew."
                ) from None
            except httpx2.InvalidURL as error:
                raise FetchError(f"{self._named(asked)}: {error}; look at the source.") from None
            except httpx2.DecodingError as error:
                raise _AgainError(f"{self._named(asked)} cannot be unpacked ({error})") from None
        raise FetchError(f"{self._named(asked)} sends us on without end; look at the source.")

    def _judge(self, answer: httpx2.Response, asked: str) -> None:
        """Raise unless an answer can be used."""
        status = answer.status_code
        if status in _PASSING:
            wait = self._asked_wait(answer)
            if wait is not None and wait > self._manners.patience:
                raise FetchError(
                    f"{self._named(asked)} answered with {status} and asks to wait {wait:,.0f} "
                    "seconds; try again after that."
                )
            raise _AgainError(f"{self._named(asked)} answered with {status}", wait)
        if status in (401, 403):
            raise FetchError(
                f"{self._named(asked)} refuses us ({status}); look at the keys in the settings, "
                "and whether the source still lets programs in."
            )
        if status in (404, 410):
            raise AbsentError(
                f"{self._named(asked)} is not there ({status}); look for its new address."
            )
        if status >= 400 and status != 416:
            raise FetchError(f"{self._named(asked)} answered with {status}; look at the source.")
        said = _moment(answer.headers.get("date", ""))
        if said is not None:
            # A copy on the way keeps the date that it was made on, and says how old it is.
            age = answer.headers.get("age", "")
            if age.isdecimal():
                with suppress(OverflowError, ValueError):  # beyond all calendars: no age
                    said += timedelta(seconds=int(age))
            if abs((said.date() - self.today).days) > 1:
                raise FetchError(
                    f"{self._named(asked)} says that it is {said.date()}, and here it is "
                    f"{self.today}: a snapshot would be filed under a wrong day; set the clock."
                )

    @staticmethod
    def _asked_wait(answer: httpx2.Response) -> float | None:
        """Return the seconds of ``Retry-After``, which is a number or a moment."""
        text = answer.headers.get("retry-after", "").strip()
        if text.isdecimal():
            return float(text)
        until = _moment(text)
        since = _moment(answer.headers.get("date", "")) or datetime.now(UTC)
        return max((until - since).total_seconds(), 0.0) if until else None

    def _keep_pace(self, address: str) -> None:
        """Wait until the host may be asked again; one's own mirror may always."""
        host = urlsplit(address).netloc
        pace = 0.0 if self.via else 60 / self.per_minute
        if pace and (wait := self._last.get(host, -pace) + pace - self.now()) > 0:
            self.sleep(wait)
        self._last[host] = self.now()

    def _named(self, address: str) -> str:
        """Return an address as it may be shown, with the mirror by way of which it is asked."""
        by = f" by way of {_host(self.via)}" if self.via else ""
        return f"{_shown(address)}{by}"

    def _place(self, address: str) -> str:
        """Return where an official address is asked for."""
        parts = urlsplit(address)
        if parts.scheme != "https" or not parts.netloc:
            raise FetchError(f"{_shown(address)} is no official address; look at the source.")
        return f"{self.via}/{address.removeprefix('https://')}" if self.via else address


class _Partial:
    """A file that is being downloaded: what is there of it, and by what it may be resumed.

    Parameters
    ----------
    target : Path
        Where it will lie.
    address : str
        Official address.
    """

    def __init__(self, target: Path, address: str) -> None:
        self.target, self.address = target, address
        self.path = partial_of(target)
        self._note = self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def begun_with(self) -> Validators:
        """Return the validators of what is there; none if there is nothing to go on from."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            if note["address"] != self.address or not self.size:
                return Validators()
            return Validators(str(note["etag"]), str(note["last_modified"]))
        except (OSError, ValueError, LookupError, TypeError):
            return Validators()

    def begin(self, validators: Validators) -> None:
        """Note by what the rest can be asked for, should this break off."""
        note = {"address": self.address, **vars(validators)}
        self._note.write_text(json.dumps(note), encoding="utf-8")

    def drop(self) -> None:
        """Delete what is there."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self) -> Path:
        """Bring the whole file to its place."""
        self.path.touch()  # an empty answer is a file too
        os.replace(self.path, self.target)
        self._note.unlink(missing_ok=True)
        return self.target


@cache
def _certificates(*, trust_env: bool) -> ssl.SSLContext:
    """Read whom to trust, once a process: it costs as much as all else of a day without news."""
    return httpx2.create_ssl_context(trust_env=trust_env)


def _user_agent(contact: str) -> str:
    """Say who asks."""
    return f"shortcast/{__version__}" + (f" ({contact})" if contact else "")


def _without_keys(headers: Mapping[str, str]) -> dict[str, str]:
    keys = ("authorization", "auth-")
    return {k: v for k, v in headers.items() if not k.lower().startswith(keys)}


def _led_to(address: str, link: str) -> str:
    """Return where a link of an answer leads, itself where the link is ''.

    Raises
    ------
    FetchError
        If that is no address.
    """
    try:
        found = urljoin(address, link)
        urlsplit(found)
    except ValueError as error:
        raise FetchError(
            f"What {address.partition('?')[0]} leads to is no address ({error}); look at the "
            "source."
        ) from None
    return found


def _host(address: str) -> str:
    """Return the host of an address, without the password that a mirror's may have."""
    return urlsplit(address).netloc.rpartition("@")[2]


def _domain(host: str) -> str:
    """Return what one body's hosts have in common: fda.gov of api.fda.gov."""
    return ".".join(host.split(".")[-2:])


def _shown(address: str) -> str:
    """Return an address as it may be shown: without what a query may hold."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _moment(text: str) -> datetime | None:
    """Read a moment of a header; None if it is none."""
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _promised_digest(headers: httpx2.Headers) -> tuple[str, bytes] | None:
    """Return the checksum that an answer names for its file (RFC 9530, or the older header)."""
    promised = [item.strip().partition("=") for item in headers.get("repr-digest", "").split(",")]
    if "content-range" not in headers:
        promised.append(("md5", "=", headers.get("content-md5", "")))
    for name, _, value in promised:
        if name in ("sha-256", "sha-512", "md5") and value:
            try:
                return name.replace("-", ""), base64.b64decode(value.strip(":"), validate=True)
            except ValueError:
                continue
    return None


def _digest(path: Path, name: str) -> bytes:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, name).digest()
