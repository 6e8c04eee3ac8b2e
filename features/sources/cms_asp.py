"""Medicare Part B payment limits, from average sales prices, and which NDCs they cover.

CMS publishes the limits each quarter: a preamble with the dates of the quarter, then a table
that begins at the row ``HCPCS Code``. The limit is 106 % of the average sales price of two
quarters before. A second file maps NDCs to HCPCS codes.

CMS publishes each as a zip that holds the table as a spreadsheet and as a CSV file, beside tables
that are none of ours: limits of drugs without a code of their own (NOC), and crosswalks of other
payments (AWP, OPPS, PrEP). Two layouts of the crosswalk occur: that of CMS, below a title, and one
that others tidied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from shortcast.features.sources._plain_tables import nullable
from shortcast.features.sources.contract import Column, Reading, Source, SourceError, Table
from shortcast.features.sources.fetching import Fetching, Quarterly
from shortcast.features.sources.tables import (
    decode,
    parse_dates,
    parse_numbers,
    read_bytes,
    read_csv,
    read_zip,
    rejects,
    require,
)

LIMITS = Table(
    name="asp_limits",
    description="the payment limit of one HCPCS code in one quarter",
    columns=(
        Column("hcpcs", "VARCHAR", "HCPCS code"),
        Column("short_description", "VARCHAR", "what the code stands for"),
        Column("dosage", "VARCHAR", "amount of drug that the code and the limit are for"),
        Column("payment_limit_usd", "DOUBLE", "US dollars for that amount; null: none is set"),
        Column("coinsurance_percent", "DOUBLE", "share that the patient pays"),
        Column("vaccine_awp_percent", "DOUBLE", "share of the wholesale price, for vaccines"),
        Column("vaccine_limit_usd", "DOUBLE", "limit, for vaccines"),
        Column("blood_awp_percent", "DOUBLE", "share of the wholesale price, for blood products"),
        Column("blood_limit_usd", "DOUBLE", "limit, for blood products"),
        Column("is_clotting_factor", "BOOLEAN", "a blood clotting factor"),
        Column("notes", "VARCHAR", "remarks"),
        Column("quarter_start", "DATE", "first day on which the limit holds"),
        Column("quarter_end", "DATE", "last day on which the limit holds"),
    ),
    key=("hcpcs", "quarter_start"),
)
CROSSWALK = Table(
    name="asp_crosswalk",
    description="one NDC that a HCPCS code covers",
    columns=(
        Column("ndc11", "VARCHAR", "NDC of eleven characters, 5-4-2 without hyphens"),
        Column("hcpcs", "VARCHAR", "HCPCS code"),
        Column("hcpcs_description", "VARCHAR", "what the code stands for"),
        Column("drug_name", "VARCHAR", "drug as labelled"),
        Column("manufacturer", "VARCHAR", "labeler"),
        Column("dosage", "VARCHAR", "amount of drug that the code is for"),
        Column("package_size", "DOUBLE", "size of one item in the package"),
        Column("package_quantity", "DOUBLE", "items in the package"),
        Column("billing_units_per_item", "DOUBLE", "amounts of the code in one item"),
        Column("billing_units_per_package", "DOUBLE", "amounts of the code in the package"),
        Column("has_multiple_hcpcs", "BOOLEAN", "the NDC is covered by several codes"),
        Column("all_hcpcs", "VARCHAR", "those codes, '|' between them"),
    ),
    key=("ndc11", "hcpcs"),
    is_list=True,
)

_LIMIT_COLUMNS = {
    "HCPCS Code": "hcpcs",
    "Short Description": "short_description",
    "HCPCS Code Dosage": "dosage",
    "Payment Limit": "payment_limit_usd",
}
_LIMIT_EXTRAS = {
    "Co-insurance Percentage": "coinsurance_percent",
    "Vaccine AWP%": "vaccine_awp_percent",
    "Vaccine Limit": "vaccine_limit_usd",
    "Blood AWP%": "blood_awp_percent",
    "Blood limit": "blood_limit_usd",
    "Clotting Factor": "is_clotting_factor",
    "Notes": "notes",
}
_CROSSWALK_COLUMNS = {
    "ndc11": "ndc11",
    "hcpcs_code": "hcpcs",
    "hcpcs_description": "hcpcs_description",
    "drug_name": "drug_name",
    "manufacturer": "manufacturer",
    "hcpcs_dosage": "dosage",
    "pkg_size": "package_size",
    "pkg_qty": "package_quantity",
    "bill_units_per_item": "billing_units_per_item",
    "bill_units_per_pkg": "billing_units_per_package",
    "has_multiple_hcpcs": "has_multiple_hcpcs",
    "all_hcpcs_codes": "all_hcpcs",
}
#: CMS's own header of the crosswalk, whose case varies; its first column bears the year.
_CODE = "_2026_CODE"
_OFFICIAL_CROSSWALK = {
    _CODE: "hcpcs",
    "Short Description": "hcpcs_description",
    "LABELER NAME": "manufacturer",
    "NDC": "ndc",
    "Drug Name": "drug_name",
    "HCPCS dosage": "dosage",
    "PKG SIZE": "package_size",
    "PKG QTY": "package_quantity",
    "BILLUNITS": "billing_units_per_item",
    "BILLUNITSPKG": "billing_units_per_package",
}
_CROSSWALK_START = re.compile(r'^"?_\d{4}_CODE"?,', re.MULTILINE | re.IGNORECASE)
#: Members of the zips that are ours, and marks of those that are not.
_MEMBER = re.compile(r"(payment limit|asp pricing) file.*\.csv$|asp ndc.*hcpcs.*\.csv$", re.I)
_OTHER_MEMBER = re.compile(r"\b(noc|awp|opps|prep)\b", re.I)
#: Skin substitutes have letters in their NDCs.
_CROSSWALK_PATTERNS = {"ndc11": r"[0-9A-Za-z]{11}", "hcpcs": r"[A-Z0-9]{5}"}
_PAGE = "https://www.cms.gov/medicare/payment/part-b-drugs/asp-pricing-files"
_FOLDER = "https://www.cms.gov/files/zip/"
#: How the two files of a quarter have been named since 2020; some names bear a day as well, and
#: are found by the page's links only.
_NAMES = (
    (
        ("medicare-part-b-payment-limit-files", "asp-pricing"),
        ("-final", "", "-final-file", "-file"),
    ),
    (
        ("ndc-hcpcs-crosswalk", "asp-ndc-hcpcs-crosswalk"),
        ("-final", "", "-final-file"),
    ),
)
_TABLE_START = re.compile(r'^"?HCPCS Code"?,', re.MULTILINE)
_QUARTER = re.compile(r"Effective\s+(\w+ \d{1,2}, \d{4})\s+through\s+(\w+ \d{1,2}, \d{4})")


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read the payment limits of a quarter, the crosswalk, or both.

    Parameters
    ----------
    files : sequence of Path
        CSV files, or the zips that hold them; each is recognised by its own header.
    as_of : date
        The snapshot's date; not used, as the files carry their quarter.

    Returns
    -------
    Reading
        ``asp_limits`` and ``asp_crosswalk``, as far as there is a file for them.

    Raises
    ------
    SourceError
        If there is no file, or one is neither of the two, names no quarter, or is no data.
    """
    if not files:
        raise SourceError("A snapshot of ASP limits holds one or two CSV files; there is none.")
    parts: dict[str, list[pd.DataFrame]] = {}
    found: list[pd.DataFrame] = []
    for name, raw in (table for path in sorted(files) for table in _tables(path)):
        text = decode(raw, name)
        limits, official = _TABLE_START.search(text), _CROSSWALK_START.search(text)
        if limits is not None:
            frame, bad = _read_limits(name, text[: limits.start()], text[limits.start() :])
            parts.setdefault(LIMITS.name, []).append(frame)
        elif official is not None:
            frame, bad = _read_official_crosswalk(name, text[official.start() :])
            parts.setdefault(CROSSWALK.name, []).append(frame)
        elif text.lower().startswith("ndc11,"):
            frame, bad = _read_crosswalk(name, raw)
            parts.setdefault(CROSSWALK.name, []).append(frame)
        else:
            raise SourceError(
                f"{name} has neither a row that starts with 'HCPCS Code' (payment limits) nor "
                f"a header that starts with 'ndc11' or '{_CODE}' (crosswalk); fetch the ASP "
                "file again, or mend the reader if its format has changed."
            )
        found.append(bad)
    return Reading(
        tables={name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()},
        rejects=pd.concat(found, ignore_index=True),
    )


