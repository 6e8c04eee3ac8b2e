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
_JSON_MONTHS = 12

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


@dataclass(frozen=True)
class Listings:
    """Everything that the list ever showed.

    Parameters
    ----------
    rows : DataFrame
        One row a posting or notice: texts that never change, ``product``, ``old_name``,
        ``new_name``, ``late_days`` (days for which the posting is not shown at first),
        ``misspelt_company``.
    states : DataFrame
        One row a state of a listing: ``listing`` (position in ``rows``), ``shown_from``,
        ``shown_until`` (days since 1970), ``rank`` (which of two rows of one product stands),
        and the texts that go with the state.
    renamed_on : int
        Day since 1970 from which the new names hold.
    """

    rows: pd.DataFrame
    states: pd.DataFrame
    renamed_on: int

    def on(self, day: date, rng: np.random.Generator) -> pd.DataFrame:
        """Return the list as it stood on a day, in its order, without broken rows.

        Parameters
        ----------
        day : date
            The day.
        rng : Generator
            Source of chance for what is wrong on that day alone.

        Returns
        -------
        DataFrame
            `_COLUMNS` and ``product``.
        """
        today = day_number(day)
        states = self.states
        shown = (states["shown_from"].to_numpy() <= today) & (
            today < states["shown_until"].to_numpy()
        )
        found = states[shown]
        late = self.rows["late_from"].to_numpy()[found["listing"]]
        found = found[(late <= today) & ~some(rng, len(found), FLICKERS)]
        # One row a presentation: a notice waits until the shortage is over.
        found = found.assign(product=self.rows["product"].to_numpy()[found["listing"]])
        found = found.sort_values(["product", "rank"], kind="stable").drop_duplicates("product")
        rows = self.rows.iloc[found["listing"].to_numpy()].reset_index(drop=True)
        found = found.reset_index(drop=True)
        name = rows["old_name"] if today < self.renamed_on else rows["new_name"]
        wrong = rows["posted_day"] + _MISSPELT_DAYS > today
        listed = pd.DataFrame(
            {
                "generic_name": name,
                "company_name": rows["company_name"].where(~wrong, rows["misspelt_company"]),
                "contact_info": rows["contact_info"],
                "presentation": rows["presentation"],
                "update_type": found["update_type"],
                "update_date": found["update_date"],
                "availability": found["availability"],
                "related_info": found["related_info"],
                "resolved_note": found["resolved_note"],
                "reason": rows["reason"].where(found["status"] != _NOTICE, ""),
                "therapeutic_category": rows["therapeutic_category"],
                "status": found["status"],
                "change_date": found["change_date"],
                "discontinued_date": found["discontinued_date"],
                "initial_posting_date": rows["initial_posting_date"],
                "product": rows["product"],
            }
        )
        twice = np.flatnonzero(some(rng, len(listed), TWICE))
        listed = pd.concat([listed, listed.iloc[twice]], ignore_index=True)
        return listed.sort_values(
            ["generic_name", "company_name", "presentation"], kind="stable", ignore_index=True
        )


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
            "posted_day": posted,
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
    months = month_ends(world)
    renamed_on = day_number(months[int(len(months) * _RENAMED_AT)].replace(day=1))
    return Listings(rows, states, renamed_on)


def _names(world: World, words: Words) -> tuple[pd.Series, pd.Series]:
    """Names of the drugs on the list, before and after the renaming."""
    rng = dice(world, "names of the shortage list")
    size = len(words.name)
    formless = some(rng, size, _FORMLESS)
    renamed = some(rng, size, _RENAMED)
    without_salt = some(rng, size, 0.15)
    old = words.name_and_form.where(~formless, words.name)
    form = words.name_and_form.str.slice(0)
    bare = words.bare_name + " " + world.catalogue.drugs["form_words"]
    new = form.where(~without_salt, bare)
    return old, old.where(~(formless & renamed), new)


