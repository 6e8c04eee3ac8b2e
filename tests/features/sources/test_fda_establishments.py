"""Establishment registrations: a list of today, with parsed addresses and numbers."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.fda_establishments import SOURCE

AS_OF = date(2022, 3, 31)
HEADER = (
    "FEI_NUMBER,DUNS_NUMBER,FIRM_NAME,ADDRESS,EXPIRATION_DATE,OPERATIONS,REGISTRANT_NAME,"
    "REGISTRANT_DUNS,EXCLUSION_FLAG"
)
US = "1 Mill Rd, Fenwick, Ohio (OH) 45000-1234, United States (USA)"


def read(tmp_path: Path, *lines: str, header: str = HEADER) -> Reading:
    path = tmp_path / "drls_reg.csv.gz"
    path.write_bytes(gzip.compress(("\n".join([header, *lines]) + "\n").encode()))
    return SOURCE.read([path], AS_OF)


def line(
    fei: str = "3000000001",
    duns: str = "000000017",
    address: str = US,
    expires: str = "12/31/2022",
    flag: str = "N",
    operations: str = "LABEL; Manufacture; PACK",
) -> str:
    return (
        f'{fei},{duns},"Velmora Labs, Inc.","{address}",{expires},{operations},'
        f'"Velmora Holding, Inc.",000000025,{flag}'
    )


def test_a_registration_has_no_time_of_its_own(tmp_path: Path) -> None:
    table = read(tmp_path, line()).tables["establishments"]
    assert not {"event_date", "published_at"} & set(table.columns)
    assert SOURCE.tables[0].is_list
    assert SOURCE.tables[0].assumed_lag_days is None


def test_numbers_operations_and_flag(tmp_path: Path) -> None:
    reading = read(tmp_path, line(fei="0000000", flag="Y"), line(fei=" ", duns="18", flag=""))
    table = reading.tables["establishments"]
    assert table["fei_number"].isna().all()
    assert table["duns_number"].tolist() == ["000000017", "000000018"]
    assert table["registrant_duns"].tolist() == ["000000025"] * 2
    assert table["operations"].tolist() == ["LABEL|MANUFACTURE|PACK"] * 2
    assert table["is_excluded"].fillna(False).tolist() == [True, False]
    assert table["is_excluded"].isna().tolist() == [False, True]
    assert reading.rejects.empty


@pytest.mark.parametrize(
    ("address", "city", "state", "postal_code", "country"),
    [
        (US, "Fenwick", "OH", "45000-1234", "USA"),
        (
            "1 Mill Rd,, Fenwick,, Ohio (OH) 45000, United States (USA)",
            "Fenwick",
            "OH",
            "45000",
            "USA",
        ),
        ("Via 3, Borgo, Lazio (RM) 00100, Italy (ITA)", "Borgo", None, None, "ITA"),
        ("Hafen 3, Koog, 21000, Germany (DEU)", "Koog", None, None, "DEU"),
        ("7 Road, Xin, Jiangsu 211000, China (CHN)", "Xin", None, None, "CHN"),
        ("9 gil, Seo, - 05000, Korea, South (KOR)", "Seo", None, None, "KOR"),
        ("Nowhere", None, None, None, None),
    ],
)
def test_addresses(
    tmp_path: Path,
    address: str,
    city: str | None,
    state: str | None,
    postal_code: str | None,
    country: str | None,
) -> None:
    table = read(tmp_path, line(address=address)).tables["establishments"]
    parts = table[["city", "state_code", "postal_code", "country_code"]]
    assert parts.astype(object).where(parts.notna(), None).to_numpy().tolist() == [
        [city, state, postal_code, country]
    ]
    assert table["address"].tolist() == [address]


def test_a_registration_may_run_out_in_the_future_but_not_in_2108(tmp_path: Path) -> None:
    reading = read(tmp_path, line(expires="12/31/2023"), line(expires="12/31/2108"))
    expires = reading.tables["establishments"]["expiration_date"]
    assert expires.tolist()[0] == pd.Timestamp(2023, 12, 31)
    assert expires.isna().tolist() == [False, True]
    assert reading.rejects[["row", "column", "value"]].to_numpy().tolist() == [
        [2, "EXPIRATION_DATE", "12/31/2108"]
    ]


def test_a_registration_without_a_firm_goes_to_quarantine(tmp_path: Path) -> None:
    reading = read(tmp_path, line(), line().replace("Velmora Labs, Inc.", ""))
    assert len(reading.tables["establishments"]) == 1
    assert reading.rejects["column"].tolist() == ["FIRM_NAME"]


def test_another_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Registrant DUNS"):
        read(tmp_path, "1,2", header="FEI_NUMBER,DUNS_NUMBER")


@pytest.mark.records
def test_the_real_list_is_read_whole(records_dir: Path) -> None:
    path = records_dir / "fda_establishments/2025-06-30/drls_reg.csv.gz"
    reading = SOURCE.read([path], date(2025, 6, 30))
    table = reading.tables["establishments"]
    assert len(table) == 10_439  # MANIFEST.csv
    assert reading.rejects.empty
    assert table["duns_number"].str.fullmatch(r"\d{9}").all()
    assert table["duns_number"].is_unique
    assert table["fei_number"].isna().mean() < 0.03
    assert table["country_code"].isna().sum() == 1
    american = table["country_code"] == "USA"
    assert table.loc[american, "state_code"].notna().mean() > 0.999
    assert table.loc[~american, "state_code"].isna().all()
