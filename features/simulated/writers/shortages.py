"""The FDA's shortage list: its history as HTML, monthly CSV exports, and openFDA's JSON.

A presentation has a row from its posting until some time after it was resolved. The list is
written as it stood on the day, with what people did to it: typing errors, rows that come late,
vanish for a month or stand twice, names that change, cells that run over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shortcast.features.simulated.world import World
from shortcast.features.simulated.writers._dirt import (
    FLICKERS,
    LATE,
    MISSPELT,
    TWICE,
    dice,
    how_many,
    misspelt,
    some,
    with_broken,
)
from shortcast.features.simulated.writers._files import (
    NEVER_DAY,
    as_days,
    csv_lines,
    day_number,
    delimited,
    place,
    write_zip,
    written,
)
from shortcast.features.simulated.writers._words import Words, month_ends

_CURRENT, _NOTICE, _RESOLVED = "Current", "To Be Discontinued", "Resolved"
#: Shares of drugs whose listed name told no form at first, and of those that were renamed when
#: the form moved into the name; the renaming falls in this part of the records.
_FORMLESS, _RENAMED, _RENAMED_AT = 0.35, 0.8, 0.7
#: Of long-running listings from before the records, some have lost their posting date.
_UNDATED = 0.05
_MISSPELT_DAYS = 120
#: The list in JSON is written for the last months only, as openFDA began late.
_JSON_MONTHS = 6

_HEADER = (
    "Generic Name,Company Name,\xa0Contact Info,\xa0Presentation,\xa0Type of Update,Date of Update,"
    "\xa0Availability Information,\xa0Related Information,\xa0Resolved Note,"
    "\xa0Reason for Shortage,\xa0Therapeutic Category,\xa0Status,\xa0Change Date,"
    "\xa0Date Discontinued,\xa0Initial Posting Date,\xa0Generic Name Note,"
    "\xa0Generic Name Link\xa0,\xa0Company Info Link,\xa0Availability Link,"
    "\xa0Related Info Link,\xa0\xa0 Resolved Note Link,\xa0Discontinued Note Link"
)
_SNAKE_HEADER = (
    "generic_name,company_name,contact_info,presentation,update_type,update_date,availability,"
    "related_info,resolved_note,reason_for_shortage,therapeutic_category,status,change_date,"
    "date_discontinued,initia_posting_date"
)
_COLUMNS = (
    "generic_name", "company_name", "contact_info", "presentation", "update_type", "update_date",
    "availability", "related_info", "resolved_note", "reason", "therapeutic_category", "status",
    "change_date", "discontinued_date", "initial_posting_date",
)  # fmt: skip
_LINKS = 7
#: Styles of the header: with odd spaces; with a nameless last column, which came later; and, in
#: one month of a year, in lower case.
_PLAIN, _TRAILING, _SNAKE = range(3)
_TRAILING_FROM = 0.6
#: How most exports write an empty cell.
_LINE_BREAK = '"\n"'


Texts = dict[str, NDArray[np.object_]]


@dataclass(frozen=True)
class Listings:
    """Everything that the list ever showed.

    Parameters
    ----------
    rows : dict of str to array
        One element a posting or notice: texts that never change, ``product``, ``posted``,
        ``late_from`` (day from which the posting is shown), and its place in the order of the
        list under the names before and after the renaming (``old_order``, ``new_order``).
    states : dict of str to array
        One element a state of a listing: ``listing`` (position in ``rows``), ``shown_from``,
        ``shown_until`` (days since 1970), ``rank`` (which of two rows of one product stands),
        and the texts that go with the state.
    renamed_on : int
        Day since 1970 from which the new names hold.
    """

    rows: dict[str, NDArray[Any]]
    states: dict[str, NDArray[Any]]
    renamed_on: int

    def on(self, day: date, rng: np.random.Generator) -> Shown:
        """Return the list as it stood on a day, in its order, without broken rows.

        Parameters
        ----------
        day : date
            The day.
        rng : Generator
            Source of chance for what is wrong on that day alone.

        Returns
        -------
        Shown
        """
        today, rows, states = day_number(day), self.rows, self.states
        there = (states["shown_from"] <= today) & (today < states["shown_until"])
        found = np.flatnonzero(there & (rows["late_from"] <= today)[states["listing"]])
        found = found[~some(rng, len(found), FLICKERS)]
        # One row a presentation: a notice waits until the shortage is over.
        product = rows["product"][states["listing"][found]]
        found = found[np.lexsort((states["rank"][found], product))]
        product = np.sort(product)
        found = found[np.append(True, product[1:] != product[:-1])[: len(found)]]
        found = np.concatenate([found, found[some(rng, len(found), TWICE)]])
        renamed = today >= self.renamed_on
        order = rows["new_order" if renamed else "old_order"][states["listing"][found]]
        found = found[np.argsort(order, kind="stable")]
        listing = states["listing"][found]
        is_new = rows["posted"][listing] + _MISSPELT_DAYS > today
        return Shown(today, listing, found, renamed, is_new)

    def columns(self, shown: Shown) -> Texts:
        """Return the cells of the list's columns.

        Parameters
        ----------
        shown : Shown
            Rows of a day.

        Returns
        -------
        dict of str to array of str
            In the order of `_COLUMNS`.
        """
        rows, states = self.rows, self.states
        special = {
            "generic_name": rows["new_name" if shown.renamed else "old_name"][shown.listing],
            "company_name": np.where(
                shown.is_new,
                rows["misspelt_company"][shown.listing],
                rows["company_name"][shown.listing],
            ),
        }
        return {
            name: special[name]
            if name in special
            else rows[name][shown.listing]
            if name in rows
            else states[name][shown.state]
            for name in _COLUMNS
        }


@dataclass(frozen=True)
class Shown:
    """Rows of the list on one day.

    Parameters
    ----------
    day : int
        Days since 1970.
    listing, state : array of int
        Positions in the tables of `Listings`.
    renamed : bool
        Whether the new names hold.
    is_new : array of bool
        Whether typing errors of the posting still stand.
    """

    day: int
    listing: NDArray[np.int64]
    state: NDArray[np.int64]
    renamed: bool
    is_new: NDArray[np.bool_]


def listings(world: World, words: Words) -> Listings:
    """Gather postings, notices and their states.

    Parameters
    ----------
    world : World
        The market.
    words : Words
        Its texts.

    Returns
    -------
    Listings
    """
    reports = world.reports
    postings, notices = reports.postings, reports.discontinuations
    count = len(postings)
    rng = dice(world, "shortage list")
    both = pd.DataFrame(
        {
            "drug": np.concatenate([postings["drug"], notices["drug"]]),
            "firm": np.concatenate([postings["firm"], notices["firm"]]),
            "product": np.concatenate([postings["product"], notices["product"]]),
            "reason": np.concatenate([postings["reason"], np.full(len(notices), "")]),
            "posted": pd.concat(
                [postings["published_at"], notices["published_at"]], ignore_index=True
            ).to_numpy(),
        }
    )
    drug, firm = both["drug"].to_numpy(), both["firm"].to_numpy()
    old, new = _names(world, words)
    company = words.company.iloc[firm].reset_index(drop=True)
    wrong = some(rng, len(both), MISSPELT)
    posted = as_days(both["posted"])
    start = day_number(world.starts_on)
    long_ago = (posted < start - 365) & (np.arange(len(both)) < count)
    shortage = np.concatenate([postings["shortage"], np.zeros(len(notices), np.int32)])
    lost = some(rng, int(shortage.max(initial=0)) + 1, _UNDATED)
    undated = long_ago & lost[shortage]
    rows = pd.DataFrame(
        {
            "product": both["product"],
            "old_name": old.iloc[drug].to_numpy(),
            "new_name": new.iloc[drug].to_numpy(),
            "company_name": company,
            "misspelt_company": misspelt(company, wrong, rng),
            "contact_info": words.telephone.iloc[firm].to_numpy(),
            "presentation": _presentations(world, both["product"].to_numpy()),
            "reason": _spelt(both["reason"], rng),
            "therapeutic_category": world.catalogue.drugs["drug_class"].iloc[drug].to_numpy(),
            "posted": posted,
            "initial_posting_date": written(both["posted"], "us").mask(undated, ""),
        }
    )
    # Some postings are put on the list with their date weeks after it.
    lasts = as_days(postings["resolved_on"]) - posted[:count]
    late = some(rng, len(rows), LATE)
    late[:count] &= lasts > 150
    rows["late_from"] = posted + np.where(late, rng.integers(35, 71, len(rows)), 0)
    states = pd.concat(
        [_posting_states(world, rng), _notice_states(notices, count, rng)], ignore_index=True
    )
    for name in ("old", "new"):
        by = rows.sort_values([f"{name}_name", "company_name", "presentation"], kind="stable")
        rows.loc[by.index, f"{name}_order"] = np.arange(len(rows))
    months = month_ends(world)
    renamed_on = day_number(months[int(len(months) * _RENAMED_AT)].replace(day=1))
    return Listings(_arrays(rows), _arrays(states), renamed_on)


def _arrays(frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """Columns as arrays, text as objects: picked from month after month."""
    return {
        name: column.to_numpy(dtype=object if column.dtype == "str" else None)
        for name, column in frame.items()
    }  # pyright: ignore[reportReturnType]


def _names(world: World, words: Words) -> tuple[pd.Series, pd.Series]:
    """Names of the drugs on the list, before and after the renaming."""
    rng = dice(world, "names of the shortage list")
    size = len(words.name)
    formless = some(rng, size, _FORMLESS)
    renamed = some(rng, size, _RENAMED)
    without_salt = some(rng, size, 0.15)
    old = words.name_and_form.where(~formless, words.name)
    bare = words.bare_name + " " + world.catalogue.drugs["form_words"]
    new = words.name_and_form.where(~without_salt, bare)
    return old, old.where(~(formless & renamed), new)


def _presentations(world: World, product: NDArray[np.int32]) -> pd.Series:
    products = world.catalogue.products.iloc[product].reset_index(drop=True)
    form = world.catalogue.drugs["form_words"].iloc[products["drug"]].reset_index(drop=True)
    return (
        form + ", " + products["strength"] + ", " + products["package"]
        + "\xa0(NDC " + products["package_ndc"] + ")"
    )  # fmt: skip


def _spelt(reasons: pd.Series, rng: np.random.Generator) -> pd.Series:
    """Reasons in the spellings that people type."""
    text = reasons.astype("str")
    odd = pd.Series(some(rng, len(text), 0.12))
    lower = odd & (rng.random(len(text)) < 0.5)
    text = text.where(~lower, text.str.lower())
    return text.where(~odd | lower | (text == ""), text + ".")


def _posting_states(world: World, rng: np.random.Generator) -> pd.DataFrame:
    updates = world.reports.posting_updates
    removed = as_days(world.reports.postings["removed_on"])
    day = as_days(updates["event_date"])
    listing = updates["posting"].to_numpy()
    after = np.append(day[1:], NEVER_DAY)
    is_last = np.append(listing[1:] != listing[:-1], True)
    until = np.where(is_last, np.maximum(removed[listing], day + 1), after)
    current = (updates["status"] == _CURRENT).to_numpy()
    told = written(updates["event_date"], "us")
    kinds = updates["update_type"].to_numpy(dtype=object)
    chance = rng.random(len(updates))
    kinds[(chance < 0.2) & (kinds == "Revised")] = "Reverified"
    kinds[(chance > 0.99) & (kinds == "Revised")] = "Revisied"
    availability = np.where(current, updates["availability"].to_numpy(dtype=object), "")
    availability[(chance > 0.995) & (availability == "Available")] = "Avaliable"
    quarter = pd.Series(rng.integers(1, 5, len(updates)), dtype="str")
    year = pd.Series(rng.integers(0, 2, len(updates)) + updates["event_date"].dt.year.to_numpy())
    tells = current & (rng.random(len(updates)) < 0.4)
    related = "Estimated recovery: Q" + quarter + " " + year.astype("str") + " – see company’s site"
    return pd.DataFrame(
        {
            "listing": listing,
            "shown_from": day,
            "shown_until": until,
            "rank": np.where(current, 0, 2),
            "status": updates["status"],
            "update_type": pd.Series(kinds, dtype="str"),
            "availability": pd.Series(availability, dtype="str"),
            "related_info": related.where(tells, ""),
            "resolved_note": pd.Series(np.where(current, "", "Supply meets demand."), dtype="str"),
            "update_date": told,
            "change_date": told.where(~current, ""),
            "discontinued_date": "",
        }
    )


def _notice_states(notices: pd.DataFrame, first: int, rng: np.random.Generator) -> pd.DataFrame:
    day = as_days(notices["published_at"])
    told = written(notices["published_at"], "us")
    return pd.DataFrame(
        {
            "listing": first + np.arange(len(notices)),
            "shown_from": day,
            "shown_until": day + rng.integers(540, 1000, len(notices)),
            "rank": 1,
            "status": _NOTICE,
            "update_type": "New",
            "availability": "",
            "related_info": "Business decision to discontinue manufacture of the drug.",
            "resolved_note": "",
            "update_date": told,
            "change_date": told,
            "discontinued_date": told,
        }
    )


def write_lists(world: World, root: Path, words: Words) -> None:
    """Write the monthly exports, and the last of them as openFDA's JSON too.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    found = listings(world, words)
    plain = {blank: _cells(found, blank) for blank in ("", _LINE_BREAK)}
    days = month_ends(world)
    odd_month = int(dice(world, "snake header").integers(1, 13))
    for number, day in enumerate(days):
        rng = dice(world, "fda_shortages", day)
        shown = found.on(day, rng)
        if not len(shown.listing):
            continue
        path = place(root, "fda_shortages", day, "Drugshortages.csv")
        later = _TRAILING if number >= len(days) * _TRAILING_FROM else _PLAIN
        style = _SNAKE if day.month == odd_month else later
        path.write_bytes(_export(plain, shown, style, rng))
        if number >= len(days) - _JSON_MONTHS:
            _write_json(world, words, found, shown, root, day)


