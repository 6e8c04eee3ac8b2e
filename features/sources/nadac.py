"""NADAC: what retail pharmacies pay for a drug, by NDC, week by week.

One file a year. Its header came in three spellings: ``nadac_per_unit`` (to 2021),
``NADAC_Per_Unit`` (2022) and ``NADAC Per Unit`` (later); a file rebuilt from price intervals
holds NDC, price and the two dates only. ``As of Date`` is the day of the weekly file that
holds the row, so it is when the price was public.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from shortcast.features.sources._plain_tables import nullable, read_plain
from shortcast.features.sources.contract import Column, Reading, Source, SourceError, Table
from shortcast.features.sources.fetching import Catalogue, Fetching, Weekly
from shortcast.features.sources.tables import parse_dates, read_bytes, rejects, require

_NEEDED = {
    "ndc": "ndc",
    "nadac_per_unit": "price_usd_per_unit",
    "effective_date": "effective_date",
    "as_of_date": "as_of_date",
}
_OPTIONAL = {
    "ndc_description": "ndc_description",
    "pricing_unit": "pricing_unit",
    "pharmacy_type_indicator": "pharmacy_type",
    "otc": "otc",
    "explanation_code": "explanation_codes",
    "classification_for_rate_setting": "classification",
    "corresponding_generic_drug_nadac_per_unit": "generic_price_usd_per_unit",
    "corresponding_generic_drug_effective_date": "generic_effective_date",
}
_DATES = ["%m/%d/%Y", "%Y-%m-%d"]
_CATALOGUE = "https://data.medicaid.gov/api/1/metastore/schemas/dataset/items"
_TITLE = r"NADAC \(National Average Drug Acquisition Cost\) (?P<year>20\d\d)"

PRICES = Table(
    name="nadac_prices",
    description="the average acquisition cost of one NDC in one weekly file",
    columns=(
        Column("ndc", "VARCHAR", "NDC of eleven digits, segments 5-4-2 without hyphens"),
        Column("price_usd_per_unit", "DOUBLE", "US dollars a pricing unit"),
        Column("effective_date", "DATE", "day from which the price holds"),
        Column("as_of_date", "DATE", "day of the weekly file"),
        Column("ndc_description", "VARCHAR", "name, strength and form"),
        Column("pricing_unit", "VARCHAR", "ML, GM or EA"),
        Column("pharmacy_type", "VARCHAR", "C/I: community and independent pharmacies"),
        Column("otc", "BOOLEAN", "sold without prescription"),
        Column("explanation_codes", "VARCHAR", "how the price came about; 2 and 4: carried over"),
        Column("classification", "VARCHAR", "B (brand), G (generic) or B-ANDA"),
        Column("generic_price_usd_per_unit", "DOUBLE", "price of the generic, for a brand"),
        Column("generic_effective_date", "DATE", "day from which the generic's price holds"),
    ),
    key=("ndc", "as_of_date"),
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read the NADAC files of one snapshot.

    Parameters
    ----------
    files : sequence of Path
        CSV files, gzipped or not.
    as_of : date
        The snapshot's date; weekly files dated after it are rejected.

    Returns
    -------
    Reading
        ``nadac_prices``.

    Raises
    ------
    SourceError
        If there is no file, or one is damaged, is no data, or lacks a column.
    """
    if not files:
        raise SourceError("A snapshot of NADAC holds at least one CSV file; the folder is empty.")
    parts = [_read_file(path, as_of) for path in sorted(files)]
    return Reading(
        tables={PRICES.name: pd.concat([table for table, _ in parts], ignore_index=True)},
        rejects=pd.concat([bad for _, bad in parts], ignore_index=True),
    )


