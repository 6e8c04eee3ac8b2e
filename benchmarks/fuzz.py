"""Readers under made-up and mangled files: no error but the project's own, no hang, little memory.

``python -m benchmarks.fuzz shortages --minutes 10`` mangles files of a made-up market with
Hypothesis; with ``--atheris`` (to be installed beside the project, see its own documentation)
libFuzzer does, led by which lines of the readers each file reaches. What is found is written to
``--out`` and ends the run with 1.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from shortcast.features.archive import Archive, ArchivedFile, Snapshot
from shortcast.features.parse import ReaderDefectError, parse_one
from shortcast.features.simulated import records
from shortcast.features.simulated.parameters import Parameters
from shortcast.features.sources import registry

#: Bounds of one file of some kilobytes. Our choice: real files have thousands of times as much.
LONGEST_SECONDS, MOST_BYTES = 30, 1_000_000_000

#: Between the two tables of the directory when they are mangled as one text.
_CUT = b"\x00\x00CUT\x00\x00"
_DAY = date(2025, 12, 31)
#: Lines of a table, or records of a JSON file, that are mangled at once.
_ROWS = 12


class TooLongError(Exception):
    """A reader did not come to an end."""


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes
    ----------
    source : str
        Name of the source whose reader is run.
    file : str
        Name that the mangled file bears.
    unpack, pack : callable
        From the file to the text that is mangled, and back; the text has few records.
    """

    source: str
    file: str
    unpack: Callable[[bytes], bytes]
    pack: Callable[[bytes], bytes]


def _first_lines(raw: bytes) -> bytes:
    """Cut a table after some lines, but not inside a cell."""
    lines = raw.splitlines(keepends=True)
    count = _ROWS
    while count < len(lines) and b"".join(lines[:count]).count(b'"') % 2:
        count += 1
    return b"".join(lines[:count])


def _zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        for name, raw in members.items():
            bundle.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), raw)
    return out.getvalue()