def _tables(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the tables of a file, which may be a zip.

    Raises
    ------
    SourceError
        If a zip is damaged or holds no table of ours.
    """
    if path.suffix.lower() != ".zip":
        yield path.name, read_bytes(path)
        return
    ours = [
        (f"{path.name}/{name}", raw)
        for name, raw in sorted(read_zip(path).items())
        if _MEMBER.search(name) and not _OTHER_MEMBER.search(name)
    ]
    if not ours:
        raise SourceError(
            f"{path.name} holds neither payment limits nor the ASP crosswalk as CSV; fetch it "
            "again, or mend the reader if its members have new names."
        )
    yield from ours


def _read_limits(file: str, preamble: str, table: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the limits of one quarter."""
    quarter = _QUARTER.search(preamble)
    days, wrong = parse_dates(pd.Series(quarter.groups() if quarter else [""]), ["%B %d, %Y"])
    if quarter is None or wrong.any():
        raise SourceError(
            f"{file} does not say above its table from when to when the limits hold ('Effective "
            "October 1, 2025 through December 31, 2025'); fetch the file as CMS publishes it."
        )
    frame = read_csv(table.encode(), file)
    require(frame.columns, list(_LIMIT_COLUMNS), file)
    frame = frame.rename(columns=_LIMIT_COLUMNS | _LIMIT_EXTRAS)
    for name in set(_LIMIT_EXTRAS.values()).difference(frame.columns):
        frame[name] = ""
    numbers = [c.name for c in LIMITS.columns if c.type == "DOUBLE"]
    frame, bad = _type(frame, file, numbers, {"hcpcs": r"[A-Z0-9]{5}"})
    frame = frame.assign(
        is_clotting_factor=frame["is_clotting_factor"].isin(["1", "Y", "Yes"]),
        quarter_start=days[0],
        quarter_end=days[1],
        event_date=days[0],
        # Limits come out some weeks before their quarter; its first day errs on the late side.
        published_at=days[0],
    )
    return _columns(frame, LIMITS, ["event_date", "published_at"]), bad


def _read_crosswalk(file: str, raw: bytes) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the map from NDCs to HCPCS codes."""
    frame = read_csv(raw, file)
    require(frame.columns, list(_CROSSWALK_COLUMNS), file)
    frame = frame.rename(columns=_CROSSWALK_COLUMNS)
    numbers = [c.name for c in CROSSWALK.columns if c.type == "DOUBLE"]
    frame, bad = _type(frame, file, numbers, _CROSSWALK_PATTERNS)
    several = frame["has_multiple_hcpcs"].str.lower().map({"true": True, "false": False})
    frame["has_multiple_hcpcs"] = several.astype("boolean")
    return _columns(frame, CROSSWALK, []), bad


def _read_official_crosswalk(file: str, table: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the map as CMS publishes it, with the NDC in its three segments."""
    frame = read_csv(table.encode(), file)
    # Up to 2025 the NDC stood under NDC2.
    spelled = {name.lower(): name for name in _OFFICIAL_CROSSWALK} | {"ndc2": "NDC"}
    frame.columns = [_CODE, *(spelled.get(str(n).lower(), n) for n in frame.columns[1:])]
    require(frame.columns, list(_OFFICIAL_CROSSWALK), file)
    frame = frame.rename(columns=_OFFICIAL_CROSSWALK)
    frame["ndc11"] = frame["ndc"].str.replace("-", "")
    codes = frame.groupby("ndc11")["hcpcs"].transform("nunique")
    frame["has_multiple_hcpcs"] = (codes > 1).astype("boolean")
    frame["all_hcpcs"] = ""
    numbers = [c.name for c in CROSSWALK.columns if c.type == "DOUBLE"]
    frame, bad = _type(frame, file, numbers, _CROSSWALK_PATTERNS)
    return _columns(frame, CROSSWALK, []), bad


def _type(
    frame: pd.DataFrame, file: str, numbers: Sequence[str], patterns: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Parse the numbers; reject rows whose codes are none or whose numbers are not read."""
    good = pd.Series(True, index=frame.index)
    found = []
    parsed = {}
    for column, pattern in patterns.items():
        wrong = good & ~frame[column].str.fullmatch(pattern)
        good &= ~wrong
        rows = frame[wrong]
        found.append(rejects(file, rows["source_row"], column, rows[column], "is no such code"))
    for column in numbers:
        parsed[column], wrong = parse_numbers(frame[column])
        wrong &= good
        good &= ~wrong
        rows = frame[wrong]
        found.append(rejects(file, rows["source_row"], column, rows[column], "is no number"))
    frame = nullable(frame.assign(**parsed, source_file=file))[good]
    return frame, pd.concat(found, ignore_index=True)


def _columns(frame: pd.DataFrame, table: Table, times: Sequence[str]) -> pd.DataFrame:
    """Return a table's columns, its times and its lineage."""
    return frame[[*(c.name for c in table.columns), *times, "source_file", "source_row"]]


SOURCE = Source(
    name="cms_asp",
    title="Medicare Part B average sales price (ASP) drug pricing files",
    publisher="Centers for Medicare & Medicaid Services",
    address="https://www.cms.gov/medicare/payment/part-b-drugs/asp-pricing-files",
    licence="public domain (work of the US government); short descriptions may hold AMA CPT text",
    citation="Centers for Medicare & Medicaid Services. ASP Pricing Files.",
    cadence_days=92,
    files=("*.csv", "*.zip"),
    tables=(LIMITS, CROSSWALK),
    read=read,
    required={
        LIMITS.name: tuple(_LIMIT_COLUMNS),
        CROSSWALK.name: tuple(_OFFICIAL_CROSSWALK),
    },
    caveats=(
        "The limit is 106 % of the average sales price of two quarters before.",
        "Limits are set by HCPCS code, which may cover the products of several firms.",
        "CMS re-issues the files; a limit may change after its quarter has begun.",
        "Names of the files drift; a quarter under an unknown name is missed until it is known.",
    ),
    fetching=Fetching(
        way=Quarterly(_PAGE, _FOLDER, _NAMES),
        size=(100_000, 30_000_000),
        rows=4_000,
        fall=0.2,
        unparsed=0.05,
        every_days=7,
        history=Quarterly(_PAGE, _FOLDER, _NAMES, since=2017),
    ),
)
