"""The page of a backtest: whole, by itself, and honest about what it shows."""

from __future__ import annotations

import re
from copy import deepcopy
from html.parser import HTMLParser
from typing import Any

import pytest

from shortcast.training.backtest import Backtest
from shortcast.training.report.page import report_page

VOID = {"meta", "circle", "line", "polyline"}


class Outline(HTMLParser):
    """Checks that elements are closed in order, and gathers links and what has a place."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in found:
            self.places.add(str(found["id"]))
        for name in ("href", "src"):
            if name in found:
                self.addresses.append(str(found[name]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(backtest: Backtest) -> str:
    return report_page(backtest.metrics)


def section(page: str, name: str) -> str:
    return page.split(f'<section id="{name}">')[1].split("</section>")[0]


def test_it_needs_no_other_file_and_no_script(page: str) -> None:
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    assert not outline.tags & {"script", "link", "img", "iframe"}
    assert {address.removeprefix("#") for address in outline.addresses} <= outline.places
    assert "url(" not in page
    assert "@import" not in page


def test_made_up_records_are_named_first(page: str, backtest: Backtest) -> None:
    assert "<title>SIMULATED · " in page
    assert page.index("SIMULATED: these drugs") < page.index("<h1>")
    real = report_page({**backtest.metrics, "data": "real"})
    assert "SIMULATED" not in real


def test_every_model_stands_at_every_horizon_with_its_interval(
    page: str, backtest: Backtest
) -> None:
    figures = section(page, "figures")
    for horizon, found in backtest.metrics["horizons"].items():
        assert f"{horizon} months: {found['rows']:,} drug-months" in figures
        for name, model in found["models"].items():
            assert f'<th scope="row">{name}</th>' in figures
            low, high = model["roc_auc_interval"]
            assert f"{model['roc_auc']:.3f}<" in figures
            assert f"{low:.3f} to {high:.3f}" in figures


def test_lists_stand_beside_their_ceiling(page: str, backtest: Backtest) -> None:
    ceiling = backtest.metrics["horizons"]["6"]["ceilings"]["precision_at_50"]
    row = section(page, "lists").split("the best possible list")[2].split("</tr>")[0]
    assert f"{ceiling:.3f}" in row


def test_every_onset_that_was_missed_is_named(page: str, backtest: Backtest) -> None:
    onsets = backtest.metrics["onsets"]["list"]
    recall = backtest.metrics["horizons"]["6"]["models"]["blend"]["events_at_50"]
    assert (len(onsets), sum(o["caught"] for o in onsets)) == (recall["events"], recall["caught"])
    missed = [o["drug_id"] for o in onsets if not o["caught"]]
    assert re.findall(r"<h3>(.*?)</h3>", section(page, "missed")) == missed
    assert all(o["raised"] or o["lowered"] for o in onsets)


def test_what_was_not_run_says_so(page: str) -> None:
    assert "--groups" in section(page, "groups")
    assert "--random-split" in section(page, "others")


def test_names_are_written_not_read_as_html(backtest: Backtest) -> None:
    metrics: dict[str, Any] = deepcopy(backtest.metrics)
    metrics["onsets"]["list"][0] |= {"drug_id": "<b>&", "caught": False}
    assert "&lt;b&gt;&amp;" in section(report_page(metrics), "missed")


def test_the_last_retraining_is_told(page: str, backtest: Backtest) -> None:
    (last,) = backtest.metrics["rank_changes"]["retrainings"]
    ranks = section(page, "ranks")
    assert f"At the last retraining, {last['as_of']}" in ranks
    assert f"{last['spearman']:.3f} (Spearman); {last['replaced']} of the first 50" in ranks