def _cells(found: Listings, blank: str) -> Listings:
    """Return the same with every text as a cell of a CSV file."""
    return Listings(
        **{
            part: {
                name: _quoted(values, blank) if values.dtype == object else values
                for name, values in getattr(found, part).items()
            }
            for part in ("rows", "states")
        },
        renamed_on=found.renamed_on,
    )


def _quoted(texts: NDArray[np.object_], blank: str) -> NDArray[np.object_]:
    codes, words = pd.factorize(pd.Series(texts))
    cells = csv_lines(pd.DataFrame({"cell": words.astype("str")}), blank=blank)
    return np.array(cells, dtype=object)[codes] if cells else texts


def _export(
    plain: dict[str, Listings], shown: Shown, style: int, rng: np.random.Generator
) -> bytes:
    """Write one CSV export, in one of the styles that occur."""
    blank = "" if style == _SNAKE else _LINE_BREAK
    header, extra = (_SNAKE_HEADER, 0) if style == _SNAKE else (_HEADER, _LINKS)
    if style == _TRAILING:
        header, extra = header + ',"\n\n"', extra + 1
    columns = plain[blank].columns(shown)
    count, tail = len(shown.listing), ("," + blank) * extra
    records = [list(cells) for cells in zip(*columns.values(), strict=True)]
    lines = [",".join(cells) + tail for cells in records]
    broken = []
    for row in rng.integers(count, size=how_many(rng, count)):
        cells = dict(zip(_COLUMNS, records[row], strict=True))
        if rng.random() < 0.5:
            # A cell that lost its separator: the record is a field short.
            del cells["therapeutic_category"]
        else:
            cells["status"] = cells["update_date"]
        broken.append(",".join(cells.values()) + tail)
    at = _COLUMNS.index("presentation")
    for row in rng.choice(count, how_many(rng, count, 0.002), replace=False):
        # The presentation runs over into a record of its own, blank but for the rest of it.
        head, separator, rest = records[row][at].partition("\xa0(NDC")
        first = ",".join([*records[row][:at], f'{head}"', *records[row][at + 1 :]])
        over = [""] * len(_COLUMNS)
        over[at] = f'"{separator[1:]}{rest}'
        lines[row] = f"{first}{tail}\r\n{','.join(over)}{',' * extra}"
    text = delimited(header, with_broken(lines, broken, rng))
    if style == _PLAIN:
        text = "\r\n\r\n" + text
    # The encoding changes from one export to the next.
    return text.encode("cp1252" if shown.day % 2 else "utf-8-sig")