def _read_file(path: Path, as_of: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read one file; a row needs an NDC, a price and both dates."""
    frame, too_wide = read_plain(read_bytes(path), path.name, delimiter=",", quoted=True)
    frame.columns = [re.sub(r"\W+", "_", str(name).lower()) for name in frame.columns]
    require(frame.columns, list(_NEEDED), path.name)
    frame = frame.rename(columns=_NEEDED | _OPTIONAL)
    for name in set(_OPTIONAL.values()).difference(frame.columns):
        frame[name] = pd.Series(None, index=frame.index, dtype="str")

    effective, bad_effective = parse_dates(frame["effective_date"], _DATES, latest=as_of)
    published, bad_published = parse_dates(frame["as_of_date"], _DATES, latest=as_of)
    price = pd.to_numeric(frame["price_usd_per_unit"], errors="coerce")
    faults = (
        (
            "ndc",
            ~frame["ndc"].str.fullmatch(r"\d{11}"),
            "is no NDC of eleven digits; a spreadsheet may have cut its leading zeros",
        ),
        (
            "price_usd_per_unit",
            ~price.between(0, float("inf"), inclusive="neither"),
            "is no price above zero",
        ),
        (
            "effective_date",
            bad_effective | (frame["effective_date"] == ""),
            f"is no date between 1900 and {as_of}",
        ),
        (
            "as_of_date",
            bad_published | (frame["as_of_date"] == ""),
            f"is no date between 1900 and {as_of}",
        ),
    )
    good = pd.Series(True, index=frame.index)
    found = [too_wide]
    for column, wrong, reason in faults:
        wrong &= good
        good &= ~wrong
        rows = frame[wrong]
        found.append(rejects(path.name, rows["source_row"], column, rows[column], reason))

    generic_day, bad_day = parse_dates(frame["generic_effective_date"], _DATES, latest=as_of)
    generic_price = pd.to_numeric(frame["generic_price_usd_per_unit"], errors="coerce")
    bad_price = generic_price.isna() & (frame["generic_price_usd_per_unit"].fillna("") != "")
    for column, wrong in (
        ("generic_effective_date", bad_day),
        ("generic_price_usd_per_unit", bad_price),
    ):
        rows = frame[wrong & good]
        reason = "cannot be read; it is left empty and the row kept"
        found.append(rejects(path.name, rows["source_row"], column, rows[column], reason))

    typed = nullable(
        frame.assign(
            price_usd_per_unit=price,
            effective_date=effective,
            as_of_date=published,
            otc=frame["otc"].map({"Y": True, "N": False}).astype("boolean"),
            generic_price_usd_per_unit=generic_price,
            generic_effective_date=generic_day,
            event_date=effective,
            published_at=published,
            source_file=path.name,
        )
    )
    names = [column.name for column in PRICES.columns]
    return (
        typed.loc[good, [*names, "event_date", "published_at", "source_file", "source_row"]],
        pd.concat(found, ignore_index=True),
    )


SOURCE = Source(
    name="nadac",
    title="National Average Drug Acquisition Cost",
    publisher="Centers for Medicare & Medicaid Services",
    address="https://data.medicaid.gov/nadac",
    licence="public domain (work of the US government)",
    citation="Centers for Medicare & Medicaid Services. National Average Drug Acquisition Cost.",
    cadence_days=7,
    files=("*.csv", "*.csv.gz"),
    tables=(PRICES,),
    read=read,
    required={"": tuple(_NEEDED)},
    caveats=(
        "A survey of retail pharmacies: few injectables are in it.",
        "Explanation codes 2 and 4 mean a price carried over: a flat price is no observation.",
        "Files rebuilt from price intervals hold one week a month and four columns of twelve.",
        "Fetched are the weeks that are new: what is later mended in an older week is not seen.",
    ),
    fetching=Fetching(
        way=Weekly(
            _CATALOGUE,
            title=_TITLE,
            query="https://data.medicaid.gov/api/1/datastore/query",
            dated_by="as_of_date",
            file="nadac.csv.gz",
        ),
        # A week packed has about a megabyte, a year of the past unpacked 250.
        size=(200_000, 500_000_000),
        rows=15_000,
        history=Catalogue(_CATALOGUE, title=_TITLE, file="nadac.csv.gz", all_vintages=True),
    ),
)
