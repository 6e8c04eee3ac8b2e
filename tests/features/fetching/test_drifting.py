"""Files whose names drift, and tables inside zips."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import date
from typing import Any

import pytest

from shortcast.features import warehouse
from shortcast.features.archive import Archive
from shortcast.features.fetching import fetch
from shortcast.settings import Settings

TODAY = date(2026, 11, 23)
PAGE = "www.cms.gov/medicare/payment/part-b-drugs/asp-pricing-files"
FILES = "www.cms.gov/files/zip/"


def zipped(**members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        for name, text in members.items():
            bundle.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
    return out.getvalue()


def limits(quarter: str) -> bytes:
    header = "HCPCS Code,Short Description,HCPCS Code Dosage,Payment Limit,Notes"
    text = f'Payment Limits,,,,\n"Effective {quarter}",,,,\n{header}\nJ1100,Velmoril,1 MG,0.5,\n'
    return zipped(
        **{
            "section 508 version of October 2026 Payment Limit File 091626.csv": text,
            "section 508 version of October 2026 NOC Payment Limit File.csv": "no,table\n",
            "October 2026 Payment Limit File.xlsx": "PK",
        }
    )


def crosswalk() -> bytes:
    header = (
        "_2026_CODE,Short Description,LABELER NAME,NDC,Drug Name,HCPCS dosage,PKG SIZE,PKG QTY,"
        "BILLUNITS,BILLUNITSPKG"
    )
    rows = [
        "J1100,Velmoril,Dunmore,63323-0165-01,Velmora,1 MG,1,25,4,100",
        "J1101,Velmoril,Dunmore,63323-0165-01,Velmora,1 MG,1,25,4,100",
        "J7331,A device,Dunmore,63323-0165-011,Gel,1 ML,1,1,1,1",
    ]
    text = "\n".join(["October 2026 ASP NDC-HCPCS Crosswalk,,,,,,,,,", header, *rows, ""])
    return zipped(
        **{
            "section 508 version of October 2026 ASP NDC-HCPCS Crosswalk 091626.csv": text,
            "section 508 version of October 2026 AWP NDC-HCPCS Crosswalk 091626.csv": text,
        }
    )


FOURTH = "October 1, 2026 through December 31, 2026"


@pytest.fixture
def cms(official: Any) -> Any:
    official.headers["X-Shortcast-Data"] = "simulated"
    return official


def test_links_of_the_page_go_before_names_that_are_tried(cms: Any, config: Settings) -> None:
    name = "october-2026-medicare-part-b-payment-limit-files-09-16-2026-final-file.zip"
    page = (
        f"<html><a href='/files/zip/{name}'>October</a>"
        '<a href="/license/ama?file=/files/zip/october-2026-ndc-hcpcs-crosswalk-x.zip">x</a></html>'
    )
    cms.serves(PAGE, page.encode())
    cms.serves(FILES + name, limits(FOURTH))
    cms.serves(FILES + "october-2026-asp-ndc-hcpcs-crosswalk.zip", crosswalk())
    (outcome,) = fetch(["cms_asp"], today=TODAY, config=config).outcomes
    assert outcome.state == "accepted", outcome.message
    held = [file.file for file in Archive(config.archive).snapshots()[0].files]
    assert held == [
        "SIMULATED-october-2026-asp-ndc-hcpcs-crosswalk.zip",
        f"SIMULATED-{name}",
    ]
    assert not any("license" in path for path in cms.paths())
    warehouse.build(config)
    with warehouse.open_warehouse(config) as connection:
        assert connection.execute(
            "SELECT hcpcs, payment_limit_usd, quarter_start FROM asp_limits"
        ).fetchall() == [("J1100", 0.5, date(2026, 10, 1))]
        assert connection.execute(
            "SELECT ndc11, hcpcs, billing_units_per_package, has_multiple_hcpcs "
            "FROM asp_crosswalk ORDER BY ALL"
        ).fetchall() == [
            ("63323016501", "J1100", 100.0, True),
            ("63323016501", "J1101", 100.0, True),
        ]


def test_without_a_page_the_next_name_is_tried_until_one_is_there(
    cms: Any, config: Settings
) -> None:
    cms.serves(FILES + "october-2026-asp-pricing-final-file.zip", limits(FOURTH))
    (outcome,) = fetch(["cms_asp"], today=TODAY, config=config).outcomes
    assert outcome.state == "accepted", outcome.message
    tried = [path for path in cms.paths() if path.startswith(FILES)]
    assert tried[:2] == [
        f"{FILES}october-2026-medicare-part-b-payment-limit-files-final.zip",
        f"{FILES}october-2026-medicare-part-b-payment-limit-files.zip",
    ]


def test_a_quarter_that_is_out_before_its_time_is_taken(cms: Any, config: Settings) -> None:
    cms.today = date(2026, 12, 15)
    early = "january-2027-medicare-part-b-payment-limit-files.zip"
    cms.serves(FILES + early, limits("January 1, 2027 through March 31, 2027"))
    cms.serves(FILES + "october-2026-asp-pricing-final-file.zip", limits(FOURTH))
    (outcome,) = fetch(["cms_asp"], today=cms.today, config=config).outcomes
    assert outcome.state == "accepted", outcome.message
    assert [f.file for f in Archive(config.archive).snapshots()[0].files] == [f"SIMULATED-{early}"]


def test_no_file_under_any_name_is_said(cms: Any, config: Settings) -> None:
    (outcome,) = fetch(["cms_asp"], today=TODAY, config=config).outcomes
    assert outcome.state == "failed"
    assert "look for the new names" in outcome.message


def test_quarters_of_the_past_are_filled(cms: Any, config: Settings) -> None:
    cms.serves(
        FILES + "april-2026-medicare-part-b-payment-limit-files.zip",
        limits("April 1, 2026 through June 30, 2026"),
    )
    report = fetch(["cms_asp"], today=TODAY, history=True, config=config)
    assert [(o.state, o.as_of) for o in report.outcomes] == [("accepted", "2026-04-01")]


def test_of_establishments_the_contact_persons_are_not_kept(cms: Any, config: Settings) -> None:
    header = (
        " FEI_NUMBER\tDUNS_NUMBER\tFIRM_NAME\tADDRESS\tEXPIRATION_DATE\tOPERATIONS\t"
        "ESTABLISHMENT_CONTACT_NAME\tESTABLISHMENT_CONTACT_EMAIL\tAGENT_DETAILS\tREGISTRANT_NAME\t"
        "REGISTRANT_DUNS\tREGISTRANT_CONTACT_NAME\tREGISTRANT_CONTACT_EMAIL\tEXCLUSION_FLAG"
    )
    row = (
        "3001234567\t123456789\tDunmore Sterile, Inc\t1 Mill Rd, Dunmore, Ohio (OH) 43004, "
        "United States (USA)\t12/31/2026\tMANUFACTURE; PACK\tJo Doe\tjo@example.invalid\tAgent Doe"
        "\tDunmore\t123456789\tAl Roe\tal@example.invalid\tN\t"
    )
    text = f"{header}\r\n{row}\r\n"
    cms.serves(
        "www.accessdata.fda.gov/cder/drls_reg.zip",
        zipped(**{"drls_reg.txt": text, "drls_reg.xls": "x"}),
    )
    (outcome,) = fetch(["fda_establishments"], today=TODAY, config=config).outcomes
    assert outcome.state == "accepted", outcome.message
    (file,) = Archive(config.archive).snapshots()[0].files
    kept = gzip.decompress(Archive(config.archive).path(file).read_bytes()).decode()
    assert file.file == "SIMULATED-drls_reg.csv.gz"
    assert "example.invalid" not in kept
    assert "Doe" not in kept
    assert '"Dunmore Sterile, Inc"' in kept
    # Nothing of the zip is left anywhere.
    assert not list(config.home.rglob("drls_reg.zip*"))


def test_a_zip_that_is_none_is_said(cms: Any, config: Settings) -> None:
    cms.serves("www.accessdata.fda.gov/cder/drls_reg.zip", b"<html>down</html>")
    (outcome,) = fetch(["fda_establishments"], today=TODAY, config=config).outcomes
    assert outcome.state == "failed"
    assert "no whole zip" in outcome.message


CPE = "cpe.org.uk/funding-and-reimbursement/reimbursement/price-concessions/archive/"


def test_a_page_without_its_link_is_said(cms: Any, config: Settings) -> None:
    cms.serves(CPE, b"<html><a href='/other.xlsx'>x</a></html>")
    (outcome,) = fetch(["uk_price_concessions"], today=TODAY, config=config).outcomes
    assert outcome.state == "failed"
    assert "has no link such as" in outcome.message
