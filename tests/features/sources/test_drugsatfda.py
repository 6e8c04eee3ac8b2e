"""Drugs@FDA: two layouts, three line ends, and approvals that are dated by application."""

from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources import drugsatfda, orange_book, registry
from shortcast.features.sources.contract import Reading, SourceError

SOURCE = drugsatfda.SOURCE
AS_OF = date(2018, 4, 9)

OLD_PRODUCTS = (
    "ApplNo\tProductNo\tForm\tDosage\tProductMktStatus\tTECode\tReferenceDrug\tdrugname\t"
    "activeingred\n"
    '000101\t001\tSOLUTION/DROPS; OPHTHALMIC\t1%\t3\t\t0\tVELMORA ""MILD""\tVELMORIL SULFATE\n'
    "900201\t001\tTABLET; ORAL\t5MG\t1\tAB\t1\tOSTRUN\tOSTRUNIDE; TALVERINE\n"
    "900201\t002\tTABLET; ORAL\t10MG\t2\t\t2\tOSTRUN\tOSTRUNIDE; TALVERINE\n"
)
APPLICATION = (
    "ApplNo\tApplType\tSponsorApplicant\tMostRecentLabelAvailableFlag\n"
    "000101\tN    \tVELMORA LABS     \tFalse\n900201\tA\tOSTRUN INC\tFalse\n"
)
ACTIONS = (
    "ApplNo\tActionType\tInDocTypeSeqNo\tDuplicateCounter\tActionDate\tDocType\n"
    "000101\tAP\t010\t0\t1965-05-08 00:00:00\tSLR\n"
    "000101\tAP\t000\t0\t1969-07-16 00:00:00\tN\n"
    "900201\tTA\t000\t0\t2014-01-02 00:00:00\tN\n"
    "900201\tAP\t000\t0\t2015-03-04 00:00:00\tN\n"
    "900201\tAP\t0000\t1\t2015-05-06 00:00:00\tN\n"
)
PRODUCTS_HEADER = (
    "ApplNo\tProductNo\tForm\tStrength\tReferenceDrug\tDrugName\tActiveIngredient\t"
    "ReferenceStandard\n"
)
PRODUCTS = (
    PRODUCTS_HEADER
    + "000101\t004\tSOLUTION/DROPS;OPHTHALMIC\t1%\t0\tVELMORA\tVELMORIL SULFATE\t0\n"
    "900201\t001\tTABLET;ORAL\t5MG **Federal Register note**\t1\tOSTRUN\tOSTRUNIDE\t1\n"
    "900201\t02 \tTABLET;ORAL\t10MG\t2\tOSTRUN\tOSTRUNIDE\n"
    "761901\t001\tINJECTABLE;INJECTION\t70MG/VIAL\t0\tTALVERA\tTALVERAMAB\t0\n"
)
APPLICATIONS = (
    "ApplNo\tApplType\tApplPublicNotes\tSponsorName\n"
    "000101\tNDA\t\tVELMORA LABS\n900201\tANDA\t\tOSTRUN INC\n"
)
STATUS = (
    "MarketingStatusID\tApplNo\tProductNo\n"
    "3\t000101\t004\n1\t900201\t001\n2\t900201\t001\n1\t900201\t002\n1\t761901\t001\n"
)
CODES = (
    "ApplNo\tProductNo\tMarketingStatusID\tTECode\n"
    "900201\t001\t1\tAB1\n900201\t001\t1\tAB2\n900201\t002\t1\tAB\n"
)
SUBMISSIONS = (
    "ApplNo\tSubmissionClassCodeID\tSubmissionType\tSubmissionNo\tSubmissionStatus\t"
    "SubmissionStatusDate\tSubmissionsPublicNotes\tReviewPriority\n"
    "000101\t19\tORIG      \t1\tAP\t1969-07-16 00:00:00\t\tUNKNOWN\n"
    "900201\t\tORIG\t1\tTA\t2014-01-02 00:00:00\t\t\n"
    "900201\t\tORIG\t1\tAP\t2015-03-04 00:00:00\tnote – plain\t\n"
    "900201\t\tSUPPL\t2\tAP\t2012-01-01 00:00:00\t\t\n"
    "761901\t\tORIG\t1\tAP\t2017-11-16 00:00:00\t\t\n"
)
OLD = {"Product.txt": OLD_PRODUCTS, "application.txt": APPLICATION, "RegActionDate.txt": ACTIONS}
CURRENT = {
    "Products.txt": PRODUCTS,
    "Applications.txt": APPLICATIONS,
    "MarketingStatus.txt": STATUS,
    "TE.txt": CODES,
    "Submissions.txt": SUBMISSIONS,
}


def bundle(tmp_path: Path, members: dict[str, str], end: str = "\r\n") -> Path:
    path = tmp_path / "drugsatfda.zip"
    with zipfile.ZipFile(path, "w") as target:
        for name, text in members.items():
            target.writestr(name, text.replace("\n", end).encode("cp1252"))
    return path


