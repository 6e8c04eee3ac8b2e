"""Current registrations of drug establishments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from shortcast.features.sources._fda_exports import (
    DUNS_REASON,
    FEI_REASON,
    blank_to_null,
    dates,
    drop_rows,
    duns_numbers,
    fei_numbers,
    gather,
    note_values,
    only_file,
    read_csv_export,
    spelled,
)
from shortcast.features.sources.contract import Column, Reading, Source, Table
from shortcast.features.sources.fetching import Fetching, TableInZip

#: Registrations are renewed each year and last to the end of the next one at most.
LONGEST_REGISTRATION_YEARS = 3

REQUIRED = {
    "fei_number": ("FEI Number",),
    "duns_number": ("DUNS Number",),
    "firm_name": ("Firm Name",),
    "address": ("Address",),
    "expiration_date": ("Expiration Date",),
    "operations": ("Operations",),
    "registrant_name": ("Registrant Name",),
    "registrant_duns": ("Registrant DUNS",),
}
OPTIONAL = {"exclusion_flag": ("Exclusion Flag",)}

#: "12 High St, Springfield, Illinois (IL) 62701, United States (USA)"; the country of one code
#: has a comma of its own ("Korea, South (KOR)").
_ADDRESS = (
    r"(?P<city>[^,]+),+\s*(?P<region>[^,]*),\s*(?P<country>Korea, [^,()]+|[^,()]+)"
    r"\s\((?P<country_code>[A-Z]{3})\)$"
)
_US_REGION = r"\((?P<state_code>[A-Z]{2})\)\s*(?P<postal_code>[\d-]*)$"

TABLE = Table(
    name="establishments",
    description="One registered drug establishment.",
    columns=(
        Column("duns_number", "VARCHAR", "DUNS number of the site, nine digits"),
        Column("fei_number", "VARCHAR", "FDA Establishment Identifier, no leading zeros"),
        Column("firm_name", "VARCHAR", "firm that runs the site"),
        Column("address", "VARCHAR", "address in one line, as registered"),
        Column("city", "VARCHAR", "city, where the address can be parsed"),
        Column("state_code", "VARCHAR", "US state or territory, two letters"),
        Column("postal_code", "VARCHAR", "US ZIP code"),
        Column("country_code", "VARCHAR", "country, three letters"),
        Column("operations", "VARCHAR", "what the site does to drugs, in capitals, joined by |"),
        Column("registrant_name", "VARCHAR", "firm that registered the site"),
        Column("registrant_duns", "VARCHAR", "DUNS number of the registrant, nine digits"),
        Column("expiration_date", "DATE", "day the registration runs out; may lie ahead"),
        Column("is_excluded", "BOOLEAN", "whether the FDA flags the registration as excluded"),
    ),
    key=("duns_number", "firm_name"),
    is_list=True,
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one copy of the establishment registrations.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's one CSV file, plain or gzipped.
    as_of : date
        Day of the snapshot.

    Returns
    -------
    Reading
        Table ``establishments``: what was registered on that day, without any time of its own.

    Raises
    ------
    SourceError
        If the file is not such a list.
    """
    path = only_file(files, SOURCE.name)
    frame, quarantine = read_csv_export(path, REQUIRED, OPTIONAL)
    unnamed = frame["firm_name"] == ""
    frame, entries = drop_rows(frame, unnamed, "FIRM_NAME", "", "no firm name")
    quarantine.append(entries)

    latest = date(as_of.year + LONGEST_REGISTRATION_YEARS, 12, 31)
    expires, bad = dates(frame["expiration_date"], latest)
    reason = f"no date between 1900 and {latest}; the value is left empty"
    quarantine.append(note_values(frame, bad, "EXPIRATION_DATE", frame["expiration_date"], reason))
    frame["expiration_date"] = expires
    fei, bad = fei_numbers(frame["fei_number"])
    quarantine.append(note_values(frame, bad, "FEI_NUMBER", frame["fei_number"], FEI_REASON))
    frame["fei_number"] = fei
    for name, header in (
        ("duns_number", "DUNS_NUMBER"),
        ("registrant_duns", "REGISTRANT_DUNS"),
    ):
        duns, bad = duns_numbers(frame[name])
        quarantine.append(note_values(frame, bad, header, frame[name], DUNS_REASON))
        frame[name] = duns

    frame = pd.concat([frame, _address_parts(frame["address"])], axis="columns")
    operations = frame["operations"].str.upper().str.replace(r"\s*[;|]\s*", "|", regex=True)
    frame["operations"] = blank_to_null(operations.str.strip("| "))
    flag = blank_to_null(frame.pop("exclusion_flag").str.upper())
    frame["is_excluded"] = (flag == "Y").astype("boolean").mask(flag.isna())
    for name in ("firm_name", "address", "registrant_name"):
        frame[name] = blank_to_null(frame[name])
    return Reading({TABLE.name: frame}, gather(quarantine))


def _address_parts(address: pd.Series) -> pd.DataFrame:
    """Return city, US state and ZIP code, and country code; null where not recognised."""
    parts = address.str.extract(_ADDRESS)
    # Provinces abroad stand in brackets too, now and then.
    region = parts["region"].where(parts["country_code"] == "USA").str.extract(_US_REGION)
    parts = pd.concat([parts[["city", "country_code"]], region], axis="columns")
    return parts.apply(blank_to_null)


SOURCE = Source(
    name="fda_establishments",
    title="FDA drug establishments: current registration site",
    publisher="US Food and Drug Administration, Center for Drug Evaluation and Research",
    address="https://www.accessdata.fda.gov/scripts/cder/drls/default.cfm",
    licence="Public domain (work of the United States government)",
    citation=(
        "US Food and Drug Administration. Drug Establishments Current Registration Site (DECRS)."
    ),
    # The FDA renews it every working day; who runs which site changes slowly.
    cadence_days=7,
    files=("*.csv", "*.csv.gz"),
    tables=(TABLE,),
    read=read,
    required={"": spelled(REQUIRED)},
    caveats=(
        "A snapshot of who is registered now: it says nothing about earlier years.",
        "The day of the archived copy was inferred from its year (2025).",
        "Two in a hundred sites have no FEI number, and some sites share one.",
        "Makers of medicated animal feed and of medical gases are registered too.",
        "It says which firm runs a site, never which drug is made there.",
        "Of the FDA's file the names and addresses of contact persons are not kept.",
    ),
    fetching=Fetching(
        way=TableInZip(
            "https://www.accessdata.fda.gov/cder/drls_reg.zip",
            member="drls_reg.txt",
            file="drls_reg.csv.gz",
            leave_out=(
                "ESTABLISHMENT_CONTACT_NAME",
                "ESTABLISHMENT_CONTACT_EMAIL",
                "AGENT_DETAILS",
                "REGISTRANT_CONTACT_NAME",
                "REGISTRANT_CONTACT_EMAIL",
            ),
        ),
        size=(200_000, 20_000_000),
        rows=7_000,
        # Registrations run out together at the end of a year, and are renewed after it.
        fall=0.3,
        every_days=7,
    ),
)
