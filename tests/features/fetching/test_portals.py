"""Reports of an interface that needs an account."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from shortcast.features import warehouse
from shortcast.features.archive import Archive
from shortcast.features.fetching import fetch
from shortcast.settings import Settings

TODAY = date(2026, 11, 23)
SIGN_IN = "healthproductshortages.ca/api/v1/login"
SEARCH = "healthproductshortages.ca/api/v1/search"
PASSWORD, TOKEN = "a-pass word-1618", "tOkEn-0f-the-list-1414"


def report(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "din": "02303299",
        "type": {"id": 1, "label": "shortage"},
        "status": "active_confirmed",
        "company_name": "DUNMORE INC",
        "en_drug_brand_name": "VELMORA",
        "en_drug_common_name": "VELMORIL",
        "en_ingredients": "VELMORIL\nTALVERINE",
        "drug_strength": "50MG",
        "drug_dosage_form": "TABLET",
        "drug_route": "ORAL",
        "drug_package_quantity": "100",
        "actual_start_date": "2026-10-01T00:00:00+00:00",
        "shortage_reason": {"en_reason": "Demand increase for the drug.", "fr_reason": "x"},
        "tier_3": False,
        "created_date": "2026-10-02T13:45:00+00:00",
        "updated_date": "2026-11-02T13:45:00+00:00",
    } | changes


REPORTS = [
    report(1),
    report(2, status="resolved", actual_end_date="2026-11-01"),
    report(
        3,
        type={"id": 2, "label": "discontinuance"},
        status="to_be_discontinued",
        shortage_reason=None,
        discontinuance_reason={"en_reason": "Business reasons"},
        anticipated_discontinuation_date="2027-01-31",
        actual_start_date=None,
    ),
]


@pytest.fixture
def portal(official: Any, answer: Any) -> Any:
    official.headers["X-Shortcast-Data"] = "simulated"
    official.total = len(REPORTS)

    def sign_in(asked: Any) -> Any:
        assert asked.method == "POST"
        assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
        right = asked.body == b"email=me%40example.invalid&password=a-pass+word-1618"
        return answer(b"{}", 200 if right else 401, {"auth-token": TOKEN} if right else {})

    def search(asked: Any) -> Any:
        if asked.headers.get("auth-token") != TOKEN:
            return answer(b"{}", 401)
        start = int(asked.query["offset"])
        page = REPORTS[start : start + 2]
        return answer(json.dumps({"total": official.total, "data": page}).encode())

    official.answers |= {SIGN_IN: sign_in, SEARCH: search}
    return official


@pytest.fixture
def signed(config: Settings) -> Settings:
    keys = {"canada_user": "me@example.invalid", "canada_password": PASSWORD}
    return Settings.model_validate({**config.model_dump(), **keys})


def test_reports_are_paged_and_read_as_the_export(portal: Any, signed: Settings) -> None:
    (outcome,) = fetch(["canada_shortages"], today=TODAY, config=signed).outcomes
    assert outcome.state == "accepted", outcome.message
    assert portal.paths() == [SIGN_IN, SEARCH, SEARCH]
    warehouse.build(signed)
    with warehouse.open_warehouse(signed) as connection:
        rows = connection.execute(
            "SELECT report_id, report_type, ingredients, reason, date_created, status, "
            "discontinuation_date FROM canada_reports JOIN canada_report_states USING (report_id) "
            "ORDER BY report_id"
        ).fetchall()
    created = date(2026, 10, 2)
    demand, both = "Demand increase for the drug.", "VELMORIL; TALVERINE"
    assert rows == [
        ("1", "Shortage", both, demand, created, "Actual shortage", None),
        ("2", "Shortage", both, demand, created, "Resolved", None),
        (
            "3",
            "Discontinuation",
            both,
            "Business reasons",
            created,
            "To be discontinued",
            date(2027, 1, 31),
        ),
    ]


def test_password_and_token_are_written_nowhere(portal: Any, signed: Settings, answer: Any) -> None:
    told: list[str] = []
    fetch(["canada_shortages"], today=TODAY, config=signed, progress=told.append)
    portal.answers[SEARCH] = lambda asked: answer(
        json.dumps({"total": 1, "data": [report(1, company_name=TOKEN)]}).encode()
    )
    outcomes = fetch(["canada_shortages"], today=TODAY, config=signed, progress=told.append)
    assert outcomes.outcomes[0].state == "failed"
    secrets = [PASSWORD, TOKEN, PASSWORD.replace(" ", "+")]
    texts = [*told, *(p.read_bytes().decode("latin-1") for p in signed.home.rglob("*.*"))]
    assert texts
    for secret in secrets:
        assert not any(secret in text for text in texts)


def test_fewer_reports_than_the_source_counts_are_not_taken(portal: Any, signed: Settings) -> None:
    portal.total = 40
    (outcome,) = fetch(["canada_shortages"], today=TODAY, config=signed).outcomes
    assert outcome.state == "quarantined"
    assert "3 reports came of the 40" in outcome.message


def test_a_wrong_password_is_said(portal: Any, signed: Settings, answer: Any) -> None:
    portal.answers[SIGN_IN] = lambda _: answer(b"{}", 401)
    (outcome,) = fetch(["canada_shortages"], today=TODAY, config=signed).outcomes
    assert outcome.state == "failed"
    assert "look at the keys" in outcome.message
    assert not Archive(signed.archive).snapshots()


def test_without_an_account_the_source_is_left_out(official: Any, config: Settings) -> None:
    left = fetch(["canada_shortages"], today=TODAY, config=config).left_out
    assert "SHORTCAST_CANADA_USER" in left["canada_shortages"]
    assert official.asked == []
