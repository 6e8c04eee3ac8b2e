"""The two tables of the FDA's shortage list, whatever format the list comes in.

The list shows a row a presentation. From each row come two facts that became public at
different times:

* that the presentation was *posted*, on its Initial Posting Date or, for a notice of
  discontinuation that joined an older group, on the notice's own date (`POSTINGS`);
* what the row says now, public since its last update (`LISTINGS`).

How a posting is told from a notice of discontinuation
------------------------------------------------------
The list does not say under which status a row was first posted. The rule was settled on the
seven CSV captures from December 2019 to October 2022 (presentations, each counted once). No
presentation changes what it was posted as, or when, from one of these captures to another.

* A notice never goes back: 3,102 times a row stands as To Be Discontinued in one capture and
  still in the next that shows it, and not once as anything else. Rows that are Current or
  Resolved now were therefore posted as Current.
* A notice whose own date is the posting date, or before it, was posted as a notice: 1,352 of
  1,506 notices.
* 46 notices of update type New have a posting date before their own. Of the 19 that a capture
  between the two dates could show, it shows none, and 33 stand in a group that was never
  Current: the posting date is that of the group. They were posted as notices on their own
  date.
* 108 notices of update type Revised have a posting date before their own. Of the 95 that a
  capture between the two dates could show, it shows 91, each as Current. They were posted as
  Current.
* A notice's own date is Date Discontinued, else Change Date, else Date of Update: the three
  are the same day on every notice of type New that has them, and the first two are mostly
  blank in the last capture.

Rows without a usable Initial Posting Date are old, long-running listings (5 % of Current). They
are kept, with no ``event_date`` and ``posting_dated`` false: the update date tells only that
they were public by then, and an old shortage must not pass for a new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import pandas as pd

from shortcast.features.sources._fda_exports import blank_to_null, drop_rows, gather, note_values
from shortcast.features.sources.contract import Column, Reading, Table
from shortcast.features.sources.tables import parse_dates

CURRENT = "Current"
RESOLVED = "Resolved"
TO_BE_DISCONTINUED = "To Be Discontinued"

_STATUS = {
    "current": CURRENT,
    "resolved": RESOLVED,
    "to be discontinued": TO_BE_DISCONTINUED,
    "discontinued": TO_BE_DISCONTINUED,
    "discontinuation": TO_BE_DISCONTINUED,
}

#: Reasons for a shortage as the law words them (21 U.S.C. 356c(g), "506C").
REASONS = (
    "Requirements related to complying with good manufacturing practices",
    "Regulatory delay",
    "Shortage of an active ingredient",
    "Shortage of an inactive ingredient component",
    "Discontinuation of the manufacture of the drug",
    "Delay in shipping of the drug",
    "Demand increase for the drug",
    "Other",
)

# Where a text names several reasons the first rule that fits holds: what stops supply comes
# before what raises demand. None: the text stands in the wrong column and gives no reason.
_REASON_RULES: tuple[tuple[str, str | None], ...] = (
    (r"\binactive\b", "Shortage of an inactive ingredient component"),
    (r"\bactive\b|\bapi\b", "Shortage of an active ingredient"),
    (
        r"good manufacturing|\bc?gmp\b",
        "Requirements related to complying with good manufacturing practices",
    ),
    (r"\bregulatory\b", "Regulatory delay"),
    (r"\bdiscontinu", "Discontinuation of the manufacture of the drug"),
    (r"\bshipping\b|\bshipment\b", "Delay in shipping of the drug"),
    (r"\bdemand\b", "Demand increase for the drug"),
    (r"^(?:available|unavailable|tbd|to be determined|information pending|n/?a)\.?$", None),
    (r"\S", "Other"),
)

# Years ahead that a planned end of supply may lie.
_PLANNED = timedelta(days=5 * 366)
DATE_FORMATS = ("%m/%d/%Y", "%Y%m%d", "%Y-%m-%d")

_NAMES = (
    Column("generic_name", "VARCHAR", "generic name, as the list writes it"),
    Column("company_name", "VARCHAR", "company, as the list writes it"),
    Column("presentation", "VARCHAR", "strength, package and mostly the NDC, free text"),
    Column("package_ndc", "VARCHAR", "package NDC as written (openFDA only)"),
)

POSTINGS = Table(
    name="shortage_postings",
    description="A presentation was put on the FDA's shortage list.",
    columns=(
        *_NAMES,
        Column(
            "initial_posting_date",
            "DATE",
            "posting date that the list gives; on notices often that of the group",
        ),
        Column("posted_as", "VARCHAR", f"'{CURRENT}' or '{TO_BE_DISCONTINUED}' when first posted"),
        Column(
            "posting_dated",
            "BOOLEAN",
            "false where the list gives no usable posting date: an old listing, not an onset",
        ),
    ),
    key=("generic_name", "company_name", "presentation", "initial_posting_date"),
)

#: Text columns of a listing that both formats may carry, with what they hold.
_EXTRAS = (
    Column("contact_info", "VARCHAR", "telephone or page of the company", volatile=True),
    Column("generic_name_note", "VARCHAR", "note on the generic name", volatile=True),
    Column("generic_name_link", "VARCHAR", "link beside the generic name", volatile=True),
    Column("related_info_link", "VARCHAR", "link beside the related information", volatile=True),
    Column("resolved_note_link", "VARCHAR", "link beside the resolved note", volatile=True),
    Column("discontinued_note_link", "VARCHAR", "link beside the discontinuation", volatile=True),
    Column("proprietary_name", "VARCHAR", "brand name (openFDA only)"),
    Column("dosage_form", "VARCHAR", "dosage form (openFDA only)"),
    Column("strength", "VARCHAR", "strengths, separated by ';' (openFDA only)"),
)

#: Fields of the ``openfda`` block that are kept: lists of text, joined by ';'.
OPENFDA_FIELDS = (
    "application_number",
    "brand_name",
    "generic_name",
    "manufacturer_name",
    "package_ndc",
    "pharm_class_epc",
    "product_ndc",
    "product_type",
    "route",
    "rxcui",
    "spl_set_id",
    "substance_name",
    "unii",
)

LISTINGS = Table(
    name="shortage_listings",
    description="What the FDA's shortage list says of a presentation.",
    columns=(
        *_NAMES,
        Column("status", "VARCHAR", f"{CURRENT}, {RESOLVED} or {TO_BE_DISCONTINUED}"),
        Column("update_type", "VARCHAR", "New, Revised or Reverified, misspellings mended"),
        Column("availability", "VARCHAR", "availability, free text; blank unless Current"),
        Column("related_info", "VARCHAR", "further information, free text"),
        Column("resolved_note", "VARCHAR", "note on the resolution"),
        Column("reason", "VARCHAR", "reason as the list writes it"),
        Column("reason_category", "VARCHAR", "reason in the words of the law (506C)"),
        Column("therapeutic_category", "VARCHAR", "categories, separated by ';'"),
        Column("update_date", "DATE", "the row was last updated"),
        Column("change_date", "DATE", "the status last changed; mostly blank since 2022"),
        Column("discontinued_date", "DATE", "supply was or will be discontinued"),
        Column("initial_posting_date", "DATE", "the presentation was put on the list"),
        *_EXTRAS,
        *(
            Column(f"openfda_{name}", "VARCHAR", f"openfda.{name}, joined by ';'", volatile=True)
            for name in OPENFDA_FIELDS
        ),
    ),
    key=("generic_name", "company_name", "presentation"),
    is_list=True,
)

#: Text columns that a reader may hand to `read_listings`, beside the four dates and the status.
TEXT_COLUMNS = tuple(
    c.name
    for c in LISTINGS.columns
    if c.type == "VARCHAR" and c.name not in ("status", "update_type", "reason_category")
)


def read_listings(frame: pd.DataFrame, as_of: date, rejected: Iterable[pd.DataFrame]) -> Reading:
    """Turn the rows of one snapshot of the list into its two tables.

    Parameters
    ----------
    frame : DataFrame
        Tidy text ('' where blank): ``generic_name``, ``status``, ``update_type``, the four
        dates (``update_date``, ``change_date``, ``discontinued_date``,
        ``initial_posting_date``), any of `TEXT_COLUMNS`, and ``source_file``,
        ``source_row``.
    as_of : date
        Day of the snapshot.
    rejected : iterable of DataFrame
        Quarantine entries made so far.

    Returns
    -------
    Reading
        ``shortage_postings`` and ``shortage_listings``, one row each for every usable row.
    """
    entries = [*rejected]
    nameless = frame["generic_name"] == ""
    frame, entry = drop_rows(frame, nameless, "generic_name", "", "no generic name")
    entries.append(entry)
    frame = frame.assign(known_status=frame["status"].str.lower().map(_STATUS).astype("str"))
    frame, entry = drop_rows(
        frame,
        frame["known_status"].isna(),
        "status",
        frame["status"],
        "no status that the list uses; the row may have shifted columns",
    )
    entries.append(entry)

    typed = pd.DataFrame({"status": frame["known_status"]})
    for name in TEXT_COLUMNS:
        typed[name] = blank_to_null(frame[name]) if name in frame else None
    typed["update_type"] = normalise_update_type(frame["update_type"])
    typed["reason_category"] = categorise_reasons(frame["reason"])
    for name in ("update_date", "change_date", "discontinued_date", "initial_posting_date"):
        latest = as_of + _PLANNED if name == "discontinued_date" else as_of
        typed[name], bad = parse_dates(frame[name], DATE_FORMATS, latest=latest)
        entries.append(
            note_values(
                frame,
                bad,
                name,
                frame[name],
                f"no date between 1900 and {latest}; the value is left empty, the row is kept",
            )
        )
    lineage = frame[["source_file", "source_row"]]
    return Reading(
        {
            POSTINGS.name: pd.concat([_postings(typed, as_of), lineage], axis=1),
            LISTINGS.name: pd.concat([_listings(typed), lineage], axis=1),
        },
        gather(entries),
    )


def _published(typed: pd.DataFrame) -> pd.Series:
    """Return the later of the update and the change: the row reads like this since then."""
    return typed[["update_date", "change_date"]].max(axis=1)


def _listings(typed: pd.DataFrame) -> pd.DataFrame:
    """Return what the rows say now."""
    return typed.loc[:, [c.name for c in LISTINGS.columns]].assign(
        event_date=typed["change_date"].fillna(typed["update_date"]),
        published_at=_published(typed),
    )


def _postings(typed: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return when and as what the rows were posted; the module says by which rule."""
    posted = typed["initial_posting_date"]
    past_end = typed["discontinued_date"].where(typed["discontinued_date"] <= pd.Timestamp(as_of))
    own = past_end.fillna(typed["change_date"]).fillna(typed["update_date"])
    is_notice = typed["status"] == TO_BE_DISCONTINUED
    joined_group = is_notice & (typed["update_type"] == "New") & (own > posted)
    as_notice = is_notice & (joined_group | ~(own > posted))
    event = posted.mask(joined_group, own)
    return pd.DataFrame(
        {
            **{c.name: typed[c.name] for c in _NAMES},
            "initial_posting_date": posted,
            "posted_as": as_notice.map({True: TO_BE_DISCONTINUED, False: CURRENT}).astype("str"),
            "posting_dated": posted.notna(),
            "event_date": event,
            "published_at": event.fillna(_published(typed)),
        }
    )


def normalise_update_type(values: pd.Series) -> pd.Series:
    """Return New, Revised or Reverified, with misspellings mended; other text as it is."""
    text = blank_to_null(values)
    lower = text.str.lower()
    return (
        text.mask(lower.str.startswith("new").fillna(False), "New")
        .mask(lower.str.startswith("revi").fillna(False), "Revised")
        .mask(lower.str.startswith("reve").fillna(False), "Reverified")
    )


def categorise_reasons(values: pd.Series) -> pd.Series:
    """Map the wordings of a reason to the categories of the law.

    Parameters
    ----------
    values : Series of str
        Reasons as written, '' where blank.

    Returns
    -------
    Series of str
        One of `REASONS`, null where blank or where the text gives no reason. Manufacturing
        delays are none of the law's categories and become 'Other'.
    """
    text = values.str.lower().str.strip()
    category = pd.Series(None, index=values.index, dtype="str")
    open_yet = text != ""
    for pattern, name in _REASON_RULES:
        fits = open_yet & text.str.contains(pattern, regex=True)
        if name is not None:
            category = category.mask(fits, name)
        open_yet &= ~fits
    return category