def read(tmp_path: Path, members: dict[str, str], end: str = "\r\n") -> Reading:
    return SOURCE.read([bundle(tmp_path, members, end)], AS_OF)


def test_the_old_layout_is_read(tmp_path: Path) -> None:
    reading = read(tmp_path, OLD)
    assert reading.rejects.empty
    products = reading.tables["drugsatfda_products"]
    assert products["drug_name"].tolist() == ['VELMORA "MILD"', "OSTRUN", "OSTRUN"]
    assert products["form"].tolist()[:2] == ["SOLUTION/DROPS;OPHTHALMIC", "TABLET;ORAL"]
    assert products["application_type"].tolist() == ["NDA", "ANDA", "ANDA"]
    assert products["sponsor"].tolist() == ["VELMORA LABS", "OSTRUN INC", "OSTRUN INC"]
    assert products["marketing_status"].tolist() == ["discontinued", "prescription", "otc"]
    assert products["reference_drug"].tolist() == [False, True, pd.NA]
    assert products["te_code"].isna().tolist() == [True, False, True]


def test_approval_is_the_earliest_of_the_original_submission(tmp_path: Path) -> None:
    for members in (OLD, CURRENT):
        approvals = read(tmp_path, members).tables["approvals"].set_index("application_no")
        assert approvals.loc["000101", "approval_date"] == pd.Timestamp(1969, 7, 16)
        first = approvals.loc["900201"].iloc[0]
        assert first["approval_date"] == pd.Timestamp(2015, 3, 4)
        assert first["event_date"] == first["published_at"] == first["approval_date"]
        assert approvals["approved_before_1982"].to_numpy()[:2].tolist() == [True, False]


def test_a_strength_added_later_does_not_borrow_its_applications_date(tmp_path: Path) -> None:
    approvals = read(tmp_path, CURRENT).tables["approvals"]
    later = approvals[
        (approvals["application_no"] == "900201") & (approvals["product_no"] == "002")
    ]
    times = ["approval_date", "event_date", "published_at", "approved_before_1982"]
    assert later[times].isna().all(axis=None)
    assert later["ingredient"].tolist() == ["OSTRUNIDE"]


def test_the_current_layout_joins_status_codes_and_sponsor(tmp_path: Path) -> None:
    reading = read(tmp_path, CURRENT)
    assert reading.rejects.empty
    products = reading.tables["drugsatfda_products"]
    shown = products[["application_no", "product_no", "marketing_status", "te_code"]]
    assert shown.fillna("-").to_numpy().tolist() == [
        ["000101", "004", "discontinued", "-"],
        ["900201", "001", "prescription", "AB1, AB2"],
        ["900201", "001", "otc", "-"],
        ["900201", "002", "prescription", "AB"],
        ["761901", "001", "prescription", "-"],
    ]
    assert products["strength"].tolist() == ["1%", "5MG", "5MG", "10MG", "70MG/VIAL"]
    # The last application is missing from Applications.txt: unknown, not dropped.
    assert products["sponsor"].isna().tolist() == [False, False, False, False, True]
    approvals = reading.tables["approvals"]
    assert not approvals.duplicated(["application_no", "product_no"]).any()
    assert approvals["dosage_form"].tolist()[0] == "SOLUTION/DROPS"
    assert approvals["route"].tolist()[0] == "OPHTHALMIC"


def test_bare_carriage_returns_and_quoted_fields_of_2012(tmp_path: Path) -> None:
    text = OLD_PRODUCTS.replace("\t5MG\t", '\t"5,000 UNITS/ML"\t').replace(
        'VELMORA ""MILD""', '"VELMORA ""MILD"""'
    )
    reading = read(tmp_path, {"Product.txt": text}, end="\r")
    products = reading.tables["drugsatfda_products"]
    assert products["strength"].tolist() == ["1%", "5,000 UNITS/ML", "10MG"]
    assert products["drug_name"].tolist()[0] == 'VELMORA "MILD"'
    assert products["application_type"].isna().all()
    assert products["source_row"].tolist() == [1, 2, 3]


