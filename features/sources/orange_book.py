"""The Orange Book: approved drug products with therapeutic equivalence evaluations.

The monthly zip holds ``products.txt``, separated by ``~``, one row a product with its own
approval date; products approved before 1982 have none. What an approval fixed goes into
``approvals``, known from that day. Who holds the product now, what it is called and whether it
is still sold is known from the vintage that shows it, and goes into ``orange_book_products``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from shortcast.features.sources._plain_tables import nullable, read_plain
from shortcast.features.sources._product_tables import (
    APPLICATION_TYPES,
    APPROVALS,
    DATED_SINCE,
    split_form_and_route,
    split_remark,
)
from shortcast.features.sources.contract import Column, Reading, Source, SourceError, Table
from shortcast.features.sources.fetching import CAPTURES, Captures, Fetching, Newest, PlainFile
from shortcast.features.sources.tables import (
    parse_dates,
    read_zip,
    rejects,
    require,
    single_file,
)

_COLUMNS = {
    "Ingredient": "ingredient",
    "DF;Route": "form_and_route",
    "Trade_Name": "trade_name",
    "Applicant": "applicant",
    "Strength": "strength",
    "Appl_Type": "appl_type",
    "Appl_No": "application_no",
    "Product_No": "product_no",
    "TE_Code": "te_code",
    "Approval_Date": "approval_text",
    "RLD": "rld",
    "Type": "type",
    "Applicant_Full_Name": "applicant_full_name",
}
_OLD = "Approved Prior to Jan 1, 1982"
_YES = {"Yes": True, "No": False}

PRODUCTS = Table(
    name="orange_book_products",
    description="one product of the Orange Book, as the vintage describes it",
    columns=(
        Column("ingredient", "VARCHAR", "active ingredients with salts, ';' between them"),
        Column("dosage_form", "VARCHAR", "dosage form"),
        Column("route", "VARCHAR", "routes of administration, ',' between them"),
        Column("trade_name", "VARCHAR", "trade name, or generic name where there is none"),
        Column("applicant", "VARCHAR", "holder of the application, cut to 20 characters"),
        Column("applicant_full_name", "VARCHAR", "holder of the application"),
        Column("strength", "VARCHAR", "strength, without remarks"),
        Column(
            "not_withdrawn_for_safety",
            "BOOLEAN",
            "the FDA determined that it was not discontinued for safety or effectiveness",
        ),
        Column("appl_type", "VARCHAR", "N (new drug) or A (abbreviated)"),
        Column("application_no", "VARCHAR", "application number, six digits"),
        Column("product_no", "VARCHAR", "product within the application, three digits"),
        Column("te_code", "VARCHAR", "therapeutic equivalence code"),
        Column("approval_date", "DATE", "day of approval; null before 1982"),
        Column("rld", "BOOLEAN", "reference listed drug"),
        Column("rs", "BOOLEAN", "reference standard; null in vintages without the column"),
        Column("type", "VARCHAR", "RX, OTC or DISCN (discontinued)"),
    ),
    # A product that is sold with and without prescription has a row for each.
    key=("application_no", "product_no"),
    is_list=True,
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one Orange Book zip.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's files, among them one zip.
    as_of : date
        The vintage's date; approvals after it are rejected.

    Returns
    -------
    Reading
        ``orange_book_products`` and ``approvals``.

    Raises
    ------
    SourceError
        If the zip is damaged, or ``products.txt`` is missing, is no data or lacks a column.
    """
    path = single_file(files, ".zip", "the Orange Book")
    members = {name.lower(): raw for name, raw in read_zip(path).items()}
    if "products.txt" not in members:
        raise SourceError(
            f"{path.name} lacks products.txt and holds {', '.join(sorted(members)) or 'nothing'}; "
            "fetch the Orange Book data files again."
        )
    file = f"{path.name}/products.txt"
    frame, bad = read_plain(members["products.txt"], file, delimiter="~")
    require(frame.columns, list(_COLUMNS), file)
    frame = frame.rename(columns=_COLUMNS).assign(source_file=path.name)
    frame, bad_rows = _type(frame, file, as_of)
    return Reading(
        tables={
            PRODUCTS.name: frame[
                [*(column.name for column in PRODUCTS.columns), "source_file", "source_row"]
            ],
            APPROVALS.name: _approvals(frame),
        },
        rejects=pd.concat([bad, bad_rows], ignore_index=True),
    )


