"""Price concessions in England: months in which a medicine was dearer than its tariff price.

A concession is agreed month by month when pharmacies cannot buy a medicine at the tariff price,
a leading sign of tight supply. Three layouts occur: the spreadsheet of all months that Community
Pharmacy England keeps, a monthly list with prices that others made, and an older table of monthly
prescribing that flags the months with a concession.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import pandas as pd
from python_calamine import CalamineError, CalamineWorkbook

from shortcast.features.sources._fda_exports import (
    blank_to_null,
    date_reason,
    drop_rows,
    gather,
    note_values,
    only_file,
)
from shortcast.features.sources.contract import Column, Reading, Source, SourceError, Table
from shortcast.features.sources.fetching import Fetching, LinkedFile
from shortcast.features.sources.tables import (
    parse_dates,
    read_bytes,
    read_csv,
    refuse_cut_short,
    require,
    tidy,
)

CONCESSIONS = Table(
    name="uk_concessions",
    description="A medicine had a concession price in England in this month.",
    columns=(
        Column("month", "DATE", "first day of the month"),
        Column("product", "VARCHAR", "medicine, strength and form in one text"),
        Column("ingredients", "VARCHAR", "active ingredients (flagged months only)"),
        Column("dosage_form", "VARCHAR", "dosage form (flagged months only)"),
        Column("price_gbp", "DOUBLE", "concession price of a pack (monthly list only)"),
    ),
    key=("month", "product"),
)

PRESCRIBING = Table(
    name="uk_prescribing",
    description="A medicine's prescribing in England in this month.",
    columns=(
        Column("month", "DATE", "first day of the month"),
        Column("product", "VARCHAR", "medicine, strength and form in one text"),
        Column("ingredients", "VARCHAR", "active ingredients"),
        Column("dosage_form", "VARCHAR", "dosage form"),
        Column("cost_gbp", "DOUBLE", "cost of what was prescribed"),
        Column("quantity_units", "DOUBLE", "tablets, capsules, millilitres and so on prescribed"),
        Column("price_gbp_per_unit", "DOUBLE", "cost divided by quantity"),
    ),
    key=("month", "product"),
    assumed_lag_days=60,
    lag_note=(
        "Prescribing in England is published about two months after the month; taken as 60 days "
        "after its end."
    ),
)

# The flagged table also holds a back-cast of what a month would have cost without concessions.
# It was computed with hindsight, so it is left out.
_FLAGGED = (
    "month_full",
    "product_pack",
    "active_ingredients",
    "dosage",
    "value",
    "quantity",
    "shortage",
    "price_per_piece",
)
_LISTED = ("month", "drug", "concession_price")
#: The publisher's own spreadsheet.
_SHEET = ("Month", "Drug")
#: Headers under which the spreadsheet may have its price; only month and drug are certain.
_PRICES = ("price concession", "concession price", "concessionary price", "price")
_FLAGS = {"": False, "FALSE": False, "TRUE": True}
_MONTHS = ("%Y-%m-%d", "%Y-%m", "%B %Y", "%b-%y")


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one file, in either layout.

    Parameters
    ----------
    files : sequence of Path
        The one file of the snapshot.
    as_of : date
        Its day.

    Returns
    -------
    Reading
        ``uk_concessions``, published by the end of their month; of the flagged table also
        ``uk_prescribing``.

    Raises
    ------
    SourceError
        If the file has neither layout, or is cut short.
    """
    path = only_file(files, SOURCE.name)
    if path.suffix.lower() == ".xlsx":
        raw = _read_sheet(path)
    else:
        raw = read_csv(read_bytes(path), path.name)
    width = raw.shape[1] - 2  # source_row and field_count stand beside the file's own
    flagged = "month_full" in raw.columns
    month, product = ("month_full", "product_pack") if flagged else ("month", "drug")
    require(raw.columns, _FLAGGED if flagged else _LISTED, path.name)
    refuse_cut_short(raw["field_count"], width, path.name)
    raw["source_file"] = path.name
    frame, entry = drop_rows(
        raw,
        raw["field_count"] != width,
        "",
        raw["field_count"].astype("str"),
        f"the record does not have the header's {width} fields",
    )
    entries = [entry]
    frame, entry = drop_rows(frame, frame[product] == "", product, "", "no product")
    entries.append(entry)
    parsed, _ = parse_dates(frame[month], _MONTHS, latest=as_of)
    written = frame[month]
    frame["month"], frame["product"] = _first_day(parsed), frame[product]
    frame, entry = drop_rows(frame, parsed.isna(), month, written, date_reason(as_of))
    entries.append(entry)
    if not flagged:
        price, entry = _positive(frame, "concession_price")
        concessions = _concessions(frame.assign(ingredients=None, dosage_form=None), price)
        return Reading({CONCESSIONS.name: concessions}, gather([*entries, entry]))

    frame["conceded"] = frame["shortage"].str.upper().map(_FLAGS)
    frame, entry = drop_rows(
        frame,
        frame["conceded"].isna(),
        "shortage",
        frame["shortage"],
        "neither TRUE, FALSE nor blank",
    )
    entries.append(entry)
    frame["ingredients"] = blank_to_null(frame["active_ingredients"])
    frame["dosage_form"] = blank_to_null(frame["dosage"])
    numbers = {}
    for name, header in (
        ("cost_gbp", "value"),
        ("quantity_units", "quantity"),
        ("price_gbp_per_unit", "price_per_piece"),
    ):
        numbers[name], entry = _positive(frame, header, zero=True)
        entries.append(entry)
    prescribing = frame[["month", "product", "ingredients", "dosage_form"]].assign(
        **numbers,
        event_date=_last_day(frame["month"]),
        source_file=frame["source_file"],
        source_row=frame["source_row"],
    )
    conceded = frame[frame["conceded"].astype(bool)].reset_index(drop=True)
    return Reading(
        {
            CONCESSIONS.name: _concessions(conceded, None),
            PRESCRIBING.name: prescribing,
        },
        gather(entries),
    )


