"""Medicare Part D spending by drug: use and price of what retail pharmacies dispense.

CMS publishes a CSV file with the figures of five years side by side (``Tot_Spndng_2023``), one row
a brand name, generic name and manufacturer, and one for all manufacturers together, which is left
out. Others put an earlier release one row a product and year, as a Parquet file. A release covers
five years and lists the products that were dispensed in the last of them, with
blanks for the years in which they were not; so a blank row tells of a product's future, and
counts as known from the snapshot only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

from shortcast.features.sources._plain_tables import nullable
from shortcast.features.sources._wide_years import years_below
from shortcast.features.sources.contract import Column, Reading, Source, SourceError, Table
from shortcast.features.sources.fetching import Catalogue, Fetching
from shortcast.features.sources.tables import (
    read_bytes,
    read_csv,
    rejects,
    require,
    single_file,
)

_COLUMNS = {
    "Product_Name": "brand_name",
    "Generic_Name": "generic_name",
    "Manufacturer": "manufacturer",
    "YEAR": "year",
    "Total_Spending": "total_spending_usd",
    "Total_Dosage_Units": "dosage_units",
    "Total_Claims": "claims",
    "Total_Beneficiaries": "beneficiaries",
    "Calc_Average_Spending_Per_Dosage_Unit": "average_spending_per_unit_usd",
    "Calc_Average_Spending_Per_Claim": "average_spending_per_claim_usd",
    "Calc_Average_Spending_Per_Beneficiary": "average_spending_per_beneficiary_usd",
    "Outlier_Flag": "is_outlier",
    "Brand_vs_Generic": "brand_or_generic",
    "SPECIALTY_DRUG": "is_specialty",
}
_TEXTS = ("brand_name", "generic_name", "manufacturer", "brand_or_generic")
_FLAGS = ("is_outlier", "is_specialty")
_WHOLE = ("year", "claims", "beneficiaries")
#: CMS's own columns; a year stands behind those of figures.
_OFFICIAL = {
    "Brnd_Name": "Product_Name",
    "Gnrc_Name": "Generic_Name",
    "Mftr_Name": "Manufacturer",
}
_OFFICIAL_FIGURES = {
    "Tot_Spndng": "Total_Spending",
    "Tot_Dsg_Unts": "Total_Dosage_Units",
    "Tot_Clms": "Total_Claims",
    "Tot_Benes": "Total_Beneficiaries",
    "Avg_Spnd_Per_Dsg_Unt_Wghtd": "Calc_Average_Spending_Per_Dosage_Unit",
    "Avg_Spnd_Per_Clm": "Calc_Average_Spending_Per_Claim",
    "Avg_Spnd_Per_Bene": "Calc_Average_Spending_Per_Beneficiary",
    "Outlier_Flag": "Outlier_Flag",
}
#: How CMS names all manufacturers together.
_OVERALL = "overall"
_CATALOGUE = "https://data.cms.gov/v1-1-data.json"
#: The same catalogue by a later standard, with an entry a release.
_CATALOGUE_OF_LATER = "https://data.cms.gov/data.json"
_TITLE = r"Medicare Part D Spending by Drug( : .*)?"
#: The programme began in January 2006.
_FIRST_YEAR = 2006

SPENDING = Table(
    name="partd_spending",
    description="what Medicare Part D spent on one product in one year",
    columns=(
        Column("brand_name", "VARCHAR", "brand name, or generic name where there is none"),
        Column("generic_name", "VARCHAR", "generic name"),
        Column("manufacturer", "VARCHAR", "labeler, as CMS abbreviates it"),
        Column("year", "BIGINT", "calendar year of service"),
        Column("total_spending_usd", "DOUBLE", "US dollars before rebates"),
        Column("dosage_units", "DOUBLE", "tablets, grams, millilitres"),
        Column("claims", "BIGINT", "prescriptions; null where suppressed or none"),
        Column("beneficiaries", "BIGINT", "patients; null where suppressed or none"),
        Column("average_spending_per_unit_usd", "DOUBLE", "US dollars a dosage unit"),
        Column("average_spending_per_claim_usd", "DOUBLE", "US dollars a prescription"),
        Column("average_spending_per_beneficiary_usd", "DOUBLE", "US dollars a patient and year"),
        Column("is_outlier", "BOOLEAN", "CMS doubts the average per unit"),
        Column("brand_or_generic", "VARCHAR", "brand, generic, vaccine or dme (the collector's)"),
        Column("is_specialty", "BOOLEAN", "a specialty drug (the collector's)"),
    ),
    key=("brand_name", "generic_name", "manufacturer", "year"),
    assumed_lag_days=540,
    lag_note="CMS publishes a year's spending well over a year after its end",
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one release.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's files, among them one Parquet or one CSV file.
    as_of : date
        The snapshot's date; years that were not over by then are rejected.

    Returns
    -------
    Reading
        ``partd_spending``.

    Raises
    ------
    SourceError
        If the file is missing, is not whole, holds no rows, or lacks a column.
    """
    if any(path.name.lower().endswith(".csv") for path in files):
        path = single_file(files, ".csv", "Part D spending")
        frame = _read_official(path)
    else:
        path = single_file(files, ".parquet", "Part D spending")
        frame = _read_long(path)
    frame = frame.rename(columns=_COLUMNS)[[*_COLUMNS.values(), "source_row"]]
    frame["source_file"] = path.name
    for name in _TEXTS:
        # Few distinct texts stand in many rows: each is tidied once.
        codes, words = pd.factorize(frame[name].astype("str").fillna(""))
        tidied = pd.Series(words, dtype="str").str.split().str.join(" ")
        frame[name] = tidied.take(codes).set_axis(frame.index)
    frame["brand_or_generic"] = frame["brand_or_generic"].str.lower()

    good = pd.Series(True, index=frame.index)
    found = []
    typed = {}
    for source_name, name in _COLUMNS.items():
        if name == "brand_or_generic":
            continue
        if name in _TEXTS:
            wrong, reason = frame[name] == "", "is blank"
        elif name in _FLAGS:
            number = pd.to_numeric(frame[name], errors="coerce").astype("float64")
            typed[name] = number.map({1.0: True, 0.0: False}).astype("boolean")
            wrong, reason = typed[name].isna() & frame[name].notna(), "is neither 0 nor 1"
        else:
            typed[name] = pd.to_numeric(frame[name], errors="coerce")
            wrong = (typed[name].isna() & frame[name].notna()) | (typed[name] < 0)
            reason = "is no number from 0 on"
        if name in _WHOLE:
            wrong |= typed[name] % 1 > 0
            reason = "is no whole number from 0 on"
        if name == "year":
            wrong |= ~typed[name].between(_FIRST_YEAR, as_of.year - 1)
            reason = f"is no year from {_FIRST_YEAR} on that was over by {as_of}"
        wrong &= good
        good &= ~wrong
        rows = frame[wrong]
        found.append(rejects(path.name, rows["source_row"], source_name, rows[name], reason))
    frame = nullable(frame.assign(**typed)[good]).reset_index(drop=True)
    for name in _WHOLE:
        frame[name] = frame[name].astype("Int64")
    frame["event_date"] = pd.to_datetime(frame["year"].astype(str) + "-12-31", format="%Y-%m-%d")
    frame["published_at"] = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]").mask(
        frame["total_spending_usd"].isna(), pd.Timestamp(as_of)
    )
    names = [column.name for column in SPENDING.columns]
    times = ["event_date", "published_at"]
    return Reading(
        tables={SPENDING.name: frame[[*names, *times, "source_file", "source_row"]]},
        rejects=pd.concat(found, ignore_index=True),
    )