def _directory(raw: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
        return _CUT.join(_first_lines(bundle.read(f"{name}.txt")) for name in _TABLES)


_TABLES = ("product", "package")


def _as_directory(text: bytes) -> bytes:
    product, _, package = text.partition(_CUT)
    return _zipped({"product.txt": product, "package.txt": package})


def _recalls(raw: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
        content = json.loads(bundle.read(bundle.namelist()[0]))
    content["results"] = content["results"][:_ROWS]
    content["meta"]["results"]["total"] = len(content["results"])
    return json.dumps(content).encode()


_RECALLS = "drug-enforcement-0001-of-0001.json"

TARGETS = {
    "shortages": Target("fda_shortages", "Drugshortages.csv", _first_lines, bytes),
    "ndc": Target("ndc_directory", "ndctext.zip", _directory, _as_directory),
    "enforcement": Target(
        "openfda_enforcement", f"{_RECALLS}.zip", _recalls, lambda text: _zipped({_RECALLS: text})
    ),
}


class Reader:
    """Runs a reader as a build does, on one file after the other.

    Parameters
    ----------
    target : Target
        What is run.
    folder : Path
        For its files.
    """

    def __init__(self, target: Target, folder: Path) -> None:
        self._target, self._folder = target, folder
        self._archive = Archive(folder / "archive")
        self.states: Counter[str] = Counter()
        self.slowest = 0.0
        self.last = b""

    def read(self, raw: bytes) -> None:
        """Read a file, which is taken or refused.

        Parameters
        ----------
        raw : bytes
            The file.

        Raises
        ------
        ReaderDefectError, TooLongError, MemoryError
            What is looked for.
        """
        self.last = raw
        entry = ArchivedFile(
            self._target.source,
            _DAY.isoformat(),
            self._target.file,
            sha256(raw).hexdigest(),
            len(raw),
            "made up",
            "2026-01-01T00:00:00",
        )
        path = self._archive.path(entry)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        begun = time.process_time()
        with tempfile.TemporaryDirectory(dir=self._folder) as parsed, _at_most(LONGEST_SECONDS):
            found = parse_one(self._archive, Path(parsed), Snapshot(entry.source, _DAY, (entry,)))
        self.states[found.state] += 1
        self.slowest = max(self.slowest, time.process_time() - begun)
        if peak_bytes() > MOST_BYTES:
            raise MemoryError(f"{peak_bytes() / 1e9:.2f} GB were held")


def peak_bytes() -> int:
    """Return the most memory that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    def late(_: int, __: FrameType | None) -> None:
        raise TooLongError(f"still at it after {seconds} CPU seconds")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


#: What tables and JSON trip over.
_ODD = [
    *(b"", b"\x00", b"\r", b"\n", b"\r\n", b"\t", b",", b'"', b'""', b"'", b"~", b"\\", b" " * 50),
    *(
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xa0",
        b"\xc2\xa0",
        b"\x1a",
        b"\xe2\x80\xa8",
        b"\xed\xa0\x80",
    ),
    *(b"0", b"-1", b"1e999", b"NaN", b"-Infinity", b"9" * 400, b"0x10", b"1_000"),
    *(b"null", b"true", b"[]", b"{}", b"[[]]", b"[" * 2000, b'{"a":' * 2000, b'"\\ud800"', b'""'),
    *(b"00/00/0000", b"02/30/2025", b"99999999", b"20250230", b"0001-01-01", b"12/31/9999"),
    *(b"results", b"meta", b"openfda", b"NDC", b"99999-999-99", b"<html>", b"=1+1", b"%s%n"),
    *("\u0130\u0131\u212a\ufb01".encode(), "\u202e".encode(), "\U0001f600".encode()),
]


def _mangled(texts: Sequence[bytes]) -> SearchStrategy[bytes]:
    """Return texts with a few changes, by bytes, by cells, or by lines."""
    place = st.integers(0, max(map(len, texts)))
    odd = st.one_of(st.sampled_from(_ODD), st.binary(max_size=20))
    change = st.tuples(st.sampled_from(_CHANGES), place, place, odd)

    def apply(text: bytes, changes: list[tuple[Any, int, int, bytes]]) -> bytes:
        for how, first, second, new in changes:
            text = how(text, first, second, new)
        return text[:200_000]

    return st.builds(apply, st.sampled_from(texts), st.lists(change, min_size=1, max_size=6))


def _put(text: bytes, at: int, _: int, new: bytes) -> bytes:
    return text[:at] + new + text[at:]


def _over(text: bytes, at: int, size: int, new: bytes) -> bytes:
    return text[:at] + new + text[at + size % 40 :]


def _cut(text: bytes, at: int, size: int, _: bytes) -> bytes:
    return text[:at] + text[at + size % 400 :]


def _end(text: bytes, at: int, _: int, new: bytes) -> bytes:
    return text[:at] + new


def _again(text: bytes, at: int, size: int, _: bytes) -> bytes:
    return text[: at + size % 400] + text[at:]


def _cell(text: bytes, at: int, _: int, new: bytes) -> bytes:
    """Put something else for the whole cell, or the whole JSON value, at a place."""
    ends = [b for b in (b",", b"\t", b"\n", b'"', b":", b"~") if b in text]
    first = max((text.rfind(b, 0, at) for b in ends), default=-1) + 1
    last = min((p for b in ends if (p := text.find(b, at)) >= 0), default=len(text))
    return text[:first] + new + text[last:]


def _lines(text: bytes, first: int, second: int, _: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    if len(lines) < 2:
        return text
    one, other = first % len(lines), second % len(lines)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def _column(text: bytes, at: int, _: int, new: bytes) -> bytes:
    """Put something else wherever the word at a place stands, its name included."""
    word = text[at : at + 12].split(b",")[0].split(b"\t")[0].split(b'"')[0]
    return text.replace(word, new[:50]) if len(word) > 3 else text


_CHANGES = [_put, _over, _cut, _end, _again, _cell, _lines, _column]


def texts_of(target: Target, folder: Path) -> list[bytes]:
    """Return what is mangled: the text of each vintage of a made-up market.

    Parameters
    ----------
    target : Target
        What is fuzzed.
    folder : Path
        For the market's records.

    Returns
    -------
    list of bytes
    """
    made_up = records(Parameters(drugs=20, years=2, seed=14, futures=1000), folder)
    files = sorted((made_up / target.source).glob("*/*"))
    return sorted({target.unpack(path.read_bytes()) for path in files})


def with_hypothesis(
    target: Target, reader: Reader, texts: Sequence[bytes], seconds: float, first: int
) -> None:
    """Mangle with Hypothesis until the time is over; what is found is made small, and raised.

    Parameters
    ----------
    target : Target
        What is fuzzed.
    reader : Reader
        Reads.
    texts : sequence of bytes
        What is mangled.
    seconds : float
        By the clock.
    first : int
        Seed of the first round.
    """
    until = time.monotonic() + seconds
    whole = _mangled(texts).map(target.pack)
    # Some files are mangled as they lie: a zip that is none, or one with a broken member.
    packed = _mangled([target.pack(text) for text in texts])
    while time.monotonic() < until:

        @seed(first)
        @settings(
            max_examples=200,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            phases=[Phase.generate, Phase.shrink],
        )
        @given(st.one_of(whole, whole, whole, whole, packed))
        def every_file_is_taken_or_refused(raw: bytes) -> None:
            if time.monotonic() < until:
                reader.read(raw)

        every_file_is_taken_or_refused()
        first += 1


def with_atheris(
    name: str, folder: Path, texts: Sequence[bytes], seconds: float, out: Path
) -> None:
    """Let libFuzzer mangle until the time is over; it ends the process itself.

    Parameters
    ----------
    name : str
        Of the target.
    folder : Path
        For the files that are read, and those that reach something new.
    texts : sequence of bytes
        What is mangled.
    seconds : float
        By the clock.
    out : Path
        Where what is found is written.
    """
    # It is no dependency: its wheels exist for few versions of Python.
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["shortcast.features.sources"]):
        registry()  # imports the readers
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, text in enumerate(texts):
        (corpus / str(number)).write_bytes(text)
    target = TARGETS[name]
    reader = Reader(target, folder)

    def read(text: bytes) -> None:
        reader.read(target.pack(text))

    bounds = [f"-max_total_time={seconds:.0f}", "-timeout=300", f"-artifact_prefix={out}-"]
    bounds += [f"-rss_limit_mb={MOST_BYTES // 1_000_000}", "-max_len=20000", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], str(corpus), *bounds], read)
    atheris.Fuzz()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--atheris", action="store_true", help="let libFuzzer mangle")
    parser.add_argument("--out", type=Path, default=Path("found"), help="file for what is found")
    asked = parser.parse_args()
    target, seconds = TARGETS[asked.target], asked.minutes * 60
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        texts = texts_of(target, folder / "market")
        if asked.atheris:
            # In a process of its own, since libFuzzer leaves nothing behind it to be tidied.
            given_to = (asked.target, folder, texts, seconds, asked.out)
            process = get_context("spawn").Process(target=with_atheris, args=given_to)
            process.start()
            process.join()
            sys.exit(process.exitcode)
        reader = Reader(target, folder)
        try:
            with_hypothesis(target, reader, texts, seconds, asked.seed)
        except (ReaderDefectError, TooLongError, MemoryError) as error:
            asked.out.write_bytes(reader.last)
            sys.exit(f"{asked.out}: {error} ({error.__cause__!r})")
        print(
            f"{asked.target}: {reader.states.total():,} files, {dict(reader.states)}; the slowest "
            f"took {reader.slowest:.2f} CPU seconds, and {peak_bytes() / 1e6:,.0f} MB were held"
        )


if __name__ == "__main__":
    main()
