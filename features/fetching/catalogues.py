"""Catalogues of open data: files listed under a title, and data sets that are asked week by week.

The catalogues are those of DCAT: a list of data sets, each with its distributions. DKAN
(data.medicaid.gov) gives the list itself, data.cms.gov puts it under ``dataset``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from shortcast.features.fetching.client import AbsentError, FetchError, Page
from shortcast.features.fetching.errand import Delivery, Errand, Part
from shortcast.features.fetching.ways import walk
from shortcast.features.sources.fetching import Catalogue, Weekly

#: More weeks than this since the last snapshot are left to ``fetch --history``.
_MOST_WEEKS = 60
_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class _Listed:
    """A file that a catalogue lists."""

    title: str
    address: str
    period: str
    modified: str

    @property
    def day(self) -> date | None:
        """When it was published, as far as the catalogue says."""
        return _day(self.modified)


@walk.register
def _catalogue(way: Catalogue, errand: Errand) -> Iterator[Delivery]:
    """Fetch the newest file under a title, or every vintage that is not held yet."""
    found = list(_files(_data_sets(way, errand), way.title))
    if not found:
        raise FetchError(
            f"{way.address} lists no CSV file under a title such as {way.title!r}; look for its "
            "new title."
        )
    if not way.all_vintages:
        newest = max(found, key=lambda listed: (listed.period, listed.modified))
        yield Delivery(errand.today, (_kept(errand, newest.address, way.file),))
        return
    for day, address in sorted(_vintages(found, way, errand.today).items()):
        if errand.holds(day):
            continue
        errand.tell(f"{errand.source.name}: {day}")
        yield Delivery(day, (_kept(errand, address, way.file),), is_past=True)


def _vintages(found: Sequence[_Listed], way: Catalogue, today: date) -> dict[date, str]:
    """Return where the files of the past are, by the day on which they count as published."""
    vintages: dict[date, str] = {}
    for listed in sorted(found, key=lambda listed: listed.modified):
        match = re.fullmatch(way.title, listed.title)
        if match and "year" in match.groupdict():
            day = date(int(match["year"]), 12, 31)
        else:
            day = listed.day
        if day is not None and day < today:
            vintages[day] = listed.address
    return vintages


def _kept(errand: Errand, address: str, file: str) -> Part:
    """Download a file, and pack it if it shall lie packed in the archive."""
    if not file.endswith(".gz"):
        return errand.download(address, file)
    return errand.pack(errand.download(address, file.removesuffix(".gz"), anew=True))


def _data_sets(way: Catalogue | Weekly, errand: Errand) -> list[dict[str, Any]]:
    """Return the data sets of a catalogue."""
    places = [way.address, *(way.also if isinstance(way, Catalogue) else ())]
    for place in places:
        try:
            content = errand.client.page(place).content
        except AbsentError:
            if place == places[-1]:
                raise
            continue
        sets = content.get("dataset") if isinstance(content, dict) else content
        if isinstance(sets, list):
            return [one for one in sets if isinstance(one, dict)]
        raise FetchError(f"{place} answered without data sets; look whether it has changed.")
    raise AssertionError("the last place either answers or raises")


def _files(sets: Sequence[dict[str, Any]], title: str) -> Iterator[_Listed]:
    """Yield the CSV files under a title."""
    for one in sets:
        name = " ".join(str(one.get("title", "")).split())
        if not re.fullmatch(title, name):
            continue
        for item in one.get("distribution") or ():
            # DKAN wraps a distribution when it is asked for its identifier too.
            given = item.get("data", item) if isinstance(item, dict) else {}
            address = given.get("downloadURL") if isinstance(given, dict) else None
            if not isinstance(address, str) or not address.startswith("https://"):
                continue
            kind = f"{given.get('mediaType', '')} {given.get('format', '')}".lower()
            if "csv" in kind or address.lower().endswith(".csv"):
                period = str(given.get("temporal") or one.get("temporal") or "")
                modified = str(given.get("modified") or one.get("modified") or "")
                yield _Listed(name, address, period, modified)


# --- Week by week --------------------------------------------------------------------------------


@walk.register
def _weekly(way: Weekly, errand: Errand) -> Iterator[Delivery]:
    """Fetch the weeks of this year that are not held, and those since the last snapshot."""
    years: dict[int, str] = {}
    for one in _data_sets(way, errand):
        match = re.fullmatch(way.title, " ".join(str(one.get("title", "")).split()))
        if match and one.get("identifier"):
            years[int(match["year"])] = str(one["identifier"])
    if not years:
        raise FetchError(
            f"{way.address} lists nothing under a title such as {way.title!r}; look for its new "
            "title."
        )
    weeks = list(_weeks(way, errand, years))
    for day, text, dataset in reversed(weeks):
        rows, week = f"{way.query}/{dataset}/0", _condition(way, text, "=")
        asked = {"limit": "1", "count": "true", **week}
        total = _count(errand.client.page(rows, query=asked), rows)
        errand.tell(f"{errand.source.name}: {day}, {total:,} rows")
        address = f"{rows}/download?{urlencode({'format': 'csv', **week})}"
        # Later weeks may be held already, where this one was set apart and is asked for again.
        is_past = errand.newest is not None and day < errand.newest.as_of
        part = _kept(errand, address, way.file)
        yield Delivery(day, (part,), total, is_past=is_past, is_part=True)


def _weeks(way: Weekly, errand: Errand, years: dict[int, str]) -> Iterator[tuple[date, str, str]]:
    """Yield the weeks that are wanted, newest first: day, as written, data set.

    That a later week is held says nothing of those before it: one that was set apart is asked for
    again, until it is held.
    """
    held = {snapshot.as_of for snapshot in errand.held}
    newest, found = max(held, default=None), 0
    for year in sorted(years, reverse=True):
        if year > errand.today.year or (newest is not None and year < newest.year):
            continue
        # Of a year that is over, what came before the first week held of it may be held as a year.
        first = (
            date.min
            if year == errand.today.year
            else min((day for day in held if day.year == year), default=date.min)
        )
        before: str | None = None
        while found < _MOST_WEEKS:
            text = _newest_week(way, errand, years[year], before)
            day = _day(text)
            if text == "" or day is None or day < first:
                break
            before = text
            if day in held:
                # Between weeks in a row that are held there is none to ask for.
                while day - _WEEK in held:
                    day -= _WEEK
                before = _as_written(day, text)
            elif day <= errand.today:  # it may be published some days ahead of its own date
                found += 1
                yield day, text, years[year]
        if newest is None and found:
            return


def _as_written(day: date, like: str) -> str:
    """Write a day as another one is written."""
    return day.strftime("%m/%d/%Y" if "/" in like[:10] else "%Y-%m-%d") + like[10:]


def _newest_week(way: Weekly, errand: Errand, dataset: str, before: str | None) -> str:
    """Return the newest week of a data set before another, as it is written; '' if none is."""
    address = f"{way.query}/{dataset}/0"
    page = errand.client.page(address, query=_sorted(way, before))
    _count(page, address)
    rows = page.content.get("results")
    if not isinstance(rows, list):
        raise FetchError(f"{address} answered without 'results'; look whether it has changed.")
    text = str(rows[0].get(way.dated_by, "")) if rows and isinstance(rows[0], dict) else ""
    if rows and _day(text) is None:
        raise FetchError(
            f"{address} answered without a date in {way.dated_by!r}; look whether its fields have "
            "changed."
        )
    return text


def _sorted(way: Weekly, before: str | None) -> dict[str, str]:
    query = {
        "limit": "1",
        "count": "true",
        "sorts[0][property]": way.dated_by,
        "sorts[0][order]": "desc",
    }
    return query if before is None else query | _condition(way, before, "<")


def _condition(way: Weekly, value: str, operator: str) -> dict[str, str]:
    return {
        "conditions[0][property]": way.dated_by,
        "conditions[0][value]": value,
        "conditions[0][operator]": operator,
    }


def _count(page: Page, address: str) -> int:
    """Return how many rows a question has in all."""
    try:
        return int(page.content["count"])
    except (LookupError, TypeError, ValueError) as error:
        raise FetchError(
            f"{address} does not say how many rows there are; look whether its answers have "
            "changed."
        ) from error


def _day(text: str) -> date | None:
    """Read a day in either of the two ways in which it is written; None if it is none."""
    for form in ("%Y-%m-%d", "%m/%d/%Y"):
        try:
            return datetime.strptime(text[:10], form).date()
        except ValueError:
            continue
    return None
