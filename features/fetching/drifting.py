"""Files whose names drift: found by a page that links to them, or by trying names in turn."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from html import unescape
from pathlib import PurePosixPath
from urllib.parse import urljoin, urlsplit

from shortcast.features.fetching.client import AbsentError, FetchError
from shortcast.features.fetching.errand import Delivery, Errand, Part
from shortcast.features.fetching.ways import walk
from shortcast.features.sources.contract import SourceError
from shortcast.features.sources.fetching import LinkedFile, Quarterly, TableInZip
from shortcast.features.sources.tables import read_zip

_LINK = re.compile(r"""href\s*=\s*["']([^"']+)["']""", re.IGNORECASE)


@walk.register
def _linked_file(way: LinkedFile, errand: Errand) -> Iterator[Delivery]:
    """Fetch the file that a page links to."""
    fitting = [link for link in _links(way.address, errand) if re.search(way.link, link)]
    if not fitting:
        raise FetchError(
            f"{way.address} has no link such as {way.link!r}; look whether the page has changed."
        )
    yield Delivery(errand.today, (errand.download(fitting[-1], way.file),))


def _links(address: str, errand: Errand) -> list[str]:
    """Return where the links of a page lead."""
    found: list[str] = []
    for link in _LINK.findall(errand.text(address)):
        with suppress(ValueError):  # what is no address, such as a placeholder, leads nowhere
            found.append(urljoin(address, unescape(link).strip()))
    return found


# --- Files of a quarter --------------------------------------------------------------------------


@walk.register
def _quarterly(way: Quarterly, errand: Errand) -> Iterator[Delivery]:
    """Fetch the newest quarter, or every quarter of the past that is not held yet."""
    try:
        links = _links(way.address, errand)
    except FetchError as error:
        errand.tell(f"{errand.source.name}: {error} Names are tried instead.")
        links = []
    newest = errand.today + timedelta(days=way.ahead)
    if way.since is None:
        for quarter in (_quarter(newest), _quarter(_quarter(newest) - timedelta(days=1))):
            if parts := _of_quarter(way, errand, links, quarter):
                yield Delivery(errand.today, parts)
                return
        raise AbsentError(
            f"{way.address} links to no file of a recent quarter, and none is under the names "
            "that they have had; look for the new names."
        )
    quarter = _quarter(errand.today)
    while quarter.year >= way.since:
        if not errand.holds(quarter) and (parts := _of_quarter(way, errand, links, quarter)):
            yield Delivery(quarter, parts, is_past=True)
        quarter = _quarter(quarter - timedelta(days=1))


def _quarter(day: date) -> date:
    """Return the first day of a day's quarter."""
    return day.replace(month=day.month - (day.month - 1) % 3, day=1)


def _of_quarter(
    way: Quarterly, errand: Errand, links: list[str], quarter: date
) -> tuple[Part, ...]:
    """Return the files of a quarter, none unless the first of them is there."""
    parts: list[Part] = []
    for beginnings, endings in way.names:
        part = _one_of_quarter(way, errand, links, quarter, beginnings, endings)
        if part is None and not parts:
            return ()
        if part is not None:
            parts.append(part)
    return tuple(parts)


def _one_of_quarter(
    way: Quarterly,
    errand: Errand,
    links: list[str],
    quarter: date,
    beginnings: tuple[str, ...],
    endings: tuple[str, ...],
) -> Part | None:
    """Return one file of a quarter; None if it is under none of the names."""
    month = f"{quarter:%B-%Y}".lower()
    begin = "|".join(map(re.escape, beginnings))
    pattern = re.compile(rf"/{month}-(?:{begin})[^/]*\.zip$", re.IGNORECASE)
    linked = [link for link in links if pattern.search(urlsplit(link).path)]
    tried = [f"{way.folder}{month}-{b}{e}.zip" for b in beginnings for e in endings]
    for address in dict.fromkeys([*linked, *tried]):
        try:
            return errand.download(address, PurePosixPath(urlsplit(address).path).name)
        except AbsentError:
            continue
    return None


# --- A table inside a zip ------------------------------------------------------------------------


@walk.register
def _table_in_zip(way: TableInZip, errand: Errand) -> Iterator[Delivery]:
    """Fetch a zip, and keep one of its tables without the columns that are not wanted."""
    name = PurePosixPath(urlsplit(way.address).path).name
    bundle = errand.download(way.address, name, anew=True)
    try:
        (raw,) = read_zip(bundle.path, only=way.member).values()
    except (SourceError, ValueError) as error:
        raise FetchError(
            f"{way.address} is no whole zip with {way.member} in it; fetch it again, or look "
            "whether it has changed."
        ) from error
    finally:
        bundle.path.unlink()
    text = raw.decode("utf-8", errors="replace")
    rows = [line.split("\t") for line in text.splitlines() if line.strip()]
    header = [name.strip() for name in rows[0]] if rows else []
    kept = [at for at, name in enumerate(header) if name and name not in way.leave_out]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([header[at] for at in kept])
    # Rows end in a tab of their own; one that is short keeps its width, which the reader judges.
    writer.writerows([[row[at].strip() for at in kept if at < len(row)] for row in rows[1:]])
    raw = out.getvalue().encode()
    part = errand.write(way.file, raw, way.address, simulated=bundle.simulated)
    yield Delivery(errand.today, (part,), len(rows) - 1 if rows else 0)
