"""The NDC directory: a listing since its marketing began, its end since a snapshot tells."""

from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.ndc_directory import SOURCE

AS_OF = date(2019, 4, 29)
PRODUCT_HEADER = (
    "PRODUCTID\tPRODUCTNDC\tPRODUCTTYPENAME\tPROPRIETARYNAME\tPROPRIETARYNAMESUFFIX\t"
    "NONPROPRIETARYNAME\tDOSAGEFORMNAME\tROUTENAME\tSTARTMARKETINGDATE\tENDMARKETINGDATE\t"
    "MARKETINGCATEGORYNAME\tAPPLICATIONNUMBER\tLABELERNAME\tSUBSTANCENAME\t"
    "ACTIVE_NUMERATOR_STRENGTH\tACTIVE_INGRED_UNIT\tPHARM_CLASSES\tDEASCHEDULE\t"
    "NDC_EXCLUDE_FLAG\tLISTING_RECORD_CERTIFIED_THROUGH"
)
PACKAGE_HEADER = (
    "PRODUCTID\tPRODUCTNDC\tNDCPACKAGECODE\tPACKAGEDESCRIPTION\tSTARTMARKETINGDATE\t"
    "ENDMARKETINGDATE\tNDC_EXCLUDE_FLAG\tSAMPLE_PACKAGE"
)


def product(ndc: str = "99901-101", start: str = "20120601", end: str = "", name: str = "") -> str:
    return "\t".join(
        [
            f"{ndc}_aaaa-bbbb", ndc, "HUMAN PRESCRIPTION DRUG", name or "Velmora", "XR",
            "velmoril, talverine", "INJECTION, SOLUTION", "INTRAVENOUS; SUBCUTANEOUS", start, end,
            "ANDA", "ANDA900201", "Velmora Labs", "VELMORIL; TALVERINE", "5; .2", "mg/mL; mg/mL",
            "Velmoran [EPC],Vel Agonist [MoA]", "CII", "N", "" if end else "20191231",
        ]
    )  # fmt: skip


def package(ndc: str = "99901-101-30", start: str = "20120601", end: str = "") -> str:
    main = ndc.rpartition("-")[0]
    text = f"1 VIAL in 1 CARTON ({ndc})  > 10 mL in 1 VIAL"
    return "\t".join([f"{main}_aaaa-bbbb", main, ndc, text, start, end, "N", "N"])


def bundle(tmp_path: Path, products: list[str], packages: list[str]) -> Path:
    path = tmp_path / "ndctext.zip"
    with zipfile.ZipFile(path, "w") as target:
        for name, header, lines in (
            ("product.txt", PRODUCT_HEADER, products),
            ("package.txt", PACKAGE_HEADER, packages),
        ):
            target.writestr(name, "\r\n".join([header, *lines, ""]).encode("cp1252"))
    return path


def read(
    tmp_path: Path, products: list[str] | None = None, packages: list[str] | None = None
) -> Reading:
    path = bundle(tmp_path, products or [product()], packages or [package()])
    return SOURCE.read([path], AS_OF)


def test_a_listing_counts_as_public_since_its_marketing_began(tmp_path: Path) -> None:
    reading = read(tmp_path)
    for name in ("ndc_products", "ndc_packages"):
        table = reading.tables[name]
        assert table["event_date"].tolist() == [pd.Timestamp(2012, 6, 1)]
        assert table["published_at"].tolist() == [pd.Timestamp(2012, 6, 1)]
    row = reading.tables["ndc_products"].iloc[0]
    assert row["nonproprietary_name"] == "velmoril, talverine"
    assert row["active_strengths"] == "5; .2"
    assert row["dea_schedule"] == "CII"
    pack = reading.tables["ndc_packages"].iloc[0]
    assert pack["description"] == "1 VIAL in 1 CARTON (99901-101-30) > 10 mL in 1 VIAL"
    assert pack["product_ndc"] == "99901-101"
    assert reading.tables["ndc_packages"]["is_sample"].tolist() == [False]


def test_the_end_of_marketing_is_known_from_the_snapshot_alone(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        [product(end="20190731"), product("99901-102")],
        [package(end="20200131"), package("99901-102-05")],
    )
    assert "end_marketing_date" not in reading.tables["ndc_products"].columns
    assert "end_marketing_date" not in reading.tables["ndc_packages"].columns
    listings, ends = reading.tables["ndc_listings"], reading.tables["ndc_package_ends"]
    assert listings["end_marketing_date"].tolist() == [pd.Timestamp(2019, 7, 31), pd.NaT]
    assert listings["certified_through"].isna().tolist() == [True, False]
    assert ends["package_ndc"].tolist() == ["99901-101-30"]
    for table in (listings, ends):
        assert not {"event_date", "published_at"} & set(table.columns)


