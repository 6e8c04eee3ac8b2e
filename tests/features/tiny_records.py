"""A tiny tree of public records in the official formats, with invented drugs and firms.

`TREE` holds one snapshot or more of every source, as ``SOURCE/AS_OF/FILE`` and bytes;
`write_tree` lays it out. The functions above it write a file of one format from few values.

The market: velmoril injection (Velmora, Ostrava), ostrunide tablets (Ostrava), talverine eye
drops (Kestrel alone) and corvanate injection (Dunmore alone). Velmoril was short from May 2018
and left the list of April 2020; ostrunide was short in 2018 and is resolved; talverine is to be
discontinued; corvanate is short since February 2020.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pandas as pd

VELMORIL = "velmoril--injection"
OSTRUNIDE = "ostrunide--oral-solid"
TALVERINE = "talverine--ophthalmic"
CORVANATE = "corvanate--injection"

#: The days of the captures of the shortage list.
CAPTURES = ("2019-12-23", "2020-04-02", "2020-09-14")


def delimited(
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    delimiter: str = ",",
    encoding: str = "utf-8",
    end: str = "\n",
) -> bytes:
    """A table as delimited text."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows([header, *rows])
    return out.getvalue().encode(encoding)


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip of these members; the same bytes whenever it is made."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        for name, raw in members.items():
            bundle.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), raw)
    return out.getvalue()


def gzipped(raw: bytes) -> bytes:
    return gzip.compress(raw, mtime=0)


# --- The FDA's shortage list ---------------------------------------------------------------------

_LIST_HEADER = (
    "Generic Name",
    "Company Name",
    "\u00a0Contact Info",
    "\u00a0Presentation",
    "\u00a0Type of Update",
    "Date of Update",
    "\u00a0Availability Information",
    "\u00a0Related Information",
    "\u00a0Resolved Note",
    "\u00a0Reason for Shortage",
    "\u00a0Therapeutic Category",
    "\u00a0Status",
    "\u00a0Change Date",
    "\u00a0Date Discontinued",
    "\u00a0Initial Posting Date",
)


def listing(
    generic_name: str,
    company: str,
    *,
    status: str = "Current",
    posted: str,
    updated: str,
    changed: str = "",
    presentation: str = "10 mg/mL vial (NDC 99901-001-01)",
    kind: str = "Reverified",
    note: str = "",
) -> tuple[str, ...]:
    """One row of the shortage list; dates as M/D/YYYY."""
    return (
        *(generic_name, company, "555-0100", presentation, kind, updated),
        *("Limited Availability" if status == "Current" else "", note, "", "Demand increase"),
        *("Anesthesia", status, changed, "", posted),
    )


def shortage_list(*rows: Sequence[str], encoding: str = "cp1252") -> bytes:
    """An export of the list, as the website makes it: odd spaces, blank lines before."""
    return b"\r\n\r\n" + delimited(_LIST_HEADER, rows, encoding=encoding, end="\r\n")


_VELMORIL = listing("Velmoril Injection", "Velmora Labs", posted="5/1/2018", updated="11/4/2019")
_OSTRUNIDE = listing(
    "Ostrunide Tablets",
    "Ostrava Pharmaceuticals",
    status="Resolved",
    posted="1/10/2018",
    updated="9/20/2018",
    changed="9/20/2018",
    presentation="5 mg tablets, bottle of 100 (NDC 99902-020-01)",
    note="µ-tablets – “as before”",
)
_TALVERINE = listing(
    "Talverine Ophthalmic Solution",
    "Kestrel Bio, Inc.",
    status="To Be Discontinued",
    posted="6/1/2019",
    updated="6/1/2019",
    changed="6/1/2019",
    kind="New",
    presentation="0.5% dropper bottle (NDC 99903-030-01)",
)
_UNKNOWN = listing(
    "Quorbital", "Ostrava Pharmaceuticals", posted="3/3/2017", updated="3/3/2019", presentation="1"
)
_CORVANATE = listing(
    "Corvanate Sodium Injection",
    "Dunmore Sterile Products",
    posted="2/15/2020",
    updated="2/15/2020",
    kind="New",
    presentation="50 mg vial (NDC 99904-040-01)",
)
#: What each capture of the list shows.
LISTED = {
    CAPTURES[0]: (_VELMORIL, _OSTRUNIDE, _TALVERINE, _UNKNOWN),
    CAPTURES[1]: (_OSTRUNIDE, _TALVERINE, _UNKNOWN, _CORVANATE),
    CAPTURES[2]: (_OSTRUNIDE, _TALVERINE, _UNKNOWN, _CORVANATE),
}


