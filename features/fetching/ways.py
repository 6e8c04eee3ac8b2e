"""How each way of handing out records is walked: from a description to files.

A new way is a class in ``shortcast.features.sources.fetching`` and a function here that is
registered for it and yields what it brings, one `Delivery` a snapshot.
"""

from __future__ import annotations

import csv
import io
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import singledispatch
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urljoin, urlsplit

from shortcast.features.fetching.client import AbsentError, FetchError, Page
from shortcast.features.fetching.errand import Delivery, Errand
from shortcast.features.fetching.secrets import Secrets
from shortcast.features.sources.fetching import Dashboard, OpenFda, PlainFile, Way, WebTable

#: Most rows that each kind of interface hands out at once.
_API_ROWS, _DASHBOARD_ROWS, _WEB_ROWS = 1000, 5000, 500
#: No table that is fetched by pages is longer.
_MOST_PAGES = 2000


@singledispatch
def walk(way: Way, errand: Errand) -> Iterator[Delivery]:
    """Fetch what a way leads to.

    Parameters
    ----------
    way : Way
        The description.
    errand : Errand
        What to work with.

    Yields
    ------
    Delivery
        One a snapshot, unchecked.

    Raises
    ------
    FetchError
        If it does not come.
    """
    raise TypeError(f"nothing is registered for {type(way).__name__}")


@walk.register
def _plain_file(way: PlainFile, errand: Errand) -> Iterator[Delivery]:
    yield Delivery(errand.today, (errand.download(way.address, way.file),))


# --- openFDA -------------------------------------------------------------------------------------


@walk.register
def _open_fda(way: OpenFda, errand: Errand) -> Iterator[Delivery]:
    """Fetch the bulk files that ``download.json`` names, else all pages of the interface."""
    headers = _openfda_key(errand.keys)
    try:
        listed = _bulk_files(errand.client.page(way.address, headers=headers).content, way)
    except AbsentError as error:
        errand.tell(f"{errand.source.name}: {error} The interface is asked instead.")
        listed = None
    if listed is not None:
        files, total, short = listed
        try:
            parts = tuple(errand.download(address, name) for address, name in files.items())
            yield Delivery(errand.today, parts, total, short)
            return
        except AbsentError as error:
            errand.tell(f"{errand.source.name}: {error} The interface is asked instead.")
    yield _open_fda_pages(way, errand, headers)


def _openfda_key(keys: Mapping[str, str]) -> dict[str, str]:
    """Return the header that bears openFDA's key, so that no address does."""
    key = next(iter(keys.values()), "")
    return {"Authorization": f"Basic {b64encode(f'{key}:'.encode()).decode()}"} if key else {}


def _bulk_files(content: Any, way: OpenFda) -> tuple[dict[str, str], int, tuple[str, ...]] | None:
    """Return names by address, total and what does not add up; None if no files are listed."""
    try:
        entry = content["results"][way.noun][way.endpoint]
        parts = entry["partitions"]
        addresses = [str(part["file"]) for part in parts]
        files = {address: PurePosixPath(urlsplit(address).path).name for address in addresses}
        total = int(entry["total_records"])
        have = sum(int(part["records"]) for part in parts)
    except (LookupError, TypeError, ValueError):
        return None
    if not all(files.values()) or not files:
        return None
    if have != total:
        said = f"download.json lists files of {have:,} records where the source has {total:,}"
        return files, total, (said,)
    return files, total, ()


def _open_fda_pages(way: OpenFda, errand: Errand, headers: Mapping[str, str]) -> Delivery:
    """Page through the interface by ``search_after``, and put the pages together as one file."""
    base = urljoin(way.address, f"/{way.noun}/{way.endpoint}.json")
    query = {"limit": str(_API_ROWS), "sort": f"{way.sort}:asc"}
    page = errand.client.page(base, query=query, headers=headers)
    meta, total = _meta(page, base)
    results: list[Any] = []
    simulated = page.simulated
    for _ in range(_MOST_PAGES):
        results += _results(page, base)
        errand.tell(f"{errand.source.name}: {len(results):,} of {total:,} records")
        if not page.following or len(results) >= total:
            break
        page = errand.client.page(page.following, headers=headers)
        simulated &= page.simulated
    meta["results"] = {"skip": 0, "limit": len(results), "total": total}
    raw = json.dumps({"meta": meta, "results": results}, sort_keys=True).encode()
    name = f"{way.noun}-{way.endpoint}-0001-of-0001.json"
    part = errand.write(name, raw, base, simulated=simulated)
    short = _shortfall(base, len(results), total)
    return Delivery(errand.today, (part,), total, short)


def _meta(page: Page, address: str) -> tuple[dict[str, Any], int]:
    try:
        return dict(page.content["meta"]), int(page.content["meta"]["results"]["total"])
    except (LookupError, TypeError, ValueError) as error:
        raise FetchError(
            f"{address} does not say how many records there are; look whether its answers have "
            "changed."
        ) from error


def _results(page: Page, address: str) -> list[Any]:
    found = page.content.get("results") if isinstance(page.content, dict) else None
    if not isinstance(found, list):
        raise FetchError(
            f"{address} answered without 'results'; look whether its answers have changed."
        )
    return found


def _shortfall(what: str, have: int, total: int) -> tuple[str, ...]:
    """Say that rows are missing, if they are."""
    if have == total:
        return ()
    return (f"{what}: {have:,} records came, and the source says that it has {total:,}",)


# --- FDA Data Dashboard --------------------------------------------------------------------------


