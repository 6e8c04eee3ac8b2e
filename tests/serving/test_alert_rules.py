"""Alert rules as series with the expected marks under them.

A column is a forecast run. ``(`` opens, ``-`` stands, ``)`` closes, ``.`` is nothing. ``rank``
and ``risk`` (per cent) are those of one drug at 6 months: ``S`` means that it was in shortage
then, ``x`` that the run did not have it. ``notices`` counts the discontinuation notices known,
``days`` are those since the run before, ``model`` is the version that scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from shortcast.serving.alert_rules import Notice, Sight, Step, closings, openings

BASE_RATE = 0.01
FAR_RANK = 900

TABLES = """
enters at 50, stays inside 75, leaves beyond
rank             300   51   50   60   75   76   74   50
top_50             .    .    (    -    -    )    .    (

in the list from the first run on
rank              12   12   80
top_50             (    -    )

a drug that is new to the market and ranks high at once
rank               x    7    7
top_50             .    (    -

a shortage begins: the forecast's alert closes, for there is no rank any more
rank              30    S    S
top_50             (    )    .
shortage           .    (    -

a shortage that was there before the first run is not news; its end is no alert
rank               S    S  500
shortage           .    .    .

a shortage ends and the drug ranks high at once; a second shortage opens again
rank             500    S   40    S
top_50             .    .    (    )
shortage           .    (    )    (

the risk doubles above three times the base rate of 1 %, and falls below twice of it
risk             1.6  3.2  3.1  2.0  1.9  1.9
risk_rise          .    (    -    -    )    .

twice is not enough below three times the base rate
risk             0.5  1.0  2.9
risk_rise          .    .    .

three times the base rate is not enough without a doubling
risk             2.0  3.9  7.7
risk_rise          .    .    .

a creeping rise opens nothing, a second jump while it stands opens nothing again
risk             1.0  4.0  9.0  1.0  4.0
risk_rise          .    (    -    )    (

the drug leaves the universe
risk             1.0  5.0    x    x
risk_rise          .    (    )    .

another model in between (m): its scores are not compared
risk             1.0  5.0  5.1
model              1    m    m
risk_rise          .    .    .

a notice known before the first run is old; each new one opens, and stands for a year
notices            1    1    2    2    2
days               0   30   30  334   31
discontinuation    .    .    (    -    )

a second notice while the first stands opens nothing
notices            0    1    2    2
discontinuation    .    (    -    -
"""


@dataclass
class Table:
    title: str
    series: dict[str, list[str]]


def tables() -> list[Table]:
    found = []
    for block in TABLES.strip().split("\n\n"):
        title, *lines = block.splitlines()
        series = {name: values for name, *values in map(str.split, lines)}
        assert len({len(values) for values in series.values()}) == 1, title
        found.append(Table(title, series))
    return found


def sight(table: Table, run: int) -> Sight | None:
    rank = table.series.get("rank", table.series.get("risk", ["900"] * 99))[run]
    notices = int(table.series["notices"][run]) if "notices" in table.series else 0
    known = frozenset(
        Notice(date(2021, 1, 1) + timedelta(days=n), "Nordfell") for n in range(notices)
    )
    if rank == "x":
        return None
    if rank == "S":
        return Sight(in_shortage=True, notices=known)
    if "risk" in table.series:
        return Sight(float(rank) / 100, FAR_RANK, notices=known)
    return Sight(0.001, int(rank), notices=known)


def play(table: Table) -> dict[str, list[str]]:
    """Apply the rules run after run, and write the marks."""
    runs = len(next(iter(table.series.values())))
    gaps = [int(days) for days in table.series.get("days", ["30"] * runs)]
    kinds = ("top_50", "risk_rise", "discontinuation", "shortage")
    marks: dict[str, list[str]] = {kind: [] for kind in kinds}
    standing: dict[str, date] = {}
    as_of = date(2022, 1, 1)
    before: Sight | None = None
    for run in range(runs):
        as_of += timedelta(days=gaps[run])
        now = sight(table, run)
        model = table.series.get("model", ["1"] * runs)
        step = Step(
            as_of, BASE_RATE, first=run == 0, same_model=run == 0 or model[run] == model[run - 1]
        )
        closed = closings(now, standing.items(), step)
        opened = openings(before, now, standing.keys() - closed, step) if now is not None else []
        for kind in closed:
            del standing[kind]
        standing |= {opening.kind: as_of for opening in opened}
        for kind in kinds:
            mark = "-" if kind in standing else "."
            if kind in {opening.kind for opening in opened}:
                mark = "("
            elif kind in closed:
                mark = ")"
            marks[kind].append(mark)
        before = now
    return marks


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.title)
def test_alerts_open_and_close_as_the_table_says(table: Table) -> None:
    expected = {kind: marks for kind, marks in table.series.items() if kind in play(table)}
    assert expected
    got = play(table)
    assert {kind: got[kind] for kind in expected} == expected
    silent = {kind for kind in got if kind not in expected} - {"top_50"}
    assert all(set(got[kind]) == {"."} for kind in silent)


def test_without_a_base_rate_no_rise_is_announced() -> None:
    step = Step(date(2022, 1, 1), None)
    assert openings(Sight(0.01, 900), Sight(0.2, 900), set(), step) == []


def test_an_alert_names_the_change_and_no_cause() -> None:
    step = Step(date(2022, 1, 1), BASE_RATE)
    opened = openings(Sight(0.01, 900), Sight(0.08, 12), set(), step)
    text = {opening.kind: opening.message for opening in opened}
    assert text["risk_rise"] == (
        "The estimated risk of a new shortage in 6 months rose from 1.0 % to 8.0 % (about 1 in 12)."
    )
    assert "before, rank 900 and 1.0 %" in text["top_50"]
    assert "cause" not in " ".join(text.values())


def test_a_change_of_model_is_said_in_the_alert() -> None:
    step = Step(date(2022, 1, 1), BASE_RATE, same_model=False)
    [opened] = openings(Sight(0.01, 900), Sight(0.08, 12), set(), step)
    assert opened.kind == "top_50"
    assert "The model changed" in opened.message
