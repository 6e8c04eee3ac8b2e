"""The pages: what a pharmacist reads on them, and what a hostile name cannot do."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi.testclient import TestClient

from shortcast.database import session
from shortcast.monitoring.scoreboard import Score
from shortcast.serving.service import Service

PAGES = ("/", "/drugs/velorane--injection", "/alerts", "/sources", "/model", "/docs")
#: Elements without an end tag.
VOID = {"meta", "link", "input", "br", "rect"}


class Page(HTMLParser):
    """The text, the elements and the links of a page, with a check that every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag
        self.words.append(" " if tag in ("td", "th") else "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(client: TestClient, path: str) -> Page:
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return Page(response.text)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_accessible_and_says_what_a_score_is_not(
    reader: TestClient, path: str
) -> None:
    page = read(reader, path)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all(
        "meta"
    )
    assert page.all("main") == [{"id": "main"}]
    assert {"class": "skip", "href": "#main"} in page.all("a")
    for said in ("is not a cause", "not medical advice", "never a reason to stockpile"):
        assert said in page.text
    assert "SIMULATED" not in page.text


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_elsewhere_and_runs_nothing(
    reader: TestClient, path: str
) -> None:
    page = read(reader, path)
    assert page.all("script") == []
    assert page.all("style") == []
    assert not any("style" in attributes for _, attributes in page.elements)
    for tag, name in (("link", "href"), ("img", "src"), ("a", "href"), ("form", "action")):
        assert all(str(a[name]).startswith(("/", "#")) for a in page.all(tag)), tag
    policy = reader.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_leads_somewhere(reader: TestClient, path: str) -> None:
    page = read(reader, path)
    links = {str(a["href"]) for tag in ("a", "link") for a in page.all(tag)}
    ids = {str(a["id"]) for _, a in page.elements if "id" in a}
    for link in sorted(links):
        if link.startswith("#"):
            assert link[1:] in ids
        else:
            assert reader.get(link).status_code == 200, link


def test_every_page_has_a_title_of_its_own(reader: TestClient) -> None:
    titles = [re.findall("<title>(.*?)</title>", reader.get(path).text)[0] for path in PAGES]
    assert len(set(titles)) == len(PAGES)
    assert all(title.endswith(" · shortcast") for title in titles)


@pytest.mark.parametrize("path", PAGES)
def test_every_table_says_what_it_is_and_what_its_columns_are(
    reader: TestClient, path: str
) -> None:
    page = read(reader, path)
    assert len(page.all("caption")) == len(page.all("table")) == len(page.all("thead"))
    assert all(a.get("scope") in ("col", "row") for a in page.all("th"))


@pytest.mark.parametrize("path", PAGES)
def test_every_field_can_be_reached_and_is_named(reader: TestClient, path: str) -> None:
    page = read(reader, path)
    named = {a.get("for") for a in page.all("label")}
    assert all(a["id"] in named for a in page.all("input") if a["type"] != "radio")
    assert all(a["id"] in named for a in page.all("select"))
    assert not any("tabindex" in a and a["tabindex"] != "0" for _, a in page.elements)


@pytest.mark.parametrize("path", ["/", "/drugs/velorane--injection", "/alerts", "/sources"])
def test_pages_of_made_up_records_carry_the_banner(
    bare_market: Any,
    client_of: Callable[[Any], TestClient],
    read_evidence: list[tuple[str, date]],
    path: str,
) -> None:
    bare_market.write_warehouse(data="simulated")
    bare_market.add_run(date(2022, 5, 1), data="simulated")
    page = read(client_of(bare_market), path)
    assert {"class": "banner", "role": "note"} in page.all("p")
    assert "SIMULATED" in page.text


def test_the_ranking_shows_each_figure_with_horizon_day_and_average(reader: TestClient) -> None:
    text = read(reader, "/").text
    assert "within 6 months, as of 1 May 2022" in text
    assert "4 drugs are ranked; 1 already in shortage are left out" in text
    assert "about 1 in 140 drugs in any 6 months (0.71 %)" in text
    assert "Counted over 1 July 2020 to 1 March 2022 (FDA drug shortage list)" in text
    assert "21 %" in text
    assert "about 1 in 5" in text
    assert "30 times the average" in text
    assert "Shortage history: shortages before: 3" in text
    assert "Cite as: shortcast" in text


@pytest.mark.parametrize("path", ["/", "/drugs/velorane--injection", "/alerts"])
@pytest.mark.parametrize(("today", "said"), [(date(2022, 6, 1), False), (date(2022, 7, 1), True)])
def test_an_old_forecast_says_that_it_is_not_of_today(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str, today: date, said: bool
) -> None:
    monkeypatch.setattr(Service, "today", lambda self: today)
    assert ("Old records." in read(client, path).text) is said


def test_the_form_keeps_what_was_chosen(reader: TestClient) -> None:
    page = read(reader, "/?q=velo&form_group=injection&horizon=12")
    assert page.all("input")[0]["value"] == "velo"
    chosen = [a["value"] for a in page.all("input") if "checked" in a]
    assert chosen == ["12"]
    assert [a["value"] for a in page.all("option") if "selected" in a] == ["injection"]
    assert "within 12 months" in page.text
    csv = next(str(a["href"]) for a in page.all("a") if "rankings.csv" in str(a["href"]))
    assert reader.get(csv).text.count("velorane--injection") == 1


@pytest.mark.parametrize("query", ["horizon=7", "form_group=pills", "horizon=", "form_group=&q="])
def test_a_hand_typed_value_does_not_break_the_page(reader: TestClient, query: str) -> None:
    assert "within 6 months" in read(reader, f"/?{query}").text


def test_a_search_names_matching_drugs_that_are_in_shortage_already(reader: TestClient) -> None:
    text = read(reader, "/?q=soranide").text
    assert "No drug that matches is ranked: those below are in shortage already" in text
    assert "Try fewer letters" not in text
    assert "Already in shortage" in text
    assert "Soranide" in text


@pytest.mark.parametrize("ndc", ["1234-0567-01", "01234056701"])
def test_an_ndc_in_the_search_leads_to_its_drug(reader: TestClient, ndc: str) -> None:
    response = reader.get("/", params={"q": ndc}, follow_redirects=False)
    assert response.status_code == 303
    assert response.headers["location"] == "/drugs/velorane--injection"


@pytest.mark.parametrize("ndc", ["1234567890", "9999-9999-99", "12-34"])
def test_a_code_that_leads_nowhere_says_how_to_write_one(reader: TestClient, ndc: str) -> None:
    assert "An NDC needs its hyphens" in read(reader, f"/?q={ndc}").text


def test_long_rankings_have_pages(market: Any, client: TestClient) -> None:
    scores = {f"drug-{n:03}--topical": 0.2 - n / 1000 for n in range(120)}
    market.add_run(date(2022, 6, 1), scores, ())
    page = read(client, "/?page=2")
    assert "Page 2 of 3" in page.text
    links = {a.get("rel"): str(a["href"]) for a in page.all("a") if a.get("rel")}
    assert links.keys() == {"prev", "next"}
    assert "Drug-100--topical" in read(client, links["next"]).text


def test_a_drug_shows_its_horizons_reasons_rows_and_gaps(reader: TestClient) -> None:
    text = read(reader, "/drugs/velorane--injection").text
    assert "as of 1 May 2022" in text
    for horizon, risk in (("3 months", "10 %"), ("6 months", "21 %"), ("12 months", "32 %")):
        assert f"within {horizon} {risk}" in text
    assert "Rank 1 of 4" in text
    assert "Shortage history odds × 3.0" in text
    assert "Prices odds ÷ 1.5" in text
    assert "listed as in shortage by Nordfell Pharma" in text
    assert "shortages.csv, row 118; known from 5 March 2021" in text
    assert "not known: not covered by the source" in text
    assert "1 April 2022 1.0 %" in text
    assert "12 % (8.0 % to 17 %)" in text
    assert "21 of 60" in text
    assert "Cite as: shortcast" in text


def test_a_reason_names_its_source_and_the_day_up_to_which_it_was_known(
    market: Any, client: TestClient
) -> None:
    reason = {
        "group": "recalls",
        "title": "Recalls",
        "direction": "raises",
        "contribution": 0.5,
        "phrases": ["recalls of this drug begun in the last 12 months: 2"],
        "sources": ["FDA recall reports (openFDA)"],
    }
    market.add_run(date(2022, 6, 1), reasons=[reason])
    text = read(client, "/drugs/velorane--injection").text
    said = "Source: FDA recall reports (openFDA). As known before 1 June 2022."
    assert said in text
    # A row that names no day of its own is dated by the list that shows it.
    assert "in the list by 9 January 2020" in text
    assert "Associated with the score, not a cause of a shortage." in text


def test_a_reason_without_public_rows_says_so(reader: TestClient) -> None:
    text = read(reader, "/drugs/velorane--injection").text
    assert "As known before 1 May 2022. No public row names this drug itself." in text


def test_a_short_value_stays_beside_its_label(reader: TestClient) -> None:
    html = reader.get("/drugs/velorane--injection").text
    assert "shortages before:\N{NO-BREAK SPACE}3" in html


def test_the_model_page_gives_each_figure_with_window_and_interval(
    market: Any, client: TestClient
) -> None:
    figures = {
        "prevalence": 0.0071,
        "rows": 31000,
        "as_of_first": "2020-07-01",
        "as_of_last": "2022-03-01",
        "models": {
            "blend": {
                "roc_auc": 0.81,
                "roc_auc_interval": [0.76, 0.858],
                "ap_over_prevalence": 9.1,
                "ap_over_prevalence_interval": [6.5, 12.04],
                "calibration_slope": 1.02,
                "calibration_slope_interval": [None, None],
                "observed_over_expected": 0.734,
                "observed_over_expected_interval": [0.58, 0.9],
                "brier_skill": 0.021,
                "brier_skill_interval": [0.008, 0.034],
                "events_at_50": {
                    "events": 60,
                    "caught": 21,
                    "recall": 0.35,
                    "recall_interval": [0.25, 0.47],
                },
                "versus": {"traits": {"ap": {"difference": 0.004, "interval": [-0.01, 0.02]}}},
            },
            "past_listings": {
                "precision_at_50": 0.09,
                "precision_at_50_interval": [0.04, 0.15],
            },
            "traits": {"precision_at_50": 0.116, "precision_at_50_interval": [0.07, 0.16]},
        },
    }
    market.export_champion(metrics={"horizons": {"6": figures}})
    text = read(client, "/model").text
    for said in (
        "1 July 2020 to 1 March 2022",
        "31,000",
        "0.81 (0.76 to 0.86)",
        "9.1 (6.5 to 12.0)",
        "21 of 60: 35 % (25 % to 47 %)",
        "9.0 % (4.0 % to 15 %)",
        "12 % (7.0 % to 16 %)",
        "about as well as a model that sees only what the drug is",
        "95 % interval",
        "within 6 months, 0.73 (0.58 to 0.90) new shortages came for each",
        "added up to: fewer than the estimates said.",
        "2.1 % (0.80 % to 3.4 %)",
    ):
        assert said in text
    assert "Calibration slope 1 is right 1.02 " in text
    assert "30 April 2022" in text
    assert "shortages before" in text
    assert "Model card" in text
    assert "# Model card" not in text


def test_a_model_card_is_set_as_text_and_never_as_markup(market: Any, client: TestClient) -> None:
    (market.settings.champion / "MODEL_CARD.md").write_text(
        "# Card\n\n- one <script>alert(1)</script>\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n",
        encoding="utf-8",
    )
    found = read(client, "/model")
    assert not [tag for tag, _ in found.elements if tag == "script"]
    assert {"table", "li", "h3"} <= {tag for tag, _ in found.elements}
    assert "<script>alert(1)</script>" in found.text


def test_the_first_forecast_says_that_it_had_nothing_to_compare_with(
    bare_market: Any, client_of: Callable[[Any], TestClient]
) -> None:
    bare_market.write_warehouse()
    bare_market.export_champion()
    bare_market.refresh(bare_market.add_run(date(2022, 4, 1)))
    client = client_of(bare_market)
    assert "There is no earlier one to compare with" in read(client, "/alerts").text
    bare_market.refresh(bare_market.add_run(date(2022, 5, 1)))
    assert "no earlier one" not in read(client, "/alerts").text


def test_a_model_without_a_backtest_claims_nothing(market: Any, client: TestClient) -> None:
    market.export_champion(metrics={})
    text = read(client, "/model").text
    assert "its figures are not known" in text
    assert "ROC AUC" not in text


def test_what_is_not_there_can_be_searched_for(reader: TestClient) -> None:
    response = reader.get("/nowhere", headers={"accept": "text/html"})
    assert response.status_code == 404
    page = Page(response.text)
    assert page.all("form")[0]["action"] == "/"
    assert page.all("input")[0]["name"] == "q"


def test_a_reason_that_hardly_moves_the_score_is_named_but_not_spread_out(
    market: Any, client: TestClient
) -> None:
    tiny = {
        "group": "recalls",
        "title": "Recalls",
        "direction": "lowers",
        "contribution": -0.01,
        "phrases": ["recalls in the last 12 months: 0"],
    }
    market.add_run(date(2022, 6, 1), reasons=[tiny])
    text = read(client, "/drugs/velorane--injection").text
    assert "Hardly moved it: Recalls." in text
    assert "recalls in the last 12 months" not in text
    # Its public rows are shown all the same.
    assert "recall, class II" in text


def test_a_drug_in_shortage_says_so_instead_of_an_estimate(reader: TestClient) -> None:
    text = read(reader, "/drugs/soranide--inhalation").text
    assert "In shortage." in text
    assert "within 6 months" not in text


def test_without_a_warehouse_a_drug_keeps_its_estimates(market: Any, client: TestClient) -> None:
    market.settings.warehouse.unlink()
    text = read(client, "/drugs/velorane--injection").text
    assert "21 %" in text
    assert "records cannot be read" in text


def test_a_forecast_that_came_of_age_is_judged_on_the_page(market: Any, client: TestClient) -> None:
    with session(market.settings) as writing:
        writing.add(
            Score(
                run_id=1,
                horizon_months=6,
                records_checksum="later",
                scored_at=datetime(2022, 11, 1, tzinfo=UTC),
                metrics={"drugs": 5, "onsets": 2, "expected": 0.05, "hits": [{}], "misses": []},
            )
        )
    assert "2 of 5 ranked drugs went into a new shortage" in read(client, "/").text


@pytest.mark.parametrize("path", ["/", "/drugs/x--topical", "/alerts"])
def test_a_hostile_name_is_shown_not_run(market: Any, client: TestClient, path: str) -> None:
    evil = "<script>alert('x')</script>"
    reason = {
        "group": evil,
        "title": evil,
        "direction": "raises",
        "contribution": 1.0,
        "phrases": [evil],
    }
    run = market.add_run(
        date(2022, 6, 1), {"x--topical": 0.2}, (), names={"x--topical": evil}, reasons=[reason]
    )
    market.refresh(run)
    page = read(client, path)
    assert page.all("script") == []
    assert "<script>" in page.text


def test_a_hostile_search_stays_in_its_field(reader: TestClient) -> None:
    page = read(reader, "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert page.all("script") == []
    assert page.all("input")[0]["value"] == '"><script>alert(1)</script>'


def test_without_a_forecast_the_page_says_what_to_do(
    bare_market: Any, client_of: Callable[[Any], TestClient]
) -> None:
    response = client_of(bare_market).get("/")
    assert response.status_code == 503
    assert "shortcast score" in Page(response.text).text


def test_the_api_page_describes_every_address_and_every_problem(reader: TestClient) -> None:
    page = read(reader, "/docs")
    for path in reader.get("/openapi.json").json()["paths"]:
        assert f"GET {path}" in page.text
    assert {"id": "ambiguous-ndc"} in page.all("div")
    assert "GET /drugs/" not in page.text


def test_both_colour_schemes_and_narrow_screens_are_styled(reader: TestClient) -> None:
    css = reader.get("/static/style.css").text
    assert "prefers-color-scheme: dark" in css
    assert "@media (max-width:" in css
    assert not re.search(r"url\(|@import|http", css)
