"""The past of a page, from what the Internet Archive captured of it.

Its index (CDX) lists the captures, ``https://web.archive.org/web/TIMESTAMPid_/ADDRESS`` gives one
as it was captured.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from html import unescape
from itertools import groupby
from pathlib import Path
from urllib.parse import unquote_plus

from shortcast.features.fetching.client import FetchError
from shortcast.features.fetching.errand import Delivery, Errand
from shortcast.features.fetching.ways import walk
from shortcast.features.kind import data_of, marked
from shortcast.features.sources.fetching import CapturedPages, Captures

#: Share of the pages of a history that may be gone for good.
_MAY_LACK = 0.02
#: Where a listed name and its status stand on a page of the older list.
_LISTED = re.compile(r"dsp_ActiveIngredientDetails\.cfm\?([^\"'>#]+)", re.IGNORECASE)
_STATUSES = {"c": "Current", "d": "To Be Discontinued"}
#: A page that shows less than this share of the names of the one before it is not whole.
_WHOLE = 0.5


@walk.register
def _captures(way: Captures, errand: Errand) -> Iterator[Delivery]:
    """Fetch the captures of days or months that are not held, the first of each, oldest first."""
    failed: list[str] = []
    digits = 6 if way.monthly else 8
    held: dict[str, list[date]] = {}
    for snapshot in errand.held:
        held.setdefault(f"{snapshot.as_of:%Y%m%d}"[:digits], []).append(snapshot.as_of)
    # One that is whole will do: no more of the archive is read than that.
    wanted = [
        (stamp, address)
        for stamp, address in _index(way, errand, digits)
        if not any(map(errand.holds, held.get(stamp[:digits], [])))
    ]
    for number, (stamp, address) in enumerate(wanted, start=1):
        errand.tell(f"{errand.source.name}: capture {number} of {len(wanted)}, {_day(stamp)}")
        try:
            part = errand.download(_place(stamp, address), way.file, within=_place(stamp, ""))
        except FetchError as error:
            # One capture that cannot be had must not keep the later ones away.
            failed.append(str(error))
            continue
        yield Delivery(_day(stamp), (part,), is_past=True)
    _complain(failed, len(wanted))


@walk.register
def _captured_pages(way: CapturedPages, errand: Errand) -> Iterator[Delivery]:
    """Put the list of captured pages together as spells, unless a history is held already."""
    if any(errand.holds(snapshot.as_of) for snapshot in errand.held):
        errand.tell(f"{errand.source.name}: a history is held already")
        return
    chosen: list[tuple[str, str]] = []
    earlier = [(s, a) for s, a in _index(way, errand) if _day(s) <= way.until]
    for _, of_month in groupby(earlier, key=lambda capture: capture[0][:6]):
        captures = list(of_month)
        step = max(1, len(captures) // way.a_month)
        chosen += captures[::step][: way.a_month]
    failed: list[str] = []
    pages: list[tuple[date, dict[str, str]]] = []
    kept: list[Path] = []
    for number, (stamp, address) in enumerate(chosen, start=1):
        errand.tell(f"{errand.source.name}: page {number} of {len(chosen)}, {_day(stamp)}")
        try:
            kept.append(_page(stamp, address, errand))
        except FetchError as error:
            failed.append(str(error))
            continue
        names = _names(kept[-1].read_bytes())
        if names and (not pages or len(names) >= _WHOLE * len(pages[-1][1])):
            pages.append((_day(stamp), names))
    if len(failed) > _MAY_LACK * len(chosen):
        # A history is taken once: one with gaps would stay so.
        raise FetchError(
            f"{len(failed)} of {len(chosen)} captures could not be had, the first because: "
            f"{failed[0]} The others are kept for the next time; fetch the history again later."
        )
    kinds = {data_of(path.name) for path in kept}
    if len(kinds) > 1:
        raise FetchError(
            f"Some pages in {errand.folder} are made up and others not; delete that folder, and "
            "fetch the history again."
        )
    if pages:
        raw = _as_csv(_spells(pages))
        made_up = kinds == {"simulated"}
        part = errand.write(way.file, raw, f"https://{way.of}", simulated=made_up)
        for path in kept:
            path.unlink()
        for reason in failed:
            errand.tell(f"{errand.source.name}: left out, as it may be gone for good: {reason}")
        yield Delivery(pages[-1][0], (part,), is_past=True)


def _page(stamp: str, address: str, errand: Errand) -> Path:
    """Return a captured page, which an earlier run may have fetched; its name bears its kind."""
    name = f"page-{stamp}.html"
    for kind in ("real", "simulated"):
        if (path := errand.folder / marked(name, kind)).exists():
            return path
    part = errand.download(_place(stamp, address), name, anew=True, within=_place(stamp, ""))
    path = errand.folder / marked(name, "simulated" if part.simulated else "real")
    return part.path.replace(path)


def _index(way: Captures | CapturedPages, errand: Errand, digits: int = 8) -> list[tuple[str, str]]:
    """Return the first good capture of each day: its time stamp, and the address as captured.

    With six ``digits`` of the time stamps, which name the month, that of each month. One that has
    the bytes of the one before it tells nothing new and is passed over.
    """
    query = {
        "url": way.of,
        "output": "json",
        "fl": "timestamp,original,statuscode,digest",
        "filter": "statuscode:200",
    }
    rows = errand.client.page(way.address, query=query).content
    if not isinstance(rows, list) or not all(isinstance(r, list) and len(r) == 4 for r in rows):
        raise FetchError(
            f"{way.address} answered without a list of captures; look whether it has changed."
        )
    first: dict[str, tuple[str, str]] = {}
    last = None
    for stamp, address, status, digest in sorted(map(tuple, rows[1:])):
        if _is_stamp(stamp) and status == "200" and stamp[:digits] not in first:
            if digest != last:
                first[stamp[:digits]] = (stamp, address)
            last = digest
    # What a capture of today shows is what is fetched today.
    return [c for c in first.values() if _day(c[0]) < errand.today]


def _place(stamp: str, address: str) -> str:
    return f"https://web.archive.org/web/{stamp}id_/{address}"


def _is_stamp(text: str) -> bool:
    try:
        _day(text)
    except ValueError:
        return False
    return re.fullmatch(r"\d{14}", text, re.ASCII) is not None


def _day(stamp: str) -> date:
    return datetime.strptime(stamp[:8], "%Y%m%d").date()


def _complain(failed: Sequence[str], asked: int) -> None:
    if failed:
        raise FetchError(
            f"{len(failed)} of {asked} captures could not be had, the first because: {failed[0]} "
            "The others are taken; fetch the history again later."
        )


def _names(raw: bytes) -> dict[str, str]:
    """Return the generic names on a page of the older list, with their status."""
    found: dict[str, str] = {}
    for link in _LISTED.findall(raw.decode("utf-8", errors="replace")):
        asked = dict(pair.split("=", 1) for pair in unescape(link).split("&") if "=" in pair)
        fields = {name.lower(): unquote_plus(value) for name, value in asked.items()}
        name = " ".join(fields.get("ai", "").split())
        # 'r' is a shortage that has been resolved.
        if name and (status := _STATUSES.get(fields.get("st", "").strip()[:1].lower())):
            found.setdefault(name, status)
    return found


def _spells(
    pages: Sequence[tuple[date, Mapping[str, str]]],
) -> Iterable[tuple[str, str, date, date]]:
    """Yield name, last status, first and last page of each run of pages that shows a name."""
    running: dict[str, tuple[str, date, date]] = {}
    ended: list[tuple[str, str, date, date]] = []
    for day, names in pages:
        ended += [(name, *running.pop(name)) for name in [*running] if name not in names]
        for name, status in names.items():
            running[name] = (status, running[name][1] if name in running else day, day)
    ended += [(name, *spell) for name, spell in running.items()]
    return sorted(ended, key=lambda spell: (spell[0], spell[2]))


def _as_csv(spells: Iterable[tuple[str, str, date, date]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["Generic Name", "Status", "First Seen", "Last Seen"])
    writer.writerows(spells)
    return out.getvalue().encode()
