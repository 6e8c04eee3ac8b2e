"""Odd answers and damaged files end the fetch of their own source, and of no other."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from tiny_records import LISTED, shortage_list

from shortcast.features.archive import Archive
from shortcast.features.fetching import fetch, read_log, run
from shortcast.features.fetching.checks import _without_columns
from shortcast.features.fetching.client import Client, FetchError
from shortcast.features.fetching.errand import Delivery, Part
from shortcast.features.parse import ReaderDefectError, parse_one
from shortcast.settings import Settings

TODAY, TOMORROW = date(2026, 11, 23), date(2026, 11, 24)
CSV = "www.accessdata.fda.gov/scripts/drugshortages/Drugshortages.cfm"
CATALOGUE = "api.fda.gov/download.json"
ASP = "www.cms.gov/medicare/payment/part-b-drugs/asp-pricing-files"
PRICES = "cpe.org.uk/funding-and-reimbursement/reimbursement/price-concessions/archive/"
ZIP = "www.accessdata.fda.gov/cder/drls_reg.zip"
INDEX = "web.archive.org/cdx/search/cdx"


@pytest.fixture
def listed(official: Any) -> Any:
    """The server with a shortage list of today."""
    official.headers["X-Shortcast-Data"] = "simulated"
    official.serves(CSV, shortage_list(*LISTED["2020-09-14"]))
    return official


def message_of(config: Settings, source: str, **changes: Any) -> str:
    """Fetch a source and the shortage list; return why the one failed, the other being taken."""
    with_changes = config.model_copy(update=changes)
    names = [source] if source == "fda_shortages" else [source, "fda_shortages"]
    report = fetch(names, today=TODAY, config=with_changes)
    found = {outcome.source: outcome for outcome in report.outcomes}
    assert found[source].state == "failed", found
    assert len(names) == 1 or found["fda_shortages"].state == "accepted"
    assert found[source] in read_log(config.fetching)
    return found[source].message


def test_a_defect_of_the_program_is_the_outcome_of_one_source(
    listed: Any, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "dashboard-key-4711"

    def trips(self: Client, address: str, **_: Any) -> None:
        raise KeyError(f"x {key}")

    monkeypatch.setattr(Client, "page", trips)
    said = message_of(config, "fda_compliance_actions", dashboard_user=SecretStr("a@b.example"),
                      dashboard_key=SecretStr(key))  # fmt: skip
    assert "KeyError" in said
    assert "report it" in said
    assert key not in said


def damaged_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("drls_reg.txt", "".join(map(str, range(5000))))
    raw = bytearray(out.getvalue())
    raw[44:60] = b"\xff" * 16
    return bytes(raw)


#: Source, place, what is answered, and what is said.
ODD: dict[str, tuple[str, str, bytes, dict[str, str], str]] = {
    "a link that is no address": (
        "uk_price_concessions",
        PRICES,
        b'<a href="http://[insert link]">x</a>',
        {},
        "has no link such as",
    ),
    "the same where names are tried": (
        "cms_asp",
        ASP,
        b'<a href="http://[insert link]">x</a>',
        {},
        "look for the new names",
    ),
    "a damaged zip": ("fda_establishments", ZIP, damaged_zip(), {}, "is no whole zip"),
    "brackets without end": (
        "openfda_shortages",
        CATALOGUE,
        b"[" * 200_000,
        {},
        "no whole JSON",
    ),
    "a file under no address": (
        "openfda_shortages",
        CATALOGUE,
        json.dumps(
            {
                "results": {
                    "drug": {
                        "shortages": {
                            "total_records": 1,
                            "partitions": [{"file": "https://[x/y", "records": 1}],
                        }
                    }
                }
            }
        ).encode(),
        {},
        "look for its new address",
    ),
}


@pytest.mark.parametrize("odd", list(ODD))
def test_an_odd_answer_is_said_and_the_next_source_is_asked(
    odd: str, listed: Any, answer: Any, config: Settings
) -> None:
    source, place, body, headers, said = ODD[odd]
    listed.answers[place] = lambda _: answer(body, headers=headers)
    assert said in message_of(config, source)


def test_what_is_no_address_is_not_asked(official: Any) -> None:
    client = Client(today=TODAY, via=official.address)
    with pytest.raises(FetchError, match="is no address"):
        client.page("https://[x/y")
    client.close()
    assert not official.asked


def test_a_redirect_to_no_address_is_said(listed: Any, answer: Any, config: Settings) -> None:
    listed.answers[CATALOGUE] = lambda _: answer(status=302, headers={"Location": "https://[x"})
    assert "is no address" in message_of(config, "openfda_shortages")


@pytest.mark.parametrize(
    "headers",
    [{"Age": "9" * 20}, {"Age": "9" * 5000}],
    ids=["an age of ages", "an age without end"],
)
def test_an_age_beyond_all_calendars_is_none(
    headers: dict[str, str], official: Any, answer: Any
) -> None:
    official.answers[CATALOGUE] = lambda _: answer(b"{}", headers=headers)
    client = Client(today=TODAY, via=official.address)
    assert client.page(f"https://{CATALOGUE}").content == {}
    client.close()


def test_a_moment_beyond_all_calendars_is_none(official: Any, answer: Any) -> None:
    moment = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"
    official.answers[CATALOGUE] = lambda _: answer(b"", 503, {"Retry-After": moment})
    client = Client(today=TODAY, via=official.address)
    with pytest.raises(FetchError, match="answered with 503, 6 times"):
        client.page(f"https://{CATALOGUE}")
    client.close()


def test_a_key_that_cannot_be_sent_is_said(listed: Any, config: Settings) -> None:
    keys = {"dashboard_user": SecretStr("a@b.example"), "dashboard_key": SecretStr("abc\u200bdef")}
    said = message_of(config, "fda_compliance_actions", **keys)
    assert "a character that cannot be sent" in said
    assert "abc" not in said


def test_a_capture_of_no_day_is_passed_over(official: Any, config: Settings) -> None:
    header = ["timestamp", "original", "statuscode", "digest"]
    official.serves_json(INDEX, [header, ["20209901000000", "http://x", "200", "A"]])
    (outcome,) = fetch(["fda_shortages"], today=TODAY, history=True, config=config).outcomes
    assert outcome.state == "unchanged"


def test_a_damaged_file_of_the_last_snapshot_is_named(tmp_path: Any) -> None:
    held, came = tmp_path / "held.zip", tmp_path / "came.zip"
    for path in (held, came):
        with zipfile.ZipFile(path, "w") as bundle:
            bundle.writestr("product.txt", "NAME\tCODE\n")
    part = Part("x.zip", came, "", "", simulated=True)
    delivery = Delivery(TODAY, (part,))
    held_raw = held.read_bytes()
    held.write_bytes(held_raw[:-30])
    with pytest.raises(FetchError, match=r"held\.zip, with which .* is damaged \(BadZipFile\)"):
        list(_without_columns(delivery, {"x.zip": held}, TODAY, is_recent=True))
    held.write_bytes(held_raw)
    came.write_bytes(held_raw[:-30])
    (fault,) = _without_columns(delivery, {"x.zip": held}, TODAY, is_recent=True)
    assert "x.zip cannot be unpacked" in fault
    with zipfile.ZipFile(came, "w") as bundle:
        bundle.writestr("\u00e9.txt", "NAME\tCODE\n")
    came.write_bytes(came.read_bytes().replace("\u00e9".encode(), b"\xc3\xff"))
    (fault,) = _without_columns(delivery, {"x.zip": held}, TODAY, is_recent=True)
    assert "x.zip cannot be unpacked" in fault


def test_a_damaged_parse_of_the_last_snapshot_is_named(listed: Any, config: Settings) -> None:
    fetch(["fda_shortages"], today=TODAY - timedelta(days=1), config=config)
    archive = Archive(config.archive)
    listed.today = TODAY - timedelta(days=1)
    fetch(["fda_shortages"], today=listed.today, config=config)
    (snapshot,) = archive.snapshots()
    parsed = parse_one(archive, config.parsed, snapshot)
    for path in parsed.folder.glob("*.parquet"):
        path.write_bytes(path.read_bytes()[:-20])
    listed.today = TODAY
    listed.serves(CSV, shortage_list(*LISTED["2020-09-14"]) + b"\r\n")
    said = message_of(config, "fda_shortages")
    assert f"{parsed.folder}, with which it is to be compared, is damaged" in said


def test_a_reader_that_fails_on_what_is_held_is_said(
    listed: Any, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed.today = TODAY - timedelta(days=1)
    fetch(["fda_shortages"], today=listed.today, config=config)

    def trips(_: Any, __: Any, snapshot: Any) -> None:
        raise ReaderDefectError(snapshot)

    monkeypatch.setattr(run, "parse_one", trips)
    listed.today = TODAY
    listed.serves(CSV, shortage_list(*LISTED["2020-09-14"]) + b"\r\n")
    assert "the reader of fda_shortages failed" in message_of(config, "fda_shortages")