def openfda_shortage(generic_name: str, company: str, **fields: Any) -> dict[str, Any]:
    return {
        "generic_name": generic_name,
        "company_name": company,
        "presentation": f"{generic_name}, 50 mg/1 mL (NDC 99904-040-01)",
        "package_ndc": "99904-040-01",
        "update_type": "New",
        "status": "Current",
        "availability": "Unavailable",
        "update_date": "08/10/2020",
        "initial_posting_date": "08/10/2020",
        "openfda": {},
        **fields,
    }


def openfda(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Records as openFDA wraps them."""
    meta = {"results": {"skip": 0, "limit": len(records), "total": len(records)}}
    return json.dumps({"meta": meta, "results": list(records)}).encode()


# --- Recalls -------------------------------------------------------------------------------------


def recall(
    number: int, firm: str, description: str, *, reported: str = "20200610", **more: Any
) -> dict[str, Any]:
    return {
        "recall_number": f"D-{number:04}-2020",
        "event_id": f"{80000 + number}",
        "recalling_firm": firm,
        "classification": "Class II",
        "product_type": "Drugs",
        "product_description": description,
        "code_info": "Lot 1",
        "reason_for_recall": "Lack of Assurance of Sterility",
        "recall_initiation_date": "20200505",
        "center_classification_date": "20200601",
        "report_date": reported,
        "status": "Ongoing",
        "openfda": {},
        **more,
    }


def enforcement(*records: Mapping[str, Any]) -> bytes:
    return zipped({"drug-enforcement-0001-of-0001.json": openfda(records)})


_DASHBOARD_HEADER = (
    "FEI Number",
    "Recalling Firm Name",
    "Product Type",
    "Product Classification",
    "Status",
    "Distribution Pattern",
    "Recalling Firm City",
    "Recalling Firm State",
    "Recalling Firm Country",
    "Center Classification Date",
    "Reason for Recall",
    "Product Description",
    "Event ID",
    "Event Classification",
    "Product ID",
    "Center",
    "Recall Details",
)
_XML = "http://schemas.openxmlformats.org"
_BOOK = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_XML}/package/2006/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_XML}/package/2006/relationships"><Relationship Id="r1" '
        f'Target="xl/workbook.xml" Type="{_XML}/officeDocument/2006/relationships/officeDocument"/>'
        "</Relationships>"
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_XML}/spreadsheetml/2006/main" '
        f'xmlns:r="{_XML}/officeDocument/2006/relationships">'
        '<sheets><sheet name="Sheet1" sheetId="1" r:id="r1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_XML}/package/2006/relationships"><Relationship Id="r1" '
        f'Target="worksheets/sheet1.xml" '
        f'Type="{_XML}/officeDocument/2006/relationships/worksheet"/></Relationships>'
    ),
}


def spreadsheet(rows: Iterable[Sequence[str]]) -> bytes:
    """The smallest xlsx file that holds these cells as text."""
    lines = "".join(
        f'<row r="{number}">'
        + "".join(
            f'<c r="{chr(ord("A") + column)}{number}" t="inlineStr"><is>'
            f'<t xml:space="preserve">{escape(value)}</t></is></c>'
            for column, value in enumerate(row)
        )
        + "</row>"
        for number, row in enumerate(rows, start=1)
    )
    sheet = (
        f'<worksheet xmlns="{_XML}/spreadsheetml/2006/main"><sheetData>{lines}</sheetData>'
        "</worksheet>"
    )
    parts = {**_BOOK, "xl/worksheets/sheet1.xml": sheet}
    return zipped({name: text.encode() for name, text in parts.items()})


# --- Products ------------------------------------------------------------------------------------

_PRODUCT_HEADER = (
    "PRODUCTID\tPRODUCTNDC\tPRODUCTTYPENAME\tPROPRIETARYNAME\tPROPRIETARYNAMESUFFIX\t"
    "NONPROPRIETARYNAME\tDOSAGEFORMNAME\tROUTENAME\tSTARTMARKETINGDATE\tENDMARKETINGDATE\t"
    "MARKETINGCATEGORYNAME\tAPPLICATIONNUMBER\tLABELERNAME\tSUBSTANCENAME\t"
    "ACTIVE_NUMERATOR_STRENGTH\tACTIVE_INGRED_UNIT\tPHARM_CLASSES\tDEASCHEDULE\t"
    "NDC_EXCLUDE_FLAG\tLISTING_RECORD_CERTIFIED_THROUGH"
)
_PACKAGE_HEADER = (
    "PRODUCTID\tPRODUCTNDC\tNDCPACKAGECODE\tPACKAGEDESCRIPTION\tSTARTMARKETINGDATE\t"
    "ENDMARKETINGDATE\tNDC_EXCLUDE_FLAG\tSAMPLE_PACKAGE"
)


def ndc_product(
    ndc: str,
    name: str,
    form: str,
    route: str,
    labeler: str,
    application: str,
    *,
    kind: str = "HUMAN PRESCRIPTION DRUG",
    category: str = "ANDA",
    started: str = "20120601",
) -> str:
    return "\t".join(
        [
            *(f"{ndc}_aaaa-bbbb", ndc, kind, name.title(), "", name.lower(), form, route, started),
            *("", category, application, labeler, name.upper(), "10", "mg/mL"),
            *(f"{name.title()}an [EPC]", "", "N", "20201231"),
        ]
    )


def ndc_directory(*products: str) -> bytes:
    """The directory's zip: these products, with one package each."""
    packages = [
        "\t".join([p.split("\t")[0], ndc, f"{ndc}-01", "1 VIAL", "20120601", "", "N", "N"])
        for p in products
        for ndc in [p.split("\t")[1]]
    ]
    return zipped(
        {
            "product.txt": "\r\n".join([_PRODUCT_HEADER, *products, ""]).encode("cp1252"),
            "package.txt": "\r\n".join([_PACKAGE_HEADER, *packages, ""]).encode("cp1252"),
        }
    )


NDCS = (
    ndc_product(
        *("99901-001", "velmoril", "INJECTION, SOLUTION", "INTRAVENOUS"),
        *("Velmora Labs, Inc.", "ANDA900101"),
    ),
    ndc_product(
        *("99902-001", "velmoril", "INJECTION, SOLUTION", "INTRAVENOUS"),
        *("Ostrava Pharmaceuticals LLC", "NDA000102"),
        category="NDA",
    ),
    ndc_product(
        *("99902-020", "ostrunide", "TABLET", "ORAL"),
        *("Ostrava Pharmaceuticals LLC", "ANDA900201"),
    ),
    ndc_product(
        *("99903-030", "talverine", "SOLUTION/ DROPS", "OPHTHALMIC"),
        *("Kestrel Bio, Inc.", "NDA000301"),
        category="NDA",
    ),
    ndc_product(
        *("99904-040", "corvanate sodium", "INJECTION, POWDER, LYOPHILIZED, FOR SOLUTION"),
        *("INTRAVENOUS", "Dunmore Sterile Products", "ANDA900401"),
    ),
    # Out of the universe: an allergen extract, and a drug sold without prescription.
    ndc_product(
        *("99905-050", "moor oak pollen", "INJECTION, SOLUTION", "SUBCUTANEOUS"),
        *("Kestrel Bio, Inc.", "BLA100001"),
        kind="STANDARDIZED ALLERGENIC",
        category="BLA",
    ),
    ndc_product(
        *("99905-060", "lumixil", "CREAM", "TOPICAL", "Kestrel Bio, Inc.", "part348"),
        kind="HUMAN OTC DRUG",
        category="OTC MONOGRAPH FINAL",
    ),
)


def openfda_product(ndc: str, name: str, **fields: Any) -> dict[str, Any]:
    """A product of openFDA's NDC directory, with one package."""
    return {
        "product_ndc": ndc,
        "product_id": f"{ndc}_aaaa-bbbb",
        "spl_id": "aaaa-bbbb",
        "product_type": "HUMAN PRESCRIPTION DRUG",
        "finished": True,
        "brand_name": name.title(),
        "generic_name": name.title(),
        "dosage_form": "TABLET",
        "route": ["ORAL"],
        "marketing_start_date": "20120601",
        "marketing_category": "ANDA",
        "application_number": "ANDA900201",
        "labeler_name": "Ostrava Pharmaceuticals LLC",
        "active_ingredients": [{"name": name.upper(), "strength": "5 mg/1"}],
        "packaging": [
            {
                "package_ndc": f"{ndc}-01",
                "description": "100 TABLET in 1 BOTTLE",
                "marketing_start_date": "20120601",
                "sample": False,
            }
        ],
        "openfda": {"rxcui": ["99000001"]},
        **fields,
    }


#: Application type and number, product, ingredient, form, route, holder, approved, trade name.
APPLICATIONS = (
    ("A", "900101", "VELMORIL", "INJECTABLE", "INJECTION", "VELMORA LABS", "2012-05-20"),
    ("N", "000102", "VELMORIL", "INJECTABLE", "INJECTION", "OSTRAVA PHARMACEUTICALS", "1995-03-01"),
    ("A", "900201", "OSTRUNIDE", "TABLET", "ORAL", "OSTRAVA PHARMACEUTICALS", "2014-10-07"),
    ("N", "000301", "TALVERINE", "SOLUTION/DROPS", "OPHTHALMIC", "KESTREL BIO", "2001-01-31"),
    ("A", "900401", "CORVANATE SODIUM", "INJECTABLE", "INJECTION", "DUNMORE STERILE", "2016-02-29"),
)


def drugs_at_fda(discontinued: Sequence[str] = ()) -> bytes:
    """The zip of Drugs@FDA in its current layout."""

    def table(header: str, rows: Iterable[Sequence[str]]) -> bytes:
        return "\r\n".join([header, *map("\t".join, rows), ""]).encode("cp1252")

    products = [
        (number, "001", f"{form};{route}", "10MG", "0", name.title(), name, "0")
        for _, number, name, form, route, _, _ in APPLICATIONS
    ]
    return zipped(
        {
            "Products.txt": table(
                "ApplNo\tProductNo\tForm\tStrength\tReferenceDrug\tDrugName\tActiveIngredient\t"
                "ReferenceStandard",
                products,
            ),
            "Applications.txt": table(
                "ApplNo\tApplType\tApplPublicNotes\tSponsorName",
                [(no, {"A": "ANDA", "N": "NDA"}[k], "", h) for k, no, *_, h, _ in APPLICATIONS],
            ),
            "MarketingStatus.txt": table(
                "MarketingStatusID\tApplNo\tProductNo",
                [("3" if p[0] in discontinued else "1", p[0], p[1]) for p in products],
            ),
            "TE.txt": table(
                "ApplNo\tProductNo\tMarketingStatusID\tTECode", [(*products[0][:2], "1", "AP")]
            ),
            "Submissions.txt": table(
                "ApplNo\tSubmissionClassCodeID\tSubmissionType\tSubmissionNo\tSubmissionStatus\t"
                "SubmissionStatusDate\tSubmissionsPublicNotes\tReviewPriority",
                [
                    (no, "", "ORIG", "1", "AP", f"{approved} 00:00:00", "", "")
                    for _, no, *_, approved in APPLICATIONS
                ],
            ),
        }
    )


def orange_book(discontinued: Sequence[str] = (), more: Sequence[str] = ()) -> bytes:
    """The zip of the Orange Book; further lines as they stand in its product table."""
    header = (
        "Ingredient~DF;Route~Trade_Name~Applicant~Strength~Appl_Type~Appl_No~Product_No~TE_Code~"
        "Approval_Date~RLD~RS~Type~Applicant_Full_Name"
    )
    lines = [
        "~".join(
            [
                *(name, f"{form};{route}", name, holder[:20], "10MG", kind, number, "001", ""),
                f"{date.fromisoformat(approved):%b %d, %Y}".replace(" 0", " "),
                *("No", "No", "DISCN" if number in discontinued else "RX", holder),
            ]
        )
        for kind, number, name, form, route, holder, approved in APPLICATIONS
    ]
    return zipped({"products.txt": "\r\n".join([header, *lines, *more, ""]).encode("cp1252")})


# --- What the FDA found at firms -----------------------------------------------------------------

INSPECTION_HEADER = (
    "FEI Number",
    "Legal Name",
    "City",
    "State",
    "Inspection ID",
    "Inspection End Date",
    "Classification",
    "Project Area",
    "Product Type",
)


def inspection(number: int, firm: str, ended: str, result: str) -> tuple[str, ...]:
    return (
        *("3000000001", firm, "Fenwick", "Ohio", str(number), ended, result),
        *("Drug Quality Assurance", "Drugs"),
    )


def inspections(*rows: Sequence[str]) -> bytes:
    return gzipped(delimited(INSPECTION_HEADER, rows))


# --- The tree ------------------------------------------------------------------------------------

_CANADA_HEADER = (
    *("Report ID", "Drug Identification Number", "Report Type", "Brand name", "Company Name"),
    *("Common or Proper name", "Ingredients", "Strength(s)", "Packaging size"),
    *("Route of administration", "Shortage status", "Dosage form(s)", "Anticipated start date"),
    *("Actual start date", "Estimated end date", "Actual end date", "Reason", "Date Created"),
    *("Date Updated", "Tier 3"),
)
_ASP = (
    b"Payment Allowance Limits,,,,\r\n"
    b'"Effective October 1, 2020 through December 31, 2020",,,,\r\n'
    b"HCPCS Code,Short Description,HCPCS Code Dosage,Payment Limit,Notes\r\n"
    b"J9901,Inj velmoril,5 MG,2.5,\r\n"
)
_PART_B_HEADER = (
    "hcpcs_code,hcpcs_description,year,claim_count,total_spending,beneficiary_count,"
    "total_annual_spending_per_user,unit_count,average_cost_per_unit,"
    "average_beneficiary_cost_share,annual_change_in_average_cost_per_unit"
)


def _part_d() -> bytes:
    rows = pd.DataFrame(
        {
            "Product_Name": ["Ostrun"],
            "Generic_Name": ["Ostrunide"],
            "Manufacturer": ["Ostrava Pharma"],
            "Total_Spending": [1745.72],
            "Total_Dosage_Units": [866.5],
            "Total_Claims": [17.0],
            "Total_Beneficiaries": [12.0],
            "Calc_Average_Spending_Per_Dosage_Unit": [2.0158],
            "Calc_Average_Spending_Per_Claim": [102.69],
            "Calc_Average_Spending_Per_Beneficiary": [145.4],
            "Outlier_Flag": [0.0],
            "YEAR": [2018],
            "Brand_vs_Generic": ["GENERIC"],
            "SPECIALTY_DRUG": [False],
        }
    )
    out = io.BytesIO()
    rows.to_parquet(out)
    return out.getvalue()


#: Every file by ``SOURCE/AS_OF/FILE``.
TREE: dict[str, bytes] = {
    **{
        f"fda_shortages/{day}/Drugshortages.csv": shortage_list(*rows)
        for day, rows in LISTED.items()
    },
    "fda_shortages_html/2019-12-31/history.csv": delimited(
        ("Generic Name", "Status", "First Seen", "Last Seen"),
        [
            ("Velmoril Injection", "Current", "2015-02-01", "2016-03-01"),
            ("Talverine Ophthalmic Solution", "To Be Discontinued", "2016-03-01", "2017-01-01"),
        ],
    ),
    "openfda_shortages/2020-10-01/drug-shortages.json": openfda(
        [openfda_shortage("Corvanate Sodium Injection", "Dunmore Sterile Products")]
    ),
    "openfda_enforcement/2020-06-30/drug-enforcement-0001-of-0001.json.zip": enforcement(
        recall(1, "Velmora Labs, Inc.", "Velmoril Injection, 10 mg/mL, NDC 99901-001-01, Rx only"),
        recall(
            2,
            "Ostrava Pharmaceuticals LLC",
            "Tablets, 5 mg, NDC 99902-020-01, Rx only",
            openfda={"product_ndc": ["99902-020"]},
            reason_for_recall="Failed dissolution specifications",
        ),
        recall(3, "Dunmore Sterile Products", "All sterile products within expiry, Rx only"),
    ),
    "fda_dashboard_recalls/2020-06-30/drug_recall.xlsx": spreadsheet(
        [
            _DASHBOARD_HEADER,
            (
                *("3000000001", "Velmora Labs, Inc.", "Drugs", "Class II", "Ongoing", "", "", ""),
                *("", "2020-06-01", "Lack of Assurance of Sterility", "Velmoril Injection"),
                *("80001", "Class II", "90001", "", ""),
            ),
        ]
    ),
    "fda_inspections/2020-06-30/inspections.csv.gz": inspections(
        inspection(11, "Velmora Labs, Inc.", "2018-02-05", "OAI"),
        inspection(12, "Kestrel Bio, Inc.", "2019-07-01", "NAI"),
        inspection(13, "Brindle Devices", "2019-08-01", "VAI"),
    ),
    "fda_compliance_actions/2020-06-30/compliance_actions.csv": delimited(
        (
            *("FEI Number", "Legal Name", "State", "Country/Area", "Product Type"),
            *("Action Taken Date", "Action Type", "Case/Injunction ID"),
        ),
        [
            (
                *("3000000001", "Velmora Labs, Inc.", "Ohio", "United States", "Drugs"),
                *("2018-06-30", "Warning Letter", "600001"),
            )
        ],
    ),
    "fda_warning_letters/2020-06-30/warning_letters.csv": delimited(
        ("url", "posted_date", "letter_date", "company", "issuing_office", "subject"),
        [
            (
                *("/letters/velmora-labs-inc-600001-06302018", "07/10/2018", "06/30/2018"),
                *("Velmora Labs, Inc.", "CDER", "CGMP/Finished Pharmaceuticals"),
            )
        ],
    ),
    "fda_published_483s/2020-06-30/fda_483s.csv": delimited(
        (
            *("Record Date", "FEI Number", "Legal Name", "Record Type", "Date Posted"),
            *("Download", "Record ID"),
        ),
        [
            (
                *("2018-02-05", "3000000001", "Velmora Labs, Inc.", "483", "2020-03-08"),
                *("https://x.example/1", "1"),
            )
        ],
    ),
    "fda_establishments/2020-06-30/drls_reg.csv.gz": gzipped(
        delimited(
            (
                *("FEI_NUMBER", "DUNS_NUMBER", "FIRM_NAME", "ADDRESS", "EXPIRATION_DATE"),
                *("OPERATIONS", "REGISTRANT_NAME", "REGISTRANT_DUNS", "EXCLUSION_FLAG"),
            ),
            [
                (
                    *("3000000001", "000000017", "Velmora Labs, Inc."),
                    "1 Mill Rd, Fenwick, Ohio (OH) 45000, United States (USA)",
                    *("12/31/2020", "MANUFACTURE", "Velmora Labs, Inc.", "000000017", "N"),
                )
            ],
        )
    ),
    "fda_citations/2020-06-30/citations.csv": delimited(
        (
            *("InspectionID", "FEINumber", "LegalName", "InspectionEndDate", "ProgramArea"),
            *("CitationID", "ActCFRNumber", "ShortDescription", "LongDescription"),
        ),
        [
            (
                *("11", "3000000001", "Velmora Labs, Inc.", "2018-02-05", "Drugs", "1001"),
                *("21 CFR 211.192", "Inquiries into failures", "Failures were not looked into."),
            )
        ],
    ),
    "fda_import_refusals/2020-06-30/import_refusals.csv": delimited(
        (
            *("FEINumber", "FirmName", "CountryName", "IndustryCodeDescription"),
            *("ProductCategory", "ProductCode", "ProductCodeDescription", "RefusalDate"),
            *("ShipmentID", "FDASampleAnalysis", "PrivateLabAnalysis", "RefusalCharges"),
        ),
        [
            (
                *("3000000002", "Ostrava Pharmaceuticals LLC", "Belgium", "Human Drugs"),
                *("Drugs and Biologics", "66ZZZ01", "OSTRUNIDE", "2019-11-20", "7000001"),
                *("No ", "No ", "75,118"),
            )
        ],
    ),
    "ndc_directory/2019-04-29/ndctext.zip": ndc_directory(*NDCS),
    "openfda_ndc/2020-06-30/drug-ndc-0001-of-0001.json.zip": zipped(
        {"drug-ndc-0001-of-0001.json": openfda([openfda_product("99902-020", "ostrunide")])}
    ),
    "drugsatfda/2018-04-09/drugsatfda.zip": drugs_at_fda(),
    "orange_book/2019-07-31/EOBZIP.zip": orange_book(),
    "orange_book/2020-07-31/EOBZIP.zip": orange_book(discontinued=["000301"]),
    "nadac/2020-12-31/nadac.csv.gz": gzipped(
        delimited(
            ("NDC", "NADAC_Per_Unit", "Effective_Date", "As of Date"),
            [
                ("99902002001", "1.25", "03/18/2020", "04/01/2020"),
                ("99902002001", "1.50", "09/16/2020", "10/07/2020"),
                ("99999999999", "9.99", "06/17/2020", "07/01/2020"),
            ],
        )
    ),
    "cms_asp/2020-10-01/asp_pricing.csv": _ASP,
    "partb_spending/2017-01-31/part_b_spending.csv": (
        f'{_PART_B_HEADER}\nJ9901,"Injection, velmoril, 5 mg",2015,955,263564.03,304,866.98,'
        "2307.5,114.25,177.3,-0.05\n"
    ).encode(),
    "partd_spending/2020-06-30/partd.parquet": _part_d(),
    "canada_shortages/2020-06-30/shortage_report.csv": delimited(
        _CANADA_HEADER,
        [
            (
                *("101", "00099901", "Shortage", "VELMOR", "OSTRAVA INC", "Velmoril", "VELMORIL"),
                *("5MG/ML", "10ML", "INTRAVENOUS", "Actual shortage", "SOLUTION", "2020-01-10"),
                *("2020-01-10", "2020-09-01", "", "Demand increase for the drug.", "2020-01-12"),
                *("2020-03-02", "No"),
            ),
            (
                *("102", "00099902", "Shortage", "NIBLOR", "OSTRAVA INC", "Niblorate", "NIBLORATE"),
                *("5MG", "100", "ORAL", "Actual shortage", "TABLET", "2020-01-10", "2020-01-10"),
                *("2020-09-01", "", "Demand increase for the drug.", "2020-01-12", "2020-03-02"),
                "No",
            ),
        ],
    ),
    "uk_price_concessions/2020-11-30/drug_concessions.csv": delimited(
        ("month", "drug", "concession_price"),
        [("2020-02", "Ostrunide 5mg tablets", "3.99"), ("2020-11", "Ostrunide 5mg tablets", "4.5")],
    ),
}


def write_tree(folder: Path, files: Mapping[str, bytes] = TREE) -> Path:
    """Lay files out under a folder by their ``SOURCE/AS_OF/FILE``; return the folder."""
    for name, raw in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    return folder
