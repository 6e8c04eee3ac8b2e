"""The FDA's shortage list, as openFDA publishes it in JSON.

It feeds the same two tables as the CSV export. The field reference says that dates are
``YYYYmmdd``; real rows hold ``MM/DD/YYYY``; both are read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from shortcast.features.sources._fda_exports import only_file
from shortcast.features.sources._shortage_tables import (
    LISTINGS,
    POSTINGS,
    TEXT_COLUMNS,
    read_listings,
)
from shortcast.features.sources.contract import Reading, Source, SourceError
from shortcast.features.sources.fetching import Fetching, Newest, OpenFda
from shortcast.features.sources.tables import decode, read_bytes, read_zip, rejects, require, tidy

_REQUIRED = (
    "generic_name",
    "company_name",
    "presentation",
    "status",
    "update_date",
    "initial_posting_date",
)
# openFDA's names where ours differ.
_RENAMED = {"reason": "shortage_reason"}
_DATES = ("update_date", "change_date", "discontinued_date", "initial_posting_date")


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one JSON file of the list, plain, gzipped or zipped.

    Parameters
    ----------
    files : sequence of Path
        The one file of the snapshot.
    as_of : date
        Its day.

    Returns
    -------
    Reading
        ``shortage_postings`` and ``shortage_listings``.

    Raises
    ------
    SourceError
        If the file is no JSON, holds no list of results, or results of another kind.
    """
    path = only_file(files, SOURCE.name)
    records = _records(path)
    good = [isinstance(record, dict) for record in records]
    numbers = pd.Series(range(1, len(records) + 1), dtype="int64")
    entry = rejects(
        path.name,
        numbers[[not ok for ok in good]],
        "",
        pd.Series([str(r)[:80] for r, ok in zip(records, good, strict=True) if not ok]),
        "not a record of named fields",
    )
    fields = [record for record in records if isinstance(record, dict)]
    require(sorted({name for record in fields for name in record}), _REQUIRED, path.name)
    names = [*TEXT_COLUMNS, "status", "update_type", *_DATES]
    blocks = [block if isinstance(block := r.get("openfda"), dict) else {} for r in fields]
    frame = pd.DataFrame({name: _texts(fields, blocks, name) for name in names}, dtype="str")
    frame["source_file"], frame["source_row"] = path.name, numbers[good].to_numpy()
    return read_listings(frame, as_of, [entry])


def _records(path: Path) -> list[Any]:
    """Return the results of a JSON file.

    Raises
    ------
    SourceError
        If there are none.
    """
    raw = read_bytes(path)
    if path.suffix.lower() == ".zip":
        members = {name: raw for name, raw in read_zip(path).items() if name.endswith(".json")}
        if len(members) != 1:
            raise SourceError(
                f"{path.name} holds {len(members)} JSON files where one is expected; fetch it "
                "again."
            )
        raw = next(iter(members.values()))
    try:
        content = json.loads(decode(raw, path.name))
    except json.JSONDecodeError as error:
        raise SourceError(
            f"{path.name} is not whole JSON ({error}); it may be cut short, fetch it again."
        ) from error
    records = content.get("results") if isinstance(content, dict) else content
    if not isinstance(records, list) or not records:
        raise SourceError(
            f"{path.name} has no list of 'results', as when openFDA answers with an error; "
            "fetch it again."
        )
    return records


def _texts(
    records: Sequence[dict[str, Any]], blocks: Sequence[dict[str, Any]], name: str
) -> list[str]:
    """Return a field of each record, or of its block ``openfda``, as tidy text."""
    if name.startswith("openfda_"):
        field = name.removeprefix("openfda_")
        return [_text(block.get(field)) for block in blocks]
    field = _RENAMED.get(name, name)
    return [_text(record.get(field)) for record in records]


def _text(value: Any) -> str:
    """Return a value as tidy text: lists joined by ';', '' where it is missing."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ";".join(tidy(str(item)) for item in value)
    return tidy(str(value))


SOURCE = Source(
    name="openfda_shortages",
    title="FDA Drug Shortages, openFDA",
    publisher="US Food and Drug Administration, openFDA",
    address="https://download.open.fda.gov/drug/shortages/drug-shortages-0001-of-0001.json.zip",
    licence="CC0 1.0; its terms forbid relying on it for medical care",
    citation="openFDA. Drug Shortages (drug/shortages). US Food and Drug Administration.",
    cadence_days=1,
    files=("*.json", "*.json.gz", "*.json.zip"),
    tables=(POSTINGS, LISTINGS),
    read=read,
    required={"": _REQUIRED},
    caveats=(
        "The snapshot of 2026-06-19 is a format sample: 250 rows posted up to June 2022.",
        "Nothing follows from a row's absence from that sample.",
        "'To Be Discontinued' is a notice of discontinuation, not a shortage.",
        "The initial posting date is when a row joined the website, not when a shortage began.",
        "The openfda block needs an exact match; it vanishes from rows and comes back.",
        "A package NDC may occur twice.",
        "openFDA asks not to rely on it for decisions on medical care.",
    ),
    fetching=Fetching(
        way=OpenFda(
            "https://api.fda.gov/download.json",
            noun="drug",
            endpoint="shortages",
            sort="update_date",
        ),
        size=(50_000, 20_000_000),
        rows=800,
        fall=0.2,
        newest=Newest("shortage_listings", "update_date", within_days=45),
        per_minute=240,
        per_day=1000,
        optional_keys=("openfda_key",),
    ),
)