def test_a_zip_without_approval_dates_says_nothing_of_approvals(tmp_path: Path) -> None:
    undated = {name: text for name, text in CURRENT.items() if name != "Submissions.txt"}
    reading = read(tmp_path, undated)
    assert len(reading.tables["drugsatfda_products"]) == 5
    assert "approvals" not in reading.tables


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("900301\t001\tTABLET;ORAL\t5MG\t\t0\tTALVERA\tTALVERINE\t0", ""),
        ("900301\t001\tTABLET;ORAL\t5MG\t\t0\tTALVERA\tTALVERINE", "ReferenceDrug"),
        ("900301\t001\tTABLET;ORAL\t5MG\t0\tTALVERA\tTALVERINE\tTALVERINE", "ReferenceStandard"),
        ("9003\t001\tTABLET;ORAL\t5MG\t0\tTALVERA\tTALVERINE\t0", "ApplNo"),
        ("900301\tX1\tTABLET;ORAL\t5MG\t0\tTALVERA\tTALVERINE\t0", "ProductNo"),
    ],
)
def test_a_row_with_shifted_fields_goes_to_quarantine(
    tmp_path: Path, row: str, column: str
) -> None:
    reading = read(tmp_path, CURRENT | {"Products.txt": PRODUCTS + row + "\n"})
    assert len(reading.tables["drugsatfda_products"]) == 5
    rejected = reading.rejects[["file", "row", "column"]].to_numpy().tolist()
    assert rejected == [["drugsatfda.zip/Products.txt", 5, column]]


def test_a_status_without_its_product_is_told(tmp_path: Path) -> None:
    reading = read(tmp_path, CURRENT | {"MarketingStatus.txt": STATUS + "1\t900999\t001\n"})
    assert len(reading.tables["drugsatfda_products"]) == 5
    assert reading.rejects[["row", "value"]].to_numpy().tolist() == [[6, "900999/001"]]


@pytest.mark.parametrize("day", ["1900-01-01 00:00:00", "2108-01-01 00:00:00", "2018-04-10", "?"])
def test_an_approval_on_no_possible_day_stays_undated(tmp_path: Path, day: str) -> None:
    text = SUBMISSIONS.replace("2017-11-16 00:00:00", day)
    reading = read(tmp_path, CURRENT | {"Submissions.txt": text})
    approvals = reading.tables["approvals"]
    undated = approvals.loc[approvals["application_no"] == "761901"]
    assert undated[["approval_date", "published_at"]].isna().all(axis=None)
    assert reading.rejects[["row", "value"]].to_numpy().tolist() == [[5, day]]


@pytest.mark.parametrize("missing", ["Applications.txt", "MarketingStatus.txt"])
def test_a_zip_that_lacks_a_table_is_refused(tmp_path: Path, missing: str) -> None:
    members = {name: text for name, text in CURRENT.items() if name != missing}
    with pytest.raises(SourceError, match=f"lacks {missing}"):
        read(tmp_path, members)


def test_what_is_no_drugsatfda_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"neither Products\.txt nor Product\.txt"):
        read(tmp_path, {"readme.txt": "hello"})
    with pytest.raises(SourceError, match=r"lacks the column\(s\) ActiveIngredient"):
        read(tmp_path, CURRENT | {"Products.txt": PRODUCTS.replace("ActiveIngr", "Ingr")})
    with pytest.raises(SourceError, match="HTML page"):
        read(tmp_path, CURRENT | {"Products.txt": "<html><body>Moved</body></html>"})
    with pytest.raises(SourceError, match=r"one file that ends in \.zip"):
        SOURCE.read([], AS_OF)


def test_a_zip_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = bundle(tmp_path, CURRENT)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SourceError, match="not a whole zip"):
        SOURCE.read([path], AS_OF)


def test_both_sources_of_approvals_declare_the_same_table() -> None:
    assert drugsatfda.APPROVALS is orange_book.APPROVALS
    assert registry()["drugsatfda"] is SOURCE


@pytest.mark.records
@pytest.mark.parametrize(
    ("day", "products", "lost", "approvals"),
    # Rows of Product(s).txt, counted by line ends; five of 2017 are shifted. A product that is
    # sold with and without prescription is one approval.
    [
        (date(2012, 2, 29), 28_353, 0, None),
        (date(2016, 6, 30), 34_060, 0, 34_058),
        (date(2017, 9, 30), 35_885, 5, None),
        (date(2018, 4, 9), 36_925, 0, 36_924),
    ],
)
def test_the_real_zips_lose_no_product(
    records_dir: Path, day: date, products: int, lost: int, approvals: int | None
) -> None:
    path = records_dir / "drugsatfda" / str(day) / "drugsatfda.zip"
    reading = SOURCE.read([path], day)
    table = reading.tables["drugsatfda_products"]
    assert table["source_row"].nunique() == products - lost
    bad = reading.rejects["file"].str.endswith(("/Products.txt", "/Product.txt"))
    assert bad.sum() == lost
    assert len(reading.rejects) < 0.01 * products
    assert table["marketing_status"].notna().all()
    if approvals is None:
        assert "approvals" not in reading.tables
        return
    dated = reading.tables["approvals"]
    assert len(dated) == approvals
    assert dated["application_no"].nunique() == table["application_no"].nunique()
    assert dated["approval_date"].min() == pd.Timestamp(1939, 2, 9)
    first = dated.drop_duplicates("application_no")
    assert first["approval_date"].notna().mean() > 0.7
