"""Further hosts: Medicare, Medicaid, Canada, England, and what the Internet Archive captured.

They register themselves with `official_hosts`, as those do.
"""

from __future__ import annotations

import csv
import gzip
import html
import io
import json
import re
import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import pandas as pd
from official_answers import Answer, Question, as_json
from official_hosts import absent, answers, as_file
from official_records import Shelf, Shown, zipped

from shortcast.features.simulated.writers._files import write_sheet

if TYPE_CHECKING:
    from official_server import OfficialServer


def _page(text: str, source: str = "") -> Answer:
    raw = f"<!DOCTYPE html><html><body>{text}</body></html>".encode()
    return Answer(raw, source, headers={"Content-Type": "text/html; charset=utf-8"})


def _as_csv(rows: list[dict[str, str]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


# --- Medicaid: NADAC -----------------------------------------------------------------------------

_NADAC = "NADAC (National Average Drug Acquisition Cost)"


def _dataset(year: int) -> str:
    """The identifier of the dataset of a year."""
    return f"{year:08x}-0000-4000-8000-000000000000"


@answers(r"data\.medicaid\.gov/api/1/metastore/schemas/dataset/items")
def _medicaid(server: OfficialServer, question: Question) -> Answer:
    """All datasets of the site; those of NADAC are among them."""
    items: list[dict[str, Any]] = [
        {"identifier": "5c5c5c5c-0000", "title": "State Drug Utilization Data 2024"}
    ]
    years = {day.year for day in server.shelf.days("nadac", date.max)}
    for year in sorted(years):
        rows = _prices(server, question.day, year)
        if not rows:
            continue
        newest = max(_us_day(row["As of Date"]) for row in rows)
        address = f"https://download.medicaid.gov/data/nadac-{year}.csv"
        items += [
            {
                "@type": "dcat:Dataset",
                "identifier": _dataset(year),
                "title": f"{_NADAC} {year}",
                "modified": newest.isoformat(),
                "distribution": [
                    {
                        "@type": "dcat:Distribution",
                        "downloadURL": address,
                        "mediaType": "text/csv",
                        "title": f"{_NADAC} {year}",
                    }
                ],
            },
            {"identifier": f"c{_dataset(year)[1:]}", "title": f"NADAC Comparison {year}"},
        ]
    return as_json(items)


@lru_cache(maxsize=10_000)
def _us_day(text: str) -> date:
    return datetime.strptime(text, "%m/%d/%Y").date()


def _prices(server: OfficialServer, day: date, year: int) -> list[dict[str, str]]:
    """The rows of a year that are out by a day; the simulation writes a year's file at its end."""
    return [row for week, row in _prices_of_year(server.shelf, year) if week <= day]


@lru_cache(maxsize=8)
def _prices_of_year(shelf: Shelf, year: int) -> list[tuple[date, dict[str, str]]]:
    """The rows of a year by their weeks; those without one are never out."""
    ends = [end for end in shelf.days("nadac", date.max) if end.year == year]
    found = []
    for row in shelf.of("nadac", ends[-1]).rows() if ends else []:
        with suppress(ValueError):
            found.append((_us_day(row["As of Date"]), row))
    return found


@answers(r"download\.medicaid\.gov/data/nadac-(\d{4})\.csv")
def _nadac_file(server: OfficialServer, question: Question, year: str) -> Answer:
    rows = _prices(server, question.day, int(year))
    if not rows:
        return absent("nadac")
    changed_on = max(_us_day(row["As of Date"]) for row in rows)
    return Answer(
        _as_csv(rows), "nadac", headers={"Content-Type": "text/csv"}, changed_on=changed_on
    )


@answers(r"data\.medicaid\.gov/api/1/datastore/query/([0-9a-f-]+)/0(/download)?")
def _datastore(
    server: OfficialServer, question: Question, dataset: str, download: str | None
) -> Answer:
    """Rows of a dataset by conditions, sorted, counted; as JSON or as a file."""
    query = question.query
    whole = _prices(server, question.day, int(dataset[:8], 16))
    if not whole:
        return as_json({"message": "No dataset with that identifier"}, "nadac", status=404)

    def named(row: dict[str, str], field: str) -> str:
        return next(cell for name, cell in row.items() if _field(name) == field)

    rows = whole
    if field := query.get("conditions[0][property]"):
        value, operator = query["conditions[0][value]"], query["conditions[0][operator]"]
        if operator == "=":
            rows = [row for row in rows if named(row, field) == value]
        else:
            rows = [row for row in rows if _us_day(named(row, field)) < _us_day(value)]
    if field := query.get("sorts[0][property]"):
        rows = sorted(
            rows,
            key=lambda row: _us_day(named(row, field)),
            reverse=query.get("sorts[0][order]") == "desc",
        )
    if download:
        # The count is that of the whole week. A week whose own count agrees cannot be told from
        # a short one, so the plan's other damages are none here.
        damage = server.faults.damage("nadac", question.day)
        if damage == "half":
            rows = rows[: len(rows) // 2]
        elif damage == "header":
            rows = [{("Renamed" if n == "NDC" else n): cell for n, cell in r.items()} for r in rows]
        else:
            damage = ""
        kind = {"Content-Type": "text/csv"}
        return Answer(_as_csv(rows), "nadac", headers=kind, damage=damage)
    limit, offset = int(query.get("limit", "500")), int(query.get("offset", "0"))
    page = [
        {_field(name): cell for name, cell in row.items()}
        for row in rows[offset : offset + min(limit, 8000)]
    ]
    content = json.dumps({"results": page, "count": len(rows)}).encode()
    return Answer(content, "nadac", headers={"Content-Type": "application/json"}, damage="")


def _field(name: str) -> str:
    return re.sub(r"\W+", "_", name).lower()


# --- Medicare ------------------------------------------------------------------------------------

_ASP = "cms_asp"


@answers(r"www\.cms\.gov/medicare/payment/part-b-drugs/asp-pricing-files")
def _asp_page(server: OfficialServer, question: Question) -> Answer:
    names = _asp_files(server, question.day)
    links = "".join(f'<li><a href="/files/zip/{name}">{name}</a></li>' for name in names)
    return _page(f"<ul>{links}</ul>")


def _asp_files(server: OfficialServer, day: date) -> dict[str, tuple[Shown, str, bytes]]:
    """The zips that are out by a day: two a quarter, out on its first day.

    The simulation writes the four quarters of a year at once, with one crosswalk for all. The
    names of every other year bear a day as well.
    """
    found: dict[str, tuple[Shown, str, bytes]] = {}
    damage = server.faults.damage(_ASP, day)
    for as_of in server.shelf.days(_ASP, date.max):
        shown = server.shelf.shown(_ASP, as_of, damage, day)
        crosswalk = next((raw for name, raw in shown.files.items() if "crosswalk" in name), b"")
        for name, raw in shown.files.items():
            month = "-".join(name.split("-")[:2])
            quarter = datetime.strptime(month, "%B-%Y").date()
            if "crosswalk" in name or quarter > day:
                continue
            drift = f"-{quarter:%m%d%y}" if quarter.year % 2 else ""
            for kind, content in (
                ("asp-pricing-file", raw),
                ("asp-ndc-hcpcs-crosswalk", crosswalk),
            ):
                member = f"{month}-{kind}.csv".replace("-", " ").replace(" asp", " ASP")
                found[f"{month}-{kind}{drift}.zip"] = (shown, member, content)
    return found


@answers(r"www\.cms\.gov/files/zip/([\w-]+\.zip)")
def _asp_zip(server: OfficialServer, question: Question, name: str) -> Answer:
    found = _asp_files(server, question.day).get(name)
    if found is None:
        return absent(_ASP)
    shown, member, raw = found
    return as_file(shown, zipped({member: raw, "readme.txt": b"SIMULATED"}), "application/zip")


#: Names of the two catalogued tables, by the source that they feed.
_SPENDING = {"partb_spending": "Medicare Part B", "partd_spending": "Medicare Part D"}
_PARTD_NAMES = {"Product_Name": "Brnd_Name", "Generic_Name": "Gnrc_Name"}
_PARTD_FIGURES = {
    "Total_Spending": "Tot_Spndng",
    "Total_Dosage_Units": "Tot_Dsg_Unts",
    "Total_Claims": "Tot_Clms",
    "Total_Beneficiaries": "Tot_Benes",
    "Calc_Average_Spending_Per_Dosage_Unit": "Avg_Spnd_Per_Dsg_Unt_Wghtd",
    "Calc_Average_Spending_Per_Claim": "Avg_Spnd_Per_Clm",
    "Calc_Average_Spending_Per_Beneficiary": "Avg_Spnd_Per_Bene",
    "Outlier_Flag": "Outlier_Flag",
}


@answers(r"data\.cms\.gov/(?:v1-1-)?data\.json")
def _medicare(server: OfficialServer, question: Question) -> Answer:
    """A catalogue with a dataset for every release."""
    sets = [{"title": "Hospital General Information", "distribution": []}]
    for source, name in _SPENDING.items():
        for day in server.shelf.days(source, question.day):
            title = f"{name} Spending by Drug"
            address = f"https://data.cms.gov/sites/default/files/{source}-{day}.csv"
            temporal = f"{day.year - 2}-01-01/{day.year - 2}-12-31"
            item = {
                "title": f"{title} : {temporal}",
                "downloadURL": address,
                "mediaType": "text/csv",
                "modified": day.isoformat(),
                "temporal": temporal,
            }
            sets.append({"title": title, "modified": day.isoformat(), "distribution": [item]})
    return as_json({"conformsTo": "https://project-open-data.cio.gov/v1.1/schema", "dataset": sets})


@answers(r"data\.cms\.gov/sites/default/files/(\w+)-(\d{4}-\d\d-\d\d)\.csv")
def _spending(server: OfficialServer, question: Question, source: str, day: str) -> Answer:
    newest = server.shelf.newest(source, question.day)
    shown = newest
    if newest is None or newest.as_of.isoformat() != day:
        shown = server.shelf.of(source, date.fromisoformat(day))
    assert shown is not None
    name, raw = shown.only()
    if name.endswith(".parquet"):
        raw = _wide(pd.read_parquet(io.BytesIO(raw)))
    return as_file(shown, raw, "text/csv")


def _wide(rows: pd.DataFrame) -> bytes:
    """Part D as CMS publishes it: the years side by side, the makers of a drug and all together."""
    rows = rows.rename(columns={**_PARTD_NAMES, **_PARTD_FIGURES, "Manufacturer": "Mftr_Name"})
    names, figures = ["Brnd_Name", "Gnrc_Name", "Mftr_Name"], list(_PARTD_FIGURES.values())
    rows = rows.assign(number=rows.groupby([*names, "YEAR"]).cumcount())
    years = rows.pivot(index=[*names, "number"], columns="YEAR", values=figures)
    years.columns = [f"{figure}_{year}" for figure, year in years.columns]
    return years.reset_index().drop(columns="number").to_csv(index=False).encode()


# --- The FDA's registered sites ------------------------------------------------------------------


@answers(r"www\.accessdata\.fda\.gov/cder/drls_reg\.zip")
def _sites(server: OfficialServer, question: Question) -> Answer:
    shown = server.shelf.newest("fda_establishments", question.day)
    if shown is None:
        return absent("fda_establishments")
    rows = list(csv.reader(io.StringIO(gzip.decompress(shown.only()[1]).decode("utf-8-sig"))))
    persons = ["ESTABLISHMENT_CONTACT_NAME", *["Someone Invented"] * (len(rows) - 1)]
    lines = ["\t".join([*row, person, ""]) for row, person in zip(rows, persons, strict=True)]
    text = "\r\n".join([*lines, ""])
    return as_file(shown, zipped({"drls_reg.txt": text.encode()}), "application/zip")


# --- Canada --------------------------------------------------------------------------------------

_REPORT_FIELDS = {
    "Report ID": "id",
    "Drug Identification Number": "din",
    "Brand name": "en_drug_brand_name",
    "Company Name": "company_name",
    "Common or Proper name": "en_drug_common_name",
    "Ingredients": "en_ingredients",
    "Strength(s)": "drug_strength",
    "Packaging size": "drug_package_quantity",
    "Route of administration": "drug_route",
    "Shortage status": "status",
    "Dosage form(s)": "drug_dosage_form",
    "Anticipated start date": "anticipated_start_date",
    "Actual start date": "actual_start_date",
    "Estimated end date": "estimated_end_date",
    "Actual end date": "actual_end_date",
    "Date Created": "created_date",
    "Date Updated": "updated_date",
}
_REPORT_WORDS = {
    "Actual shortage": "active_confirmed",
    "Resolved": "resolved",
    "Discontinued": "discontinued",
    "Shortage": "shortage",
    "Discontinuation": "discontinuance",
}
_TOKEN = "t0ken-0f-a-sessi0n"


@answers(r"(?:www\.)?healthproductshortages\.ca/api/v1/login")
def _sign_in(server: OfficialServer, question: Question) -> Answer:
    form = dict(parse_qsl(question.body.decode()))
    keys = server.keys
    if (form.get("email"), form.get("password")) != (keys.canada_user, keys.canada_password):
        return as_json({"error": "Invalid credentials"}, "canada_shortages", status=401)
    return as_json({"user": {"id": 1}}, "canada_shortages", headers={"auth-token": _TOKEN})


@answers(r"(?:www\.)?healthproductshortages\.ca/api/v1/search")
def _reports(server: OfficialServer, question: Question) -> Answer:
    source = "canada_shortages"
    if question.headers.get("auth-token") != _TOKEN:
        return as_json({"error": "Unauthorized"}, source, status=401)
    shown = server.shelf.newest(source, question.day)
    rows = [] if shown is None else shown.rows()
    rows = sorted(rows, key=lambda row: int(row.get("Report ID") or 0))
    offset, limit = int(question.query.get("offset", "0")), int(question.query.get("limit", "20"))
    reports = [_report(row) for row in rows[offset : offset + limit]]
    return as_json({"total": 0 if shown is None else shown.whole, "data": reports}, source)


def _report(row: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        field: _REPORT_WORDS.get(row.get(name, ""), row.get(name, ""))
        for name, field in _REPORT_FIELDS.items()
    }
    found["type"] = {"label": _REPORT_WORDS.get(row.get("Report Type", ""), "")}
    found["shortage_reason"] = {"en_reason": row.get("Reason", "")}
    found["tier_3"] = row.get("Tier 3") == "Yes"
    return found


# --- England -------------------------------------------------------------------------------------

_ENGLAND = "uk_price_concessions"


@answers(r"cpe\.org\.uk/funding-and-reimbursement/reimbursement/price-concessions/archive/")
def _concessions_page(server: OfficialServer, question: Question) -> Answer:
    shown = server.shelf.newest(_ENGLAND, question.day)
    if shown is None:
        return absent(_ENGLAND)
    name = f"Price-concession-archive-{shown.as_of:%B-%Y}.xlsx"
    address = f"https://cpe.org.uk/wp-content/uploads/{shown.as_of:%Y/%m}/{name}"
    return _page(f'<p><a class="more" href="{html.escape(address)}">Archive</a></p>')


@answers(r"cpe\.org\.uk/wp-content/uploads/.+\.xlsx")
def _concessions(server: OfficialServer, question: Question) -> Answer:
    shown = server.shelf.newest(_ENGLAND, question.day)
    if shown is None or shown.only()[0].endswith(".gz"):
        return absent(_ENGLAND)
    rows = pd.DataFrame(shown.rows())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "archive.xlsx"
        write_sheet(
            path,
            ["Month", "Drug", "Concession Price (£)"],
            [rows[name].fillna("").astype("str") for name in rows.columns[:3]],
        )
        raw = path.read_bytes()
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    # The sheet is written anew with its own header, so a column of another name is not seen.
    return replace(as_file(shown, raw, kind), damage="" if shown.damage == "header" else None)


# --- The Internet Archive ------------------------------------------------------------------------

_EXPORT = "www.accessdata.fda.gov/scripts/drugshortages/Drugshortages.cfm"
_LIST = "www.accessdata.fda.gov/scripts/drugshortages/default.cfm"
_HTML = "fda_shortages_html"


def _captures(server: OfficialServer, address: str, today: date) -> dict[date, bytes]:
    """What was captured of an address, by day."""
    if address.casefold() == _EXPORT.casefold():
        days = server.shelf.days("fda_shortages", today)
        return {day: server.shelf.of("fda_shortages", day).only()[1] for day in days}
    days = server.shelf.days(_HTML, today)
    if address.casefold() != _LIST.casefold() or not days:
        return {}
    spells = server.shelf.of(_HTML, days[-1]).rows()
    seen = sorted({row[name] for row in spells for name in ("First Seen", "Last Seen")})
    return {
        date.fromisoformat(day): _list_page(
            [row for row in spells if row["First Seen"] <= day <= row["Last Seen"]]
        )
        for day in seen
    }


def _list_page(rows: list[dict[str, str]]) -> bytes:
    """The older list: a link for each drug."""
    cells = []
    for row in rows:
        status = "d" if row["Status"] == "To Be Discontinued" else "c"
        link = urlencode({"AI": row["Generic Name"], "st": status, "tab": "tabs-1"})
        address = html.escape(f"dsp_ActiveIngredientDetails.cfm?{link}")
        cells.append(
            f'<tr><td><a href="{address}">{html.escape(row["Generic Name"])}</a></td></tr>'
        )
    return f"<html><body><table>{''.join(cells)}</table></body></html>".encode()


@answers(r"web\.archive\.org/cdx/search/cdx")
def _cdx(server: OfficialServer, question: Question) -> Answer:
    """The index of captures, as rows below a row of names."""
    header = ["urlkey", "timestamp", "original", "mimetype", "statuscode", "digest", "length"]
    asked = re.sub(r"^https?://", "", question.query.get("url", ""))
    rows = [
        [
            "gov,fda,accessdata)/scripts/drugshortages",
            f"{day:%Y%m%d}120000",
            f"https://{asked}",
            "text/html",
            "200",
            md5(raw, usedforsecurity=False).hexdigest().upper(),
            str(len(raw)),
        ]
        for day, raw in _captures(server, asked, question.day).items()
    ]
    if names := question.query.get("fl", ""):
        chosen = [header.index(name) for name in names.split(",")]
        header, *rows = [[row[n] for n in chosen] for row in [header, *rows]]
    return as_json([header, *rows] if rows else [])


@answers(r"web\.archive\.org/web/(\d{8})\d*id_/https?:/{1,2}(.+)")
def _capture(server: OfficialServer, question: Question, stamp: str, address: str) -> Answer:
    day = date(int(stamp[:4]), int(stamp[4:6]), int(stamp[6:8]))
    raw = _captures(server, address, question.day).get(day)
    if raw is None:
        return absent()
    source = _HTML if address.casefold() == _LIST.casefold() else "fda_shortages"
    return Answer(raw, source, headers={"Content-Type": "application/octet-stream"})