@walk.register
def _dashboard(way: Dashboard, errand: Errand) -> Iterator[Delivery]:
    """Fetch every year by itself, and hold each against the count that the source gives."""
    user, key = errand.keys.values()
    headers = {"Authorization-User": user, "Authorization-Key": key}
    rows: list[dict[str, Any]] = []
    short: list[str] = []
    kinds: set[bool] = set()
    for year in range(way.since, errand.today.year + 1):
        found, count, simulated = _dashboard_year(way, errand, year, headers)
        errand.tell(f"{errand.source.name}: {year}: {len(found):,} of {count:,} rows")
        short += _shortfall(f"{way.address} for {year}", len(found), count)
        rows += found
        kinds |= simulated
    part = errand.write(way.file, _as_csv(rows), way.address, simulated=kinds == {True})
    # Counted above year by year: the reader may make one row of several.
    yield Delivery(errand.today, (part,), None, tuple(short))


def _dashboard_year(
    way: Dashboard, errand: Errand, year: int, headers: Mapping[str, str]
) -> tuple[list[dict[str, Any]], int, set[bool]]:
    """Return the rows of one year, how many there should be, and of which kind they are."""
    filters = {name: list(values) for name, values in way.filters.items()}
    filters[f"{way.dated_by}From"] = [f"{year}-01-01"]
    filters[f"{way.dated_by}To"] = [f"{year}-12-31"]
    rows: list[dict[str, Any]] = []
    kinds: set[bool] = set()
    total = 0
    for _ in range(_MOST_PAGES):
        body = {
            "start": len(rows) + 1,
            "rows": _DASHBOARD_ROWS,
            "sort": way.sort,
            "sortorder": "ASC",
            "returntotalcount": True,
            "filters": filters,
            "columns": [],
        }
        found, count, simulated = errand.kept_page(
            f"{year}-{len(rows)}",
            lambda body=body: errand.client.page(way.address, body=body, headers=headers),
            lambda page: (
                *_dashboard_rows(page, way.address, errand.client.secrets),
                page.simulated,
            ),
        )
        kinds.add(simulated)
        rows += found
        total = max(total, count)
        # The step is what came, not what was asked for: the cap may be lower than it says.
        if not found or len(rows) >= total:
            break
    return rows, total, kinds


def _dashboard_rows(page: Page, address: str, secrets: Secrets) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of a page, and how many there are in all.

    Whether an answer is good shows in its rows: good ones have come with a status code of 400
    in their body, and bad ones with HTTP 200.
    """
    content = page.content if isinstance(page.content, dict) else {}
    rows = content.get("result")
    total = content.get("totalrecordcount", content.get("totalcount"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        # Half a key would not be known for one: it is hidden before the message is cut.
        said = secrets.hide(str(content.get("message", "none")))[:200]
        raise FetchError(
            f"{address} answered without rows (its message: {said!r}); look at the keys and the "
            "fields."
        )
    if not isinstance(total, int):
        raise FetchError(
            f"{address} does not say how many rows there are, so a cut cannot be told from the "
            "whole; look whether its answers have changed."
        )
    return rows, total


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Write rows as CSV; the same rows make the same bytes."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return _csv(columns, ([_text(row.get(name)) for name in columns] for row in rows))


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([columns, *rows])
    return out.getvalue().encode()


def _text(value: Any) -> str:
    """Return a cell as text; a midnight that stands for a day goes."""
    return "" if value is None else str(value).removesuffix("T00:00:00")


# --- Tables of the FDA's website -----------------------------------------------------------------


@walk.register
def _web_table(way: WebTable, errand: Errand) -> Iterator[Delivery]:
    """Page through a table of the website until it has as many rows as it says."""
    rows: list[list[str]] = []
    total, simulated = 0, True
    for _ in range(_MOST_PAGES):
        query = {**way.query, "start": str(len(rows)), "length": str(_WEB_ROWS)}
        page = errand.client.page(way.address, query=query)
        found, total = _web_rows(page, way)
        simulated &= page.simulated
        rows += found
        errand.tell(f"{errand.source.name}: {len(rows):,} of {total:,} rows")
        if not found or len(rows) >= total:
            break
    columns = [way.link_column, *(name for name in way.columns if name)]
    part = errand.write(way.file, _csv(columns, rows), way.address, simulated=simulated)
    yield Delivery(errand.today, (part,), total, _shortfall(way.address, len(rows), total))


def _web_rows(page: Page, way: WebTable) -> tuple[list[list[str]], int]:
    content = page.content if isinstance(page.content, dict) else {}
    data, total = content.get("data"), content.get("recordsTotal")
    wide = isinstance(data, list) and all(
        isinstance(row, list) and len(row) >= len(way.columns) for row in data
    )
    if not isinstance(data, list) or not wide or not isinstance(total, int):
        raise FetchError(
            f"{way.address} answered without a table of {len(way.columns)} columns; look whether "
            "the page has changed."
        )
    rows = []
    for row in data:
        cells = dict(zip(way.columns, map(_Cell.read, row), strict=False))
        rows.append([cells[way.link_in].link, *(cells[n].text for n in way.columns if n)])
    return rows, total


class _Cell(HTMLParser):
    """The text of a cell, and where its first link leads."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._texts: list[str] = []
        self.link = ""

    @classmethod
    def read(cls, html: Any) -> _Cell:
        cell = cls()
        cell.feed("" if html is None else str(html))
        cell.close()
        return cell

    @property
    def text(self) -> str:
        return " ".join("".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and not self.link:
            self.link = dict(attrs).get("href") or ""

    def handle_data(self, data: str) -> None:
        self._texts.append(data)