def _presentations(world: World, product: NDArray[np.int32]) -> pd.Series:
    products = world.catalogue.products.iloc[product].reset_index(drop=True)
    form = world.catalogue.drugs["form_words"].iloc[products["drug"]].reset_index(drop=True)
    return (
        form + ", " + products["strength"] + ", " + products["package"]
        + " (NDC " + products["package_ndc"] + ")"
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
    days = month_ends(world)
    for number, day in enumerate(days):
        rng = dice(world, "fda_shortages", day)
        listed = found.on(day, rng)
        if listed.empty:
            continue
        place(root, "fda_shortages", day, "Drugshortages.csv").write_bytes(
            _export(listed, day, rng)
        )
        if number >= len(days) - _JSON_MONTHS:
            _write_json(world, words, listed, root, day)


def _export(listed: pd.DataFrame, day: date, rng: np.random.Generator) -> bytes:
    """One CSV export, in one of the styles that occur."""
    style = rng.choice(3, p=(0.72, 0.1, 0.18))
    columns = listed[list(_COLUMNS)].copy()
    columns["presentation"] = columns["presentation"].str.replace(" (NDC", "\xa0(NDC")
    if style == 1:
        header, blank = _SNAKE_HEADER, ""
    else:
        header, blank = _HEADER, '"\n"'
        for number in range(_LINKS):
            columns[f"link_{number}"] = ""
        if style == 2:
            header += ',"\n\n"'
            columns["no_name"] = ""
    lines = csv_lines(columns, blank=blank)
    lines = _run_over(lines, columns, rng)
    broken = []
    for row in rng.integers(len(columns), size=how_many(rng, len(columns))):
        one = columns.iloc[[row]].copy()
        if rng.random() < 0.5:
            # A cell that lost its separator: the record is a field short.
            broken.append(csv_lines(one.drop(columns="therapeutic_category"))[0])
        else:
            one["status"] = one["update_date"]
            broken.append(csv_lines(one)[0])
    text = delimited(header, with_broken(lines, broken, rng), "\r\n")
    if style == 0 and rng.random() < 0.5:
        text = "\r\n\r\n" + text
    if rng.random() < 0.5:
        return text.encode("cp1252", errors="replace")
    return text.encode("utf-8-sig")


def _run_over(lines: list[str], columns: pd.DataFrame, rng: np.random.Generator) -> list[str]:
    """Let the presentation of a few rows run over into a record of its own."""
    width = columns.shape[1]
    at = columns.columns.get_loc("presentation")
    found = list(lines)
    for row in np.sort(rng.choice(len(lines), how_many(rng, len(lines), 0.002), replace=False)):
        presentation = columns["presentation"].iloc[row]
        head, separator, tail = presentation.partition("\xa0(NDC")
        one = columns.iloc[[row]].assign(presentation=head)
        cells = [""] * width
        cells[at] = f'"{separator[1:]}{tail}"'
        found[row] = csv_lines(one)[0] + "\r\n" + ",".join(cells)
    return found


def _write_json(world: World, words: Words, listed: pd.DataFrame, root: Path, day: date) -> None:
    """Write the list as openFDA does."""
    products = world.catalogue.products.iloc[listed["product"].to_numpy()]
    drugs = world.catalogue.drugs.iloc[products["drug"].to_numpy()]
    substance = words.substance.iloc[products["drug"].to_numpy()]
    rng = dice(world, "openfda_shortages", day)
    # The openfda block needs an exact match; it vanishes from rows and comes back.
    has_block = ~some(rng, len(listed), 0.15)
    results = []
    for row, ndc, product_ndc, strength, brand, form, route, active, block in zip(
        listed.to_dict("records"),
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
        record: dict[str, object] = {
            "update_type": row["update_type"],
            "initial_posting_date": _padded(row["initial_posting_date"]),
            "package_ndc": ndc,
            "generic_name": row["generic_name"],
            "proprietary_name": brand or None,
            "contact_info": row["contact_info"],
            "availability": row["availability"],
            "related_info": row["related_info"],
            "resolved_note": row["resolved_note"],
            "update_date": _padded(row["update_date"]),
            "change_date": _padded(row["change_date"]),
            "discontinued_date": _padded(row["discontinued_date"]),
            "therapeutic_category": [row["therapeutic_category"]],
            "dosage_form": form,
            "strength": [strength],
            "presentation": row["presentation"],
            "company_name": row["company_name"],
            "shortage_reason": row["reason"],
            "status": row["status"],
        }
        record = {name: value for name, value in record.items() if value}
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