def _type(frame: pd.DataFrame, file: str, as_of: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give every column its type; reject rows without a key, a type or an honest date."""
    is_old = frame["approval_text"] == _OLD
    days, no_date = parse_dates(
        frame["approval_text"].mask(is_old, ""), ["%b %d, %Y"], latest=as_of
    )
    faults = (
        (
            "application_no",
            "Appl_No",
            ~frame["application_no"].str.fullmatch(r"\d{6}"),
            "six digits",
        ),
        ("product_no", "Product_No", ~frame["product_no"].str.fullmatch(r"\d{3}"), "three digits"),
        ("appl_type", "Appl_Type", ~frame["appl_type"].isin(APPLICATION_TYPES), "N or A"),
        ("type", "Type", ~frame["type"].isin(["RX", "OTC", "DISCN"]), "RX, OTC or DISCN"),
        (
            "approval_text",
            "Approval_Date",
            no_date | ((frame["approval_text"] == "") & ~is_old),
            f"a date up to {as_of} or {_OLD!r}",
        ),
    )
    good = pd.Series(True, index=frame.index)
    found = []
    for column, name, wrong, expected in faults:
        wrong &= good
        good &= ~wrong
        found.append(
            rejects(
                file,
                frame.loc[wrong, "source_row"],
                name,
                frame.loc[wrong, column],
                f"is not {expected}",
            )
        )
    form, route = split_form_and_route(frame["form_and_route"])
    strength, remark = split_remark(frame["strength"])
    standard = frame["RS"] if "RS" in frame else pd.Series("", index=frame.index)
    typed = frame.assign(
        dosage_form=form,
        route=route,
        strength=strength,
        not_withdrawn_for_safety=remark.str.contains("not discontinued or withdrawn"),
        approval_date=days,
        is_old=is_old,
        rld=frame["rld"].map(_YES).astype("boolean"),
        rs=standard.map(_YES).astype("boolean"),
    )
    return nullable(typed[good]).reset_index(drop=True), pd.concat(found, ignore_index=True)


def _approvals(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row a product, with what its approval fixed."""
    frame = frame.drop_duplicates(["application_no", "product_no"])
    return pd.DataFrame(
        {
            "application_type": frame["appl_type"].map(APPLICATION_TYPES),
            "application_no": frame["application_no"],
            "product_no": frame["product_no"],
            "ingredient": frame["ingredient"],
            "dosage_form": frame["dosage_form"],
            "route": frame["route"],
            "strength": frame["strength"],
            "approval_date": frame["approval_date"],
            "approved_before_1982": frame["is_old"],
            "event_date": frame["approval_date"],
            "published_at": frame["approval_date"].mask(frame["is_old"], pd.Timestamp(DATED_SINCE)),
            "source_file": frame["source_file"],
            "source_row": frame["source_row"],
        }
    ).reset_index(drop=True)


SOURCE = Source(
    name="orange_book",
    title="Approved Drug Products with Therapeutic Equivalence Evaluations (Orange Book)",
    publisher="US Food and Drug Administration",
    address="https://www.fda.gov/drugs/drug-approvals-and-databases/orange-book-data-files",
    licence="public domain (work of the US government)",
    citation="US Food and Drug Administration. Orange Book Data Files.",
    cadence_days=31,
    files=("*.zip",),
    tables=(PRODUCTS, APPROVALS),
    read=read,
    required={"products.txt": tuple(_COLUMNS)},
    caveats=(
        "Approvals before 1982 are not dated.",
        "Biologics and unapproved drugs are not in it.",
        "The applicant is today's holder of the application, not the one at approval.",
        "A discontinuation is known no earlier than the first vintage that shows it.",
        "Products whose approval was withdrawn leave the book, so its past has survivor bias.",
    ),
    fetching=Fetching(
        way=PlainFile("https://www.fda.gov/media/76860/download?attachment", "EOBZIP.zip"),
        size=(700_000, 15_000_000),
        rows=35_000,
        fall=0.05,
        newest=Newest("orange_book_products", "approval_date", within_days=120),
        history=Captures(
            CAPTURES,
            of="www.fda.gov/media/76860/download",
            file="EOBZIP.zip",
            monthly=True,
        ),
    ),
)
