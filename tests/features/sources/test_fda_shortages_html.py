"""The rebuilt history of the HTML list: what was on it, and when it was seen to be gone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.fda_shortages_html import SOURCE

AS_OF = date(2019, 12, 31)
HEADER = "Generic Name,Status,First Seen,Last Seen\n"


def read(tmp_path: Path, lines: str, header: str = HEADER) -> Reading:
    path = tmp_path / "history.csv"
    path.write_text(header + lines, encoding="utf-8")
    return SOURCE.read([path], AS_OF)


def test_a_spell_is_known_from_its_first_page_and_withdrawn_by_the_next_after_its_last(
    tmp_path: Path,
) -> None:
    reading = read(
        tmp_path,
        "Velmorine Injection,Current,2014-06-22,2014-12-16\n"
        '"Ostravan, 5per Gel",To Be Discontinued,2015-02-01,2016-03-01\n'
        "Lumixil Tablets,Resolved,2014-12-16,2016-03-01\n",
    )
    table = reading.tables["shortage_html_spells"].set_index("generic_name")
    assert table["event_date"].tolist()[0] == pd.Timestamp("2014-06-22")
    assert table["published_at"].tolist() == table["event_date"].tolist()
    assert table["withdrawn_at"].tolist()[0] == pd.Timestamp("2015-02-01")
    # Nobody looked after the last page, so nothing is known to have left it.
    assert table["withdrawn_at"].isna().tolist() == [False, True, True]
    assert table["status"].tolist() == ["Current", "To Be Discontinued", "Resolved"]
    assert reading.rejects.empty


def test_a_spell_may_last_beyond_the_day_it_is_filed_under(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        "Velmorine,Current,2018-06-22,2020-12-25\nLumixil,Current,2018-06-22,2022-10-31\n",
    )
    table = reading.tables["shortage_html_spells"]
    assert table["last_seen"].tolist() == [pd.Timestamp("2020-12-25"), pd.Timestamp("2022-10-31")]
    assert table["withdrawn_at"].tolist()[0] == pd.Timestamp("2022-10-31")


def test_a_status_seen_after_the_day_of_the_file_does_not_count_before_it(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        "Velmorine,Current,2018-06-22,2019-12-25\nLumixil,Current,2018-06-22,2022-10-31\n",
    )
    table = reading.tables["shortage_html_spells"].set_index("generic_name")
    assert table.loc["Velmorine", "published_at"] == pd.Timestamp("2018-06-22")
    assert table["published_at"].isna().to_dict() == {"Velmorine": False, "Lumixil": True}


def test_spells_that_cannot_be_stand_in_quarantine(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        "A,Current,2018-06-22,2108-12-25\n"
        "B,Current,2020-06-22,2020-12-25\n"
        "C,Current,2018-06-22,2017-12-25\n"
        "D,Current,,2017-12-25\n"
        ",Current,2018-06-22,2019-12-25\n"
        "E,Current,2018-06-22\n"
        "F,Current,2018-06-22,2018-06-22\n",
    )
    assert reading.tables["shortage_html_spells"]["generic_name"].tolist() == ["F"]
    assert reading.rejects.set_index("row")["column"].to_dict() == {
        1: "last_seen",
        2: "first_seen",
        3: "last_seen",
        4: "first_seen",
        5: "generic_name",
        6: "",
    }


@pytest.mark.parametrize(
    ("header", "lines", "told"),
    [
        ("", "", "is empty"),
        ("<html><head>", "</head></html>", "HTML page"),
        (HEADER, "", "no rows"),
        ("Generic Name,Status\n", "Velmorine,Current\n", "lacks the column"),
    ],
)
def test_a_file_that_is_not_the_history_is_refused_whole(
    tmp_path: Path, header: str, lines: str, told: str
) -> None:
    with pytest.raises(SourceError, match=told):
        read(tmp_path, lines, header)


@pytest.mark.records
def test_no_spell_of_the_real_history_is_lost(records_dir: Path) -> None:
    folder = records_dir / "fda_shortages_html" / "2019-12-31"
    reading = SOURCE.read(sorted(folder.iterdir()), AS_OF)
    table = reading.tables["shortage_html_spells"]
    assert len(table) == 362
    assert reading.rejects.empty
    assert table["status"].value_counts().to_dict() == {"To Be Discontinued": 215, "Current": 147}
    assert not table.duplicated(["generic_name", "first_seen"]).any()
    gone = table["withdrawn_at"].notna()
    assert (table.loc[gone, "withdrawn_at"] > table.loc[gone, "last_seen"]).all()
    assert (table.loc[~gone, "last_seen"] == table["last_seen"].max()).all()
    assert (~gone).sum() == 12
