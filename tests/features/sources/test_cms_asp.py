"""ASP limits: a preamble to skip, a quarter to find in it, and the crosswalk beside it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources.cms_asp import SOURCE
from shortcast.features.sources.contract import Reading, SourceError

AS_OF = date(2025, 10, 1)
PREAMBLE = (
    "Payment Allowance Limits,,,,\r\n,,,,\r\n"
    '"Effective October 1, 2025 through December 31, 2025",,,,\r\n'
    "Note 1: a HCPCS Code is no promise of payment.,,,,\r\n"
)
HEADER = (
    "HCPCS Code,Short Description,HCPCS Code Dosage,Payment Limit,Co-insurance Percentage,"
    "Vaccine AWP%,Vaccine Limit,Blood AWP%,Blood limit,Clotting Factor,Notes\r\n"
)
LIMIT = 'J9901,"Inj\xa0velmoril, 5 mg",5 MG,"1,134.194",20.000,,,,,,"line one\nline two"\r\n'
NO_LIMIT = "A9902,Ostrunide dose,1 MCI,N/A,20.000,,,,,1,\r\n"
CROSSWALK = (
    "ndc11,hcpcs_code,hcpcs_description,drug_name,manufacturer,hcpcs_dosage,pkg_size,pkg_qty,"
    "bill_units_per_item,bill_units_per_pkg,has_multiple_hcpcs,all_hcpcs_codes\n"
    '99901010130,J9901,Inj velmoril,Velmora,"Velmora Labs, Inc.",5 MG,10.0,25,2.0,50.0,False,\n'
    "0000000VEL1,Q9903,Velgraft,VelGraft,Ostrun,1 SQ CM,3.0,1,3.0,3.0,True,Q9903|Q9904\n"
)


def read(tmp_path: Path, text: str, name: str = "asp_pricing.csv") -> Reading:
    path = tmp_path / name
    path.write_bytes(text.encode("cp1252"))
    return SOURCE.read([path], AS_OF)


def test_the_table_below_the_preamble_is_read(tmp_path: Path) -> None:
    reading = read(tmp_path, PREAMBLE + HEADER + LIMIT + NO_LIMIT)
    assert reading.rejects.empty
    assert list(reading.tables) == ["asp_limits"]
    table = reading.tables["asp_limits"]
    first = table.iloc[0]
    assert first["short_description"] == "Inj velmoril, 5 mg"
    assert first["payment_limit_usd"] == 1134.194
    assert first["notes"] == "line one line two"
    assert table["is_clotting_factor"].tolist() == [False, True]
    # N/A is the source's way to say that no limit is set, not a fault.
    assert table["payment_limit_usd"].isna().tolist() == [False, True]
    assert table["source_row"].tolist() == [1, 2]


def test_a_limit_is_known_from_the_first_day_of_its_quarter(tmp_path: Path) -> None:
    table = read(tmp_path, PREAMBLE + HEADER + LIMIT).tables["asp_limits"]
    for column in ("quarter_start", "event_date", "published_at"):
        assert table[column].tolist() == [pd.Timestamp(2025, 10, 1)]
    assert table["quarter_end"].tolist() == [pd.Timestamp(2025, 12, 31)]


def test_an_older_file_with_fewer_columns_is_read(tmp_path: Path) -> None:
    header = "HCPCS Code,Short Description,HCPCS Code Dosage,Payment Limit,Notes\r\n"
    text = PREAMBLE + header + "J9901,Inj velmoril,5 MG,2.5,\r\n"
    table = read(tmp_path, text).tables["asp_limits"]
    assert table["payment_limit_usd"].tolist() == [2.5]
    assert table[["coinsurance_percent", "vaccine_limit_usd", "notes"]].isna().all(axis=None)


def test_the_crosswalk_is_known_from_its_snapshot(tmp_path: Path) -> None:
    table = read(tmp_path, CROSSWALK, "mapping.csv").tables["asp_crosswalk"]
    assert table["ndc11"].tolist() == ["99901010130", "0000000VEL1"]
    assert table["billing_units_per_package"].tolist() == [50.0, 3.0]
    assert table["has_multiple_hcpcs"].tolist() == [False, True]
    assert table["all_hcpcs"].isna().tolist() == [True, False]
    assert not {"event_date", "published_at"} & set(table.columns)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("J99,Inj velmoril,5 MG,2.5,20,,,,,,\r\n", "hcpcs"),
        (",,,,,,,,,,End of table\r\n", "hcpcs"),
        ("J9903,Inj velmoril,5 MG,ask,20,,,,,,\r\n", "payment_limit_usd"),
        ("J9903,Inj velmoril,5 MG,2.5,20,,?,,,,\r\n", "vaccine_limit_usd"),
    ],
)
def test_a_bad_limit_goes_to_quarantine(tmp_path: Path, row: str, column: str) -> None:
    reading = read(tmp_path, PREAMBLE + HEADER + LIMIT + row)
    assert reading.tables["asp_limits"]["hcpcs"].tolist() == ["J9901"]
    assert reading.rejects[["file", "row", "column"]].to_numpy().tolist() == [
        ["asp_pricing.csv", 2, column]
    ]


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [("99901010130", "999010101", "ndc11"), ("J9901", "", "hcpcs"), ("10.0", "x", "package_size")],
)
def test_a_bad_crosswalk_row_goes_to_quarantine(
    tmp_path: Path, old: str, new: str, column: str
) -> None:
    reading = read(tmp_path, CROSSWALK.replace(old, new), "mapping.csv")
    assert reading.tables["asp_crosswalk"]["hcpcs"].tolist() == ["Q9903"]
    assert reading.rejects[["row", "column"]].to_numpy().tolist() == [[1, column]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEADER + LIMIT, "from when to when"),
        (PREAMBLE.replace("October 1", "Brumaire 1") + HEADER + LIMIT, "from when to when"),
        (PREAMBLE + HEADER, "no rows"),
        (PREAMBLE, "neither a row that starts with 'HCPCS Code'"),
        (PREAMBLE + HEADER.replace("Payment Limit", "Limit") + LIMIT, "Payment Limit"),
        (CROSSWALK.replace("pkg_qty", "quantity"), "pkg_qty"),
        ("<html><body>Moved</body></html>", "HTML page"),
        ("", "is empty"),
    ],
)
def test_what_is_no_asp_file_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        read(tmp_path, text)


@pytest.mark.records
def test_the_real_quarter_loses_no_row(records_dir: Path) -> None:
    folder = records_dir / "cms_asp/2025-10-01"
    reading = SOURCE.read(sorted(folder.iterdir()), AS_OF)
    limits, crosswalk = reading.tables["asp_limits"], reading.tables["asp_crosswalk"]
    # MANIFEST.csv counts lines; these are records, whose cells may hold line breaks.
    assert len(limits) == 1_012
    assert limits["payment_limit_usd"].isna().sum() == 1
    assert limits["hcpcs"].is_unique
    assert len(crosswalk) + len(reading.rejects) == 8_067
    assert len(reading.rejects) == 5
    assert crosswalk["hcpcs"].isin(set(limits["hcpcs"])).mean() > 0.5