def _read_long(path: Path) -> pd.DataFrame:
    """Read a Parquet file of one row a product and year."""
    try:
        frame = parquet.read_table(path).to_pandas()
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{path.name} is not a whole Parquet file; fetch it again.") from error
    require(frame.columns, list(_COLUMNS), path.name)
    if frame.empty:
        raise SourceError(f"{path.name} has a header and no rows; fetch it again.")
    return frame.assign(source_row=range(1, len(frame) + 1))


def _read_official(path: Path) -> pd.DataFrame:
    """Read CMS's own CSV file, and put its years below each other."""
    wide = read_csv(read_bytes(path), path.name)
    frame = years_below(wide, _OFFICIAL, _OFFICIAL_FIGURES, path.name)
    frame = frame[frame["Manufacturer"].str.lower() != _OVERALL]
    # An asterisk marks a note of CMS on the name.
    frame = frame.assign(**{name: frame[name].str.rstrip("* ") for name in _OFFICIAL.values()})
    figures = ["YEAR", *_OFFICIAL_FIGURES.values()]
    frame = frame.rename(columns={"year": "YEAR"})
    frame[figures] = frame[figures].mask(frame[figures] == "")
    return frame.assign(Brand_vs_Generic="", SPECIALTY_DRUG=None).reset_index(drop=True)


SOURCE = Source(
    name="partd_spending",
    title="Medicare Part D spending by drug",
    publisher="Centers for Medicare & Medicaid Services",
    address=(
        "https://data.cms.gov/summary-statistics-on-use-and-payments/"
        "medicare-medicaid-spending-by-drug/medicare-part-d-spending-by-drug"
    ),
    licence="public domain (work of the US government)",
    citation="Centers for Medicare & Medicaid Services. Medicare Part D Spending by Drug.",
    cadence_days=366,
    files=("*.parquet", "*.csv"),
    tables=(SPENDING,),
    read=read,
    required={"*.csv": (*_OFFICIAL, *_OFFICIAL_FIGURES), "*.parquet": tuple(_COLUMNS)},
    caveats=(
        "A year's figures come out well over a year later; 540 days are assumed.",
        "The rows of 2017 to 2021 are those of one release: only what was sold in 2021 is there.",
        "Being listed at all therefore tells of the future; use the figures, not the presence.",
        "Spending is before rebates, and drugs given in hospitals are not in it.",
        "Vintages that are fetched for the past are dated by when the catalogue says they changed.",
    ),
    fetching=Fetching(
        way=Catalogue(_CATALOGUE, _TITLE, "part_d_spending.csv", also=(_CATALOGUE_OF_LATER,)),
        size=(1_000_000, 50_000_000),
        rows=8_000,
        every_days=30,
        history=Catalogue(
            _CATALOGUE,
            _TITLE,
            "part_d_spending.csv",
            also=(_CATALOGUE_OF_LATER,),
            all_vintages=True,
        ),
    ),
)