def _write_json(
    world: World, words: Words, found: Listings, shown: Shown, root: Path, day: date
) -> None:
    """Write the list as openFDA does."""
    columns = found.columns(shown)
    products = world.catalogue.products.iloc[found.rows["product"][shown.listing]]
    drugs = world.catalogue.drugs.iloc[products["drug"].to_numpy()]
    substance = words.substance.iloc[products["drug"].to_numpy()]
    rng = dice(world, "openfda_shortages", day)
    # The openfda block needs an exact match; it vanishes from rows and comes back.
    has_block = ~some(rng, len(products), 0.15)
    results = []
    for cells, ndc, product_ndc, strength, brand, form, route, active, block in zip(
        zip(*columns.values(), strict=True),
        products["package_ndc"],
        products["product_ndc"],
        products["strength"],
        products["brand"],
        drugs["form_words"],
        drugs["route"],
        substance,
        has_block,
        strict=True,
    ):
        row = dict(zip(_COLUMNS, cells, strict=True))
        for name in ("update_date", "change_date", "discontinued_date", "initial_posting_date"):
            row[name] = _padded(row[name])
        record: dict[str, object] = {name: value for name, value in row.items() if value}
        if reason := record.pop("reason", None):
            record["shortage_reason"] = reason
        record |= {
            "package_ndc": ndc,
            "therapeutic_category": [row["therapeutic_category"]],
            "dosage_form": form,
            "strength": [strength],
        }
        if brand:
            record["proprietary_name"] = brand
        if block:
            record["openfda"] = {
                "product_ndc": [product_ndc],
                "package_ndc": [ndc],
                "substance_name": active.split("; "),
                "route": [route],
                "product_type": ["HUMAN PRESCRIPTION DRUG"],
            }
        results.append(record)
    content = {"meta": meta(day, len(results)), "results": results}
    name = "drug-shortages-0001-of-0001.json"
    write_zip(
        place(root, "openfda_shortages", day, f"{name}.zip"),
        {name: json.dumps(content, ensure_ascii=False).encode()},
    )