def _read_sheet(path: Path) -> pd.DataFrame:
    """Return the spreadsheet of all months as if it were the monthly list.

    Raises
    ------
    SourceError
        If it is no whole spreadsheet, or has no header with month and drug.
    """
    try:
        rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    except CalamineError as error:
        raise SourceError(
            f"{path.name} is not a whole spreadsheet ({error}); fetch it again."
        ) from error
    cells = [[_text(cell) for cell in row] for row in rows]
    start = next((n for n, row in enumerate(cells) if _lower(_SHEET) <= _lower(row)), None)
    if start is None:
        raise SourceError(
            f"{path.name} has no row with the headers {' and '.join(_SHEET)}; fetch it again, or "
            "mend the reader if the source has changed its format."
        )
    # A currency in brackets is no part of a name.
    header = [name.lower().partition("(")[0].strip() for name in cells[start]]
    price = next((name for name in _PRICES if name in header), None)
    columns = {"month": "month", "drug": "drug", **({price: "concession_price"} if price else {})}
    places = {name: header.index(column) for column, name in columns.items()}
    body = [
        {name: row[at] for name, at in places.items()} | {"source_row": number}
        for number, row in enumerate(cells[start + 1 :], start=1)
        if any(row)
    ]
    if not body:
        raise SourceError(f"{path.name} has a header and no rows; fetch it again.")
    frame = pd.DataFrame(body)
    if price is None:
        frame["concession_price"] = ""
    frame["concession_price"] = frame["concession_price"].str.replace(
        r"[\u00a3,\s]", "", regex=True
    )
    frame = frame[[*_LISTED, "source_row"]]
    return frame.assign(field_count=len(_LISTED))


def _lower(row: Sequence[str]) -> set[str]:
    return {cell.lower() for cell in row}


def _text(cell: object) -> str:
    """Return a cell as tidy text: a date in ISO form."""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, date) else tidy(str(cell))


def _concessions(frame: pd.DataFrame, price: pd.Series | None) -> pd.DataFrame:
    """Return concessions, public by the last day of their month (agreed in its course)."""
    return frame[["month", "product", "ingredients", "dosage_form"]].assign(
        price_gbp=price,
        event_date=frame["month"],
        published_at=_last_day(frame["month"]),
        source_file=frame["source_file"],
        source_row=frame["source_row"],
    )


def _positive(
    frame: pd.DataFrame, column: str, *, zero: bool = False
) -> tuple[pd.Series, pd.DataFrame]:
    """Parse numbers above zero (or zero); others are left empty and noted."""
    number = pd.to_numeric(frame[column], errors="coerce")
    good = (number >= 0) if zero else (number > 0)
    bad = ~good & (frame[column] != "")
    entry = note_values(
        frame,
        bad,
        column,
        frame[column],
        f"no number {'of at least' if zero else 'above'} 0; the value is left empty, the row kept",
    )
    return number.where(good), entry


def _first_day(days: pd.Series) -> pd.Series:
    """Return the first day of each date's month."""
    return days.dt.to_period("M").dt.start_time.astype("datetime64[s]")


def _last_day(days: pd.Series) -> pd.Series:
    """Return the last day of each date's month."""
    return (days + pd.offsets.MonthEnd(0)).astype("datetime64[s]")


SOURCE = Source(
    name="uk_price_concessions",
    title="Price concessions for medicines, England",
    publisher="Community Pharmacy England; NHS Business Services Authority",
    address="https://cpe.org.uk/funding-and-reimbursement/reimbursement/price-concessions/",
    licence="Open Government Licence v3.0 (prescribing); lists of concessions are public",
    citation="Community Pharmacy England. Price concessions, month by month.",
    cadence_days=31,
    files=("*.csv", "*.csv.gz", "*.xlsx"),
    tables=(CONCESSIONS, PRESCRIBING),
    read=read,
    required={"*.xlsx": _SHEET, "*.csv": _LISTED},
    caveats=(
        "The day within the month is not recorded: a concession counts as public at its end.",
        "The file of 2021 holds only the 243 medicines that had a concession by then.",
        "To be in uk_prescribing at all is thus hindsight: never use its presence as a feature.",
        "The file of 2021 has flags but no concession prices.",
        "The months from 2020-01 to 2021-02 stand in both files, in the later one more fully.",
        "Pack sizes are not given; several prices in a month are different packs.",
        "Mostly generics taken by mouth; hospital medicines have no concessions.",
        "Of the publisher's spreadsheet only the columns for month and drug are confirmed.",
    ),
    fetching=Fetching(
        way=LinkedFile(
            "https://cpe.org.uk/funding-and-reimbursement/reimbursement/price-concessions/archive/",
            link=r"(?i)price-concession-archive[^/]*\.xlsx$",
            file="price_concession_archive.xlsx",
        ),
        size=(100_000, 20_000_000),
        rows=4_000,
        every_days=7,
    ),
)
