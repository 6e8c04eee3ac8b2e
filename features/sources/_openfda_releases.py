"""A release of openFDA: JSON in one file or several, all of which belong together.

A release that lacks a part, a page or a field reads as well as a whole one, so it is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from shortcast.features.sources.contract import SourceError
from shortcast.features.sources.tables import decode, read_bytes, read_zip, tidy

_PARTITION = re.compile(r"-(\d{4})-of-(\d{4})\.json")
_RESULTS = re.compile(r'(?<!\\)"results"\s*:\s*\[')
#: Records that are held as objects together; all of a release would take some gigabytes.
ROWS_AT_ONCE = 20_000


def read_release(
    files: Sequence[Path], required: Collection[str], endpoint: str
) -> Iterator[tuple[str, list[dict[str, Any]], int]]:
    """Yield the records of a release, some at a time.

    Parameters
    ----------
    files : sequence of Path
        All partitions of the release: JSON, zipped or gzipped or plain.
    required : collection of str
        Fields that some record of every file has.
    endpoint : str
        Where it comes from, for errors: ``drug/enforcement``.

    Yields
    ------
    file : str
        Name of the file.
    records : list of dict
        Records; what is no record stands as an empty one.
    first : int
        Number of the first of them in the file, from 1.

    Raises
    ------
    SourceError
        If a file is damaged, is not such a release, or a part of the release is missing: what
        was yielded before is then worth nothing.
    """
    _check_partitions(files)
    have, promised = 0, 0
    for path in files:
        told: dict[str, int] = {}
        seen: set[str] = set()
        first = 1
        for records in _batches(path.name, _content(path), told):
            seen.update(*records)
            yield path.name, records, first
            first += len(records)
        missing = [name for name in required if name not in seen]
        if missing:
            raise SourceError(
                f"{path.name}: no record has the field(s) {', '.join(missing)}, as in a "
                f"release of {endpoint}; fetch that one."
            )
        have, promised = have + told["have"], max(promised, told["promised"])
    if have < promised:
        raise SourceError(
            f"{', '.join(path.name for path in files)}: {have:,} of {promised:,} records are "
            "there; fetch all pages, or the bulk file."
        )


def text_of(value: Any) -> str:
    """Return a value of the JSON as tidy text: lists joined by |, '' where there is none."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "|".join(tidy(str(item)) for item in value)
    return tidy(str(value))


def _check_partitions(files: Sequence[Path]) -> None:
    """Refuse a release that lacks one of its numbered parts."""
    numbered = [match for path in files if (match := _PARTITION.search(path.name))]
    for _, total in {match.groups() for match in numbered}:
        have = {int(match[1]) for match in numbered if match[2] == total}
        lost = sorted(set(range(1, int(total) + 1)) - have)
        if lost:
            raise SourceError(
                f"The release consists of {int(total)} files and number "
                f"{', '.join(map(str, lost))} is missing; fetch it as well."
            )


def _content(path: Path) -> str:
    """Return the text of one file of the release."""
    if path.suffix == ".zip":
        members = {name: raw for name, raw in read_zip(path).items() if name.endswith(".json")}
        if len(members) != 1:
            raise SourceError(
                f"{path.name} holds {len(members)} JSON files where one is expected; fetch it "
                "again."
            )
        return decode(members.popitem()[1], path.name)
    return decode(read_bytes(path), path.name)


def _batches(file: str, text: str, told: dict[str, int]) -> Iterator[list[dict[str, Any]]]:
    """Yield the records, some at a time: as objects all of them would fill the memory.

    How many the file holds (``have``) and how many it says there are in all (``promised``) is
    told at the end. What is no record stands as an empty one.
    """
    begin = _RESULTS.search(text)
    position, some = begin.end() if begin else 0, []
    told["have"] = 0
    try:
        for record, after in _elements(text, position) if begin else ():
            some.append(record if isinstance(record, dict) else {})
            position = after
            if len(some) == ROWS_AT_ONCE:
                told["have"] += len(some)
                yield some
                some = []
        # What stands around the records; line breaks, so that an error names its line.
        lines = "\n" * text.count("\n", begin.end() if begin else 0, position)
        around = json.loads(text[: begin.end()] + lines + text[position:] if begin else text)
    except json.JSONDecodeError as error:
        raise SourceError(
            f"{file} is not whole JSON (line {error.lineno}: {error.msg}); fetch it again."
        ) from error
    if not isinstance(around, dict) or around.get("results") != []:
        raise SourceError(
            f"{file} has no list 'results', as a release of openFDA has; fetch it again."
        )
    told["have"] += len(some)
    if not told["have"]:
        raise SourceError(f"{file} has no record in 'results'; fetch it again.")
    if some:
        yield some
    told["promised"] = int(((around.get("meta") or {}).get("results") or {}).get("total") or 0)


def _elements(text: str, position: int) -> Iterator[tuple[Any, int]]:
    """Yield what a JSON list holds, each with the position after it, from after its bracket on."""
    decoder, black = json.JSONDecoder(), re.compile(r"[^ \t\n\r]|\Z")

    def skip(position: int) -> int:
        found = black.search(text, position)
        return found.start() if found else len(text)

    position = skip(position)
    if text[position : position + 1] == "]":
        return
    while True:
        element, position = decoder.raw_decode(text, position)
        yield element, position
        position = skip(position)
        if text[position : position + 1] == "]":
            return
        if text[position : position + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
        position = skip(position + 1)
