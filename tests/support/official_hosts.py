"""The hosts: what each answers under which address, in its official format.

Each function takes the server, the question and what its address caught, and returns the answer.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from official_answers import Answer, Question, as_json
from official_records import Shown

if TYPE_CHECKING:
    from official_server import OfficialServer

Host = Callable[..., Answer]
HOSTS: list[tuple[re.Pattern[str], Host]] = []


@dataclass(frozen=True)
class Keys:
    """What the hosts let in: an openFDA key, and accounts elsewhere."""

    openfda: str = "openfda-key"
    dashboard_user: str = "someone@example.invalid"
    dashboard_key: str = "dashboard-key"
    canada_user: str = "someone@example.invalid"
    canada_password: str = "canada-password"


def answers(address: str) -> Callable[[Host], Host]:
    """Register what answers under ``HOST/PATH``, a regular expression."""

    def register(host: Host) -> Host:
        HOSTS.append((re.compile(address), host))
        return host

    return register


def absent(source: str = "") -> Answer:
    page = b"<!DOCTYPE html><html><body><h1>404 - page not found</h1></body></html>"
    return Answer(page, source, 404, {"Content-Type": "text/html"})


# --- openFDA -------------------------------------------------------------------------------------

#: Endpoints of openFDA's ``drug``, by the source whose records they show.
_ENDPOINTS = {
    "shortages": "openfda_shortages",
    "enforcement": "openfda_enforcement",
    "ndc": "openfda_ndc",
}
_MOST_ROWS, _MOST_SKIPPED = 1000, 25_000


def _openfda_refusal(server: OfficialServer, question: Question, source: str) -> Answer | None:
    """What openFDA says to a wrong key, and to too many requests."""
    key = question.query.get("api_key", "")
    if (sent := question.headers.get("authorization", "")).startswith("Basic "):
        key = base64.b64decode(sent.removeprefix("Basic ")).decode().partition(":")[0]
    if key and key != server.keys.openfda:
        error = {"code": "API_KEY_INVALID", "message": "An invalid api_key was supplied."}
        return as_json({"error": error}, source, status=403)
    if server.is_over_limit(key or "address"):
        error = {
            "code": "OVER_RATE_LIMIT",
            "message": "You have exceeded your rate limit. Try again later.",
        }
        return as_json({"error": error}, source, status=429, headers={"Retry-After": "1"})
    return None


@answers(r"api\.fda\.gov/download\.json")
def _download_json(server: OfficialServer, question: Question) -> Answer:
    if refusal := _openfda_refusal(server, question, ""):
        return refusal
    listed = {}
    for endpoint, source in _ENDPOINTS.items():
        shown = server.shelf.newest(source, question.day)
        if shown is None:
            continue
        listed[endpoint] = {
            "export_date": shown.changed_on.isoformat(),
            "partitions": [
                {
                    "display_name": f"All {endpoint} data",
                    "file": f"https://download.open.fda.gov/drug/{endpoint}/{name}",
                    "size_mb": f"{len(raw) / 1e6:.2f}",
                    "records": shown.whole,
                }
                for name, raw in shown.files.items()
            ],
            "total_records": shown.whole,
        }
    meta = {"disclaimer": "SIMULATED", "last_updated": question.day.isoformat()}
    return as_json({"meta": meta, "results": {"drug": listed}})


@answers(r"download\.open\.fda\.gov/drug/(\w+)/([\w.-]+)")
def _bulk(server: OfficialServer, question: Question, endpoint: str, name: str) -> Answer:
    shown = server.shelf.newest(_ENDPOINTS.get(endpoint, ""), question.day)
    if shown is None or name not in shown.files:
        return absent()
    return as_file(shown, shown.files[name], "application/zip")


@answers(r"api\.fda\.gov/drug/(\w+)\.json")
def _openfda_api(server: OfficialServer, question: Question, endpoint: str) -> Answer:
    source = _ENDPOINTS.get(endpoint, "")
    if refusal := _openfda_refusal(server, question, source):
        return refusal
    query = question.query
    limit, skip = int(query.get("limit", "1")), int(query.get("skip", "0"))

    def bad(message: str) -> Answer:
        error = {"code": "BAD_REQUEST", "message": message}
        return as_json({"error": error}, source, status=400)

    if limit > _MOST_ROWS:
        return bad("Limit cannot exceed 1000 results for search requests.")
    if skip > _MOST_SKIPPED:
        return bad("Skip value must 25000 or less.")
    if "search_after" in query and ("skip" in query or "sort" not in query):
        return bad("search_after needs sort, and cannot be used with skip.")
    shown = server.shelf.newest(source, question.day)
    if shown is None:
        error = {"code": "NOT_FOUND", "message": "No matches found!"}
        return as_json({"error": error}, source, status=404)
    results = shown.json()["results"]
    if field := query.get("sort", "").partition(":")[0]:
        results = sorted(results, key=lambda row: str(row.get(field, "")))
    start = int(query["search_after"].partition("=")[2]) if "search_after" in query else skip
    page = results[start : start + limit]
    content = {
        "meta": {
            "disclaimer": "SIMULATED",
            "last_updated": shown.changed_on.isoformat(),
            "results": {"skip": skip, "limit": limit, "total": shown.whole},
        },
        "results": page,
    }
    headers = {"X-Ratelimit-Limit": str(server.per_minute)}
    if field and start + limit < len(results):
        following = {**query, "search_after": f"0={start + limit}"}
        following.pop("skip", None)
        address = f"https://{question.host}{question.path}?{urlencode(following)}"
        headers["Link"] = f'<{address}>; rel="next"'
    return as_json(content, source, headers=headers)


# --- Files of the FDA ----------------------------------------------------------------------------


def as_file(shown: Shown, raw: bytes, kind: str) -> Answer:
    """A file that a server keeps: it tells when it changed, and gives parts of it."""
    return Answer(raw, shown.source, headers={"Content-Type": kind}, changed_on=shown.changed_on)


def _plain(source: str, kind: str, *, is_made: bool = False) -> Host:
    """Answer with the one file of a source; one that is made when asked for has no date."""

    def host(server: OfficialServer, question: Question) -> Answer:
        shown = server.shelf.newest(source, question.day)
        if shown is None:
            return absent(source)
        _, raw = shown.only()
        if is_made:
            return Answer(raw, source, headers={"Content-Type": kind})
        return as_file(shown, raw, kind)

    return host


answers(r"www\.accessdata\.fda\.gov/scripts/drugshortages/Drugshortages\.cfm")(
    _plain("fda_shortages", "application/csv", is_made=True)
)
answers(r"www\.accessdata\.fda\.gov/cder/ndctext\.zip")(_plain("ndc_directory", "application/zip"))
answers(r"www\.fda\.gov/media/76860/download")(_plain("orange_book", "application/zip"))
answers(r"www\.fda\.gov/media/89850/download")(_plain("drugsatfda", "application/zip"))


# --- FDA Data Dashboard --------------------------------------------------------------------------

_MOST_DASHBOARD_ROWS = 5000
_DASHBOARD: dict[str, tuple[str, dict[str, str]]] = {
    "inspections_classifications": (
        "fda_inspections",
        {
            "FEI Number": "FEINumber",
            "Legal Name": "LegalName",
            "City": "City",
            "State": "State",
            "Country/Area": "CountryName",
            "Inspection ID": "InspectionID",
            "Inspection End Date": "InspectionEndDate",
            "Classification": "ClassificationCode",
            "Project Area": "ProjectArea",
            "Product Type": "ProductType",
        },
    ),
    "compliance_actions": (
        "fda_compliance_actions",
        {
            "FEI Number": "FEINumber",
            "Legal Name": "LegalName",
            "State": "State",
            "Country/Area": "CountryName",
            "Product Type": "ProductType",
            "Action Taken Date": "ActionTakenDate",
            "Action Type": "ActionType",
            "Case/Injunction ID": "CaseInjunctionID",
        },
    ),
    # Of these the files have the interface's own names.
    "inspections_citations": ("fda_citations", {"InspectionID": "InspectionID"}),
    "import_refusals": ("fda_import_refusals", {"ShipmentID": "ShipmentID"}),
}


@answers(r"api-datadashboard\.fda\.gov/v1/(\w+)")
def _dashboard(server: OfficialServer, question: Question, table: str) -> Answer:
    """Answer with HTTP 200 whatever happens, and say in the body how it went."""
    source, fields = _DASHBOARD.get(table, ("", {}))

    def refusal(code: int, message: str) -> Answer:
        return as_json({"statuscode": code, "message": message, "resultcount": 0}, source)

    if question.method != "POST" or not source:
        return absent(source)
    user = question.headers.get("authorization-user")
    key = question.headers.get("authorization-key")
    if (user, key) != (server.keys.dashboard_user, server.keys.dashboard_key):
        return refusal(401, "Authorization failed")
    asked = question.json
    if not {"sort", "sortorder", "filters", "columns"} <= asked.keys():
        return refusal(406, "sort, sortorder, filters and columns are required")
    shown = server.shelf.newest(source, question.day)
    rows = [] if shown is None else [_dashboard_row(row, fields) for row in shown.rows()]
    total = rows
    if shown is not None and shown.damage == "half":
        # The count is that of the whole table: only the rows are missing.
        whole = server.shelf.of(source, shown.as_of)
        total = [_dashboard_row(row, fields) for row in whole.rows()]
    for name, values in asked["filters"].items():
        rows, total = (_filtered(of, name, values) for of in (rows, total))
    if asked["sort"] not in fields.values():
        return refusal(406, f"{asked['sort']} is no field")
    rows = sorted(rows, key=lambda row: str(row.get(asked["sort"], "")))
    start = int(asked["start"]) - 1
    page = rows[start : start + min(int(asked["rows"]), _MOST_DASHBOARD_ROWS)]
    content: dict[str, Any] = {
        "statuscode": 400,
        "message": "success",
        "resultcount": len(page),
        "result": page,
    }
    if asked.get("returntotalcount"):
        content["totalrecordcount"] = len(total)
    return as_json(content, source)


def _dashboard_row(row: dict[str, str], fields: dict[str, str]) -> dict[str, str]:
    return {fields.get(name, name.replace(" ", "")): cell for name, cell in row.items()}


def _filtered(rows: list[dict[str, str]], name: str, values: Sequence[str]) -> list[dict[str, str]]:
    if name.endswith("From"):
        return [row for row in rows if row.get(name.removesuffix("From"), "") >= values[0]]
    if name.endswith("To"):
        return [row for row in rows if row.get(name.removesuffix("To"), "") <= values[0]]
    return [row for row in rows if row.get(name) in values]


# --- The FDA's website ---------------------------------------------------------------------------


@answers(r"www\.fda\.gov/datatables/views/ajax")
def _warning_letters(server: OfficialServer, question: Question) -> Answer:
    source = "fda_warning_letters"
    shown = server.shelf.newest(source, question.day)
    if shown is None or question.query.get("view_name") != "warning_letter_solr_index":
        return as_json({"draw": 0, "recordsTotal": 0, "recordsFiltered": 0, "data": []}, source)
    start = int(question.query.get("start", "0"))
    length = int(question.query.get("length", "10"))

    def cells(row: dict[str, str]) -> list[str]:
        text = {name: html.escape(cell or "") for name, cell in row.items()}
        posted, issued, name, office, subject = (
            text.get(column, "")
            for column in ("posted_date", "letter_date", "company", "issuing_office", "subject")
        )
        link = f'<a href="{text.get("url", "")}">{name}</a>'
        days = [f'<time datetime="{_iso(day)}">{day}</time>' for day in (posted, issued)]
        return [*days, link, office, subject, "", "", ""]

    rows = [cells(row) for row in shown.rows()[start : start + length]]
    content = {"draw": 0, "recordsTotal": shown.whole, "recordsFiltered": shown.whole, "data": rows}
    return as_json(content, source)


def _iso(day: str) -> str:
    parts = day.split("/")
    return f"{parts[2]}-{parts[0]}-{parts[1]}T04:00:00Z" if len(parts) == 3 else ""