def meta(day: date, total: int) -> dict[str, object]:
    """Return the block that openFDA puts before its results.

    Parameters
    ----------
    day : date
        Of the release.
    total : int
        Its records.

    Returns
    -------
    dict
    """
    return {
        "disclaimer": "SIMULATED: nothing in this file is real.",
        "last_updated": day.isoformat(),
        "results": {"skip": 0, "limit": total, "total": total},
    }


def _padded(day: str) -> str:
    if not day:
        return ""
    month, number, year = day.split("/")
    return f"{int(month):02d}/{int(number):02d}/{year}"


def write_html(world: World, root: Path, words: Words) -> None:
    """Write the history of the older list up to the first export.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    rng = dice(world, "fda_shortages_html")
    end = day_number(world.starts_on) - 1
    first = int(world.price_months[0].astype("datetime64[D]").astype(np.int64))
    # Archived pages lie days to weeks apart; the last is of the day before the records begin.
    pages = np.cumsum(rng.integers(2, 16, max(1, (end - first) // 2))) + first
    pages = np.append(pages[pages < end], end)
    shortages, notices = world.reports.shortages, world.reports.discontinuations
    listed = shortages[shortages["outcome"] == "listed"]
    told = notices.drop_duplicates(["drug", "published_at"])
    begun = np.concatenate([as_days(listed["published_at"]), as_days(told["published_at"])])
    over = np.concatenate([as_days(listed["delisted_on"]), as_days(told["published_at"]) + 700])
    spells = pd.DataFrame(
        {
            "drug": np.concatenate([listed["drug"], told["drug"]]),
            "status": np.repeat([_CURRENT, _NOTICE], [len(listed), len(told)]),
            "begun": begun,
            "over": over,
        }
    )
    spells = spells[spells["begun"] <= end]
    seen = np.searchsorted(pages, spells["begun"], side="left")
    gone = np.searchsorted(pages, np.minimum(spells["over"], end), side="right") - 1
    # What came and went between two pages was never seen.
    spells = spells.assign(seen=seen, gone=gone)[gone >= seen]
    history = pd.DataFrame(
        {
            "Generic Name": words.name_and_form.iloc[spells["drug"]].to_numpy(),
            "Status": spells["status"].to_numpy(),
            "First Seen": _iso(pages[spells["seen"]]),
            "Last Seen": _iso(pages[spells["gone"]]),
        }
    ).sort_values(["First Seen", "Generic Name", "Last Seen"], ignore_index=True)
    if history.empty:
        return
    text = delimited(",".join(history.columns), csv_lines(history), "\n")
    day = world.starts_on - timedelta(days=1)
    place(root, "fda_shortages_html", day, "shortage_list_history.csv").write_text(
        text, encoding="utf-8", newline=""
    )


def _iso(days: NDArray[np.int64]) -> NDArray[np.str_]:
    return days.astype("datetime64[D]").astype(str)
