"""Interfaces that need an account: a sign-in for a token, then reports page by page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shortcast.features.fetching.client import FetchError, Page
from shortcast.features.fetching.errand import Delivery, Errand
from shortcast.features.fetching.ways import walk
from shortcast.features.sources.fetching import Reports

_PAGE_ROWS, _MOST_PAGES = 500, 2000
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ]\d{2}:\d{2}.*")


@walk.register
def _reports(way: Reports, errand: Errand) -> Iterator[Delivery]:
    """Sign in, and page through the reports until there are as many as the source says."""
    user, password = errand.keys.values()
    form = {"email": user, "password": password}
    headers: dict[str, str] = {}
    reports: list[Mapping[str, Any]] = []
    simulated, total = True, 0
    for _ in range(_MOST_PAGES):
        # By number of the report: a page then holds the same whenever it is asked.
        query = {
            "limit": str(_PAGE_ROWS),
            "offset": str(len(reports)),
            "orderby": "id",
            "order": "asc",
        }

        def ask(query: dict[str, str] = query) -> Page:
            if not headers:
                headers[way.token] = errand.client.sign_in(way.sign_in, form, way.token)
            return errand.client.page(way.address, query=query, headers=headers)

        found, total, made_up = errand.kept_page(
            query["offset"],
            ask,
            lambda page: (*_page_of(page.content, way.address), page.simulated),
        )
        simulated &= made_up
        reports += found
        errand.tell(f"{errand.source.name}: {len(reports):,} of {total:,} reports")
        if not found or len(reports) >= total:
            break
    # A report that came in while the pages were asked may stand on two of them.
    reports = list({str(report.get("id")): report for report in reports}.values())
    rows = [
        [_value(report, places, way.words) for places in way.columns.values()] for report in reports
    ]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([list(way.columns), *rows])
    raw = out.getvalue().encode()
    part = errand.write(way.file, raw, way.address, simulated=simulated)
    missing = f"{way.address}: {len(reports):,} reports came of the {total:,} that it says it has"
    short = (missing,) if len(reports) < total else ()
    yield Delivery(errand.today, (part,), len(reports), short)


def _page_of(content: Any, address: str) -> tuple[Sequence[Mapping[str, Any]], int]:
    """Return the reports of a page, and how many there are in all."""
    rows = content.get("data") if isinstance(content, dict) else None
    total = content.get("total") if isinstance(content, dict) else None
    whole = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
    if not isinstance(rows, list) or not whole or not isinstance(total, int):
        raise FetchError(
            f"{address} answered without reports and their number; look whether its answers have "
            "changed."
        )
    return rows, total


def _value(report: Mapping[str, Any], places: Sequence[str], words: Mapping[str, str]) -> str:
    """Return the text of the first place that has one."""
    for place in places:
        value: Any = report
        for name in place.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, bool):
            return "Yes" if value else "No"
        text = "; ".join(str(value).split("\n")) if value is not None else ""
        text = _MOMENT.sub(r"\1", text.strip())
        if text:
            return words.get(text, text)
    return ""
