"""Medicare Part B spending by drug: for many injectables the only public price there is.

One table a release. CMS publishes a row a HCPCS code, with the figures of five years side by side
(``Tot_Spndng_2023``); a table of an earlier release was put one row a code and year by others. CMS
leaves a figure out where it rests on ten claims or fewer; such fields hold ``NA`` or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from shortcast.features.sources._plain_tables import nullable
from shortcast.features.sources._wide_years import years_below
from shortcast.features.sources.contract import Column, Reading, Source, Table
from shortcast.features.sources.fetching import Catalogue, Fetching
from shortcast.features.sources.tables import (
    parse_numbers,
    read_bytes,
    read_csv,
    rejects,
    require,
    single_file,
)

_CATALOGUE = "https://data.cms.gov/v1-1-data.json"
#: The same catalogue by a later standard, with an entry a release.
_CATALOGUE_OF_LATER = "https://data.cms.gov/data.json"
_TITLE = r"Medicare Part B Spending by Drug( : .*)?"

_COLUMNS = {
    "hcpcs_code": "hcpcs",
    "hcpcs_description": "description",
    "year": "year",
    "claim_count": "claims",
    "total_spending": "total_spending_usd",
    "beneficiary_count": "beneficiaries",
    "total_annual_spending_per_user": "spending_per_beneficiary_usd",
    "unit_count": "units",
    "average_cost_per_unit": "average_cost_per_unit_usd",
    "average_beneficiary_cost_share": "average_cost_share_usd",
    "annual_change_in_average_cost_per_unit": "change_in_cost_per_unit",
}
#: CMS's own columns; a year stands behind those of figures.
_OFFICIAL = {"HCPCS_Cd": "hcpcs_code", "HCPCS_Desc": "hcpcs_description"}
_OFFICIAL_FIGURES = {
    "Tot_Clms": "claim_count",
    "Tot_Spndng": "total_spending",
    "Tot_Benes": "beneficiary_count",
    "Avg_Spndng_Per_Bene": "total_annual_spending_per_user",
    "Tot_Dsg_Unts": "unit_count",
    "Avg_Spndng_Per_Dsg_Unt": "average_cost_per_unit",
}
#: The programme began in July 1966.
_FIRST_YEAR = 1966

SPENDING = Table(
    name="partb_spending",
    description="what Medicare Part B spent on one HCPCS code in one year",
    columns=(
        Column("hcpcs", "VARCHAR", "HCPCS code"),
        Column("description", "VARCHAR", "what the code stands for"),
        Column("year", "BIGINT", "calendar year of service"),
        Column("claims", "BIGINT", "claims; null where suppressed or none"),
        Column("total_spending_usd", "DOUBLE", "US dollars, patients' share included"),
        Column("beneficiaries", "BIGINT", "patients; null where suppressed or none"),
        Column("spending_per_beneficiary_usd", "DOUBLE", "US dollars a patient and year"),
        Column("units", "DOUBLE", "dosage units, as the code defines them"),
        Column("average_cost_per_unit_usd", "DOUBLE", "US dollars a dosage unit"),
        Column("average_cost_share_usd", "DOUBLE", "US dollars that a patient paid"),
        Column("change_in_cost_per_unit", "DOUBLE", "relative change on the year before"),
    ),
    key=("hcpcs", "year"),
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one release.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's files, among them one CSV file.
    as_of : date
        The snapshot's date; years that were not over by then are rejected.

    Returns
    -------
    Reading
        ``partb_spending``.

    Raises
    ------
    SourceError
        If the file is missing, empty, no data, or lacks a column.
    """
    path = single_file(files, ".csv", "Part B spending")
    frame = read_csv(read_bytes(path), path.name)
    if not set(_OFFICIAL).isdisjoint(frame.columns):
        frame = years_below(frame, _OFFICIAL, _OFFICIAL_FIGURES, path.name)
        # Not in CMS's table of today.
        frame = frame.assign(
            average_beneficiary_cost_share="", annual_change_in_average_cost_per_unit=""
        )
    require(frame.columns, list(_COLUMNS), path.name)
    frame = frame.rename(columns=_COLUMNS).assign(source_file=path.name)

    good = frame["hcpcs"].str.fullmatch(r"[A-Z0-9]{5}")
    found = [
        rejects(
            path.name,
            frame.loc[~good, "source_row"],
            "hcpcs_code",
            frame.loc[~good, "hcpcs"],
            "is no HCPCS code",
        )
    ]
    typed = {}
    for source_name, name in list(_COLUMNS.items())[2:]:
        typed[name], bad = parse_numbers(frame[name])
        reason = "is no number"
        if name == "year":
            bad |= ~typed[name].between(_FIRST_YEAR, as_of.year - 1) | (typed[name] % 1 > 0)
            reason = f"is no year that was over by {as_of}"
        elif name in ("claims", "beneficiaries"):
            bad |= typed[name] % 1 > 0
            reason = "is no whole number"
        bad &= good
        good &= ~bad
        rows = frame[bad]
        found.append(rejects(path.name, rows["source_row"], source_name, rows[name], reason))
    frame = nullable(frame.assign(**typed))[good].reset_index(drop=True)
    for name in ("year", "claims", "beneficiaries"):
        frame[name] = frame[name].astype("Int64")
    frame["event_date"] = pd.to_datetime(frame["year"].astype(str) + "-12-31", format="%Y-%m-%d")
    names = [column.name for column in SPENDING.columns]
    return Reading(
        tables={SPENDING.name: frame[[*names, "event_date", "source_file", "source_row"]]},
        rejects=pd.concat(found, ignore_index=True),
    )


SOURCE = Source(
    name="partb_spending",
    title="Medicare Part B spending by drug",
    publisher="Centers for Medicare & Medicaid Services",
    address=(
        "https://data.cms.gov/summary-statistics-on-use-and-payments/"
        "medicare-medicaid-spending-by-drug/medicare-part-b-spending-by-drug"
    ),
    licence="public domain (work of the US government); descriptions may hold AMA CPT text",
    citation="Centers for Medicare & Medicaid Services. Medicare Part B Spending by Drug.",
    cadence_days=366,
    files=("*.csv",),
    tables=(SPENDING,),
    read=read,
    required={"": (*_OFFICIAL, *_OFFICIAL_FIGURES)},
    caveats=(
        "Known from the release that holds it: figures of 2011 to 2015 came out about 2017.",
        "By HCPCS code, which may cover the products of several firms.",
        "Medicare only, and without drugs that are paid within a hospital stay.",
        "Vintages that are fetched for the past are dated by when the catalogue says they changed.",
    ),
    fetching=Fetching(
        way=Catalogue(_CATALOGUE, _TITLE, "part_b_spending.csv", also=(_CATALOGUE_OF_LATER,)),
        size=(100_000, 20_000_000),
        rows=400,
        every_days=30,
        history=Catalogue(
            _CATALOGUE,
            _TITLE,
            "part_b_spending.csv",
            also=(_CATALOGUE_OF_LATER,),
            all_vintages=True,
        ),
    ),
)