def test_marketing_that_has_not_begun_is_known_from_the_snapshot(tmp_path: Path) -> None:
    table = read(tmp_path, [product(start="20190501")]).tables["ndc_products"]
    assert table["event_date"].tolist() == [pd.Timestamp(2019, 5, 1)]
    assert table["published_at"].isna().all()


@pytest.mark.parametrize("start", ["19000101", "31080101", "2012-06-01", "18990101"])
def test_an_impossible_start_is_emptied_and_told(tmp_path: Path, start: str) -> None:
    reading = read(tmp_path, [product(), product("99901-102", start=start)])
    table = reading.tables["ndc_products"]
    assert table["product_ndc"].tolist() == ["99901-101", "99901-102"]
    times = ["start_marketing_date", "event_date", "published_at"]
    assert table[times].isna().all(axis=1).tolist() == [False, True]
    assert reading.rejects[["file", "row", "column", "value"]].to_numpy().tolist() == [
        ["ndctext.zip/product.txt", 2, "start_marketing_date", start]
    ]


def test_a_start_that_is_not_told_is_no_fault(tmp_path: Path) -> None:
    reading = read(tmp_path, [product(start="")])
    assert reading.tables["ndc_products"]["published_at"].isna().all()
    assert reading.rejects.empty


def test_names_outside_utf8_and_quotes_are_read(tmp_path: Path) -> None:
    table = read(tmp_path, [product(name='Schwäb "mild" ®')]).tables["ndc_products"]
    assert table["proprietary_name"].tolist() == ['Schwäb "mild" ®']


def test_a_row_without_a_proper_ndc_goes_to_quarantine(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        [product("999010101"), product()],
        [package("99901-101-30"), package("99901-10130")],
    )
    assert reading.tables["ndc_products"]["source_row"].tolist() == [2]
    assert reading.tables["ndc_listings"]["source_row"].tolist() == [2]
    assert reading.tables["ndc_packages"]["source_row"].tolist() == [1]
    assert reading.rejects[["file", "row"]].to_numpy().tolist() == [
        ["ndctext.zip/product.txt", 1],
        ["ndctext.zip/package.txt", 2],
    ]


def test_a_product_listed_twice_is_kept_twice(tmp_path: Path) -> None:
    table = read(tmp_path, [product(), product(start="20150101")]).tables["ndc_products"]
    assert table["product_ndc"].tolist() == ["99901-101", "99901-101"]


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"product.txt": f"{PRODUCT_HEADER}\n{product()}\n"}, r"lacks package\.txt"),
        (
            {
                "product.txt": f"{PRODUCT_HEADER.replace('SUBST', 'X')}\n{product()}\n",
                "package.txt": f"{PACKAGE_HEADER}\n{package()}\n",
            },
            r"product\.txt lacks the column\(s\) SUBSTANCENAME",
        ),
        ({"product.txt": "", "package.txt": ""}, r"product\.txt is empty"),
    ],
)
def test_a_zip_that_lacks_something_is_refused(
    tmp_path: Path, members: dict[str, str], says: str
) -> None:
    path = tmp_path / "ndctext.zip"
    with zipfile.ZipFile(path, "w") as target:
        for name, text in members.items():
            target.writestr(name, text)
    with pytest.raises(SourceError, match=says):
        SOURCE.read([path], AS_OF)


def test_a_page_saved_as_a_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ndctext.zip"
    path.write_bytes(b"<html><head><title>Not found</title></head></html>")
    with pytest.raises(SourceError, match="not a whole zip"):
        SOURCE.read([path], AS_OF)


@pytest.mark.records
@pytest.mark.slow
def test_the_real_directory_loses_no_row(records_dir: Path) -> None:
    reading = SOURCE.read([records_dir / "ndc_directory/2019-04-29/ndctext.zip"], AS_OF)
    products, packages = reading.tables["ndc_products"], reading.tables["ndc_packages"]
    assert len(products) == len(reading.tables["ndc_listings"]) == 128_241  # MANIFEST.csv
    assert len(packages) == 243_960  # counted by line ends
    assert products["source_row"].is_unique
    # Only dates were emptied, none of the rows was lost.
    assert set(reading.rejects["column"]) == {"start_marketing_date", "end_marketing_date"}
    assert len(reading.rejects) == 62
    assert products["published_at"].max() <= pd.Timestamp(AS_OF)
    assert packages["product_ndc"].isin(set(products["product_ndc"])).mean() > 0.99
    assert not products["labeler_name"].str.contains("\ufffd").any()
    assert products["labeler_name"].str.contains("Schwäbisch Gmünd").any()
    ends = reading.tables["ndc_listings"]["end_marketing_date"]
    assert ends.min() > pd.Timestamp(AS_OF)
