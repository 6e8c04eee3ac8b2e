"""The National Drug Code directory: every listed product and its packages.

The daily zip holds ``product.txt`` and ``package.txt``, separated by tabs, without quoting,
now and then with bytes that are no UTF-8. What a listing states of the product itself goes
into ``ndc_products`` and ``ndc_packages``; a product that is listed today is taken to have
been listed since the day its marketing started. What changes while it is listed (end of
marketing, exclusion, certification) is known from the snapshot that shows it, and goes into
``ndc_listings`` and ``ndc_package_ends``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from shortcast.features.sources._plain_tables import nullable, read_plain
from shortcast.features.sources.contract import Column, Reading, Source, SourceError, Table
from shortcast.features.sources.fetching import CAPTURES, Captures, Fetching, Newest, PlainFile
from shortcast.features.sources.tables import (
    parse_dates,
    read_zip,
    rejects,
    require,
    single_file,
)

#: A listing is entered for some years ahead; "3031" stands where no end was meant.
_YEARS_AHEAD = 30
#: Digits, a hyphen and digits or letters (devices carry letters), with one more part in packages.
_PRODUCT_NDC = r"\d{4,6}-\w{3,4}"
_PACKAGE_NDC = r"\d{4,6}-\w{3,4}-\w{1,2}"

PRODUCTS = Table(
    name="ndc_products",
    description="one listed product and what its listing states of it",
    columns=(
        Column("product_ndc", "VARCHAR", "labeler and product segments, hyphenated"),
        # The document behind a listing changes with every edit of its label.
        Column("product_id", "VARCHAR", "NDC and label document", volatile=True),
        Column("product_type", "VARCHAR", "HUMAN PRESCRIPTION DRUG, HUMAN OTC DRUG, VACCINE ..."),
        Column("proprietary_name", "VARCHAR", "trade name"),
        Column("proprietary_name_suffix", "VARCHAR", "suffix of the trade name"),
        Column("nonproprietary_name", "VARCHAR", "generic name, ', ' between ingredients"),
        Column("dosage_form", "VARCHAR", "dosage form"),
        Column("route", "VARCHAR", "routes of administration, ';' between them"),
        Column("start_marketing_date", "DATE", "day on which the labeler began to market it"),
        Column("marketing_category", "VARCHAR", "NDA, ANDA, BLA, UNAPPROVED DRUG OTHER ..."),
        Column("application_number", "VARCHAR", "application or monograph, with its prefix"),
        Column("labeler_name", "VARCHAR", "firm whose name stands on the label"),
        Column("substance_name", "VARCHAR", "active ingredients, ';' between them"),
        Column("active_strengths", "VARCHAR", "strengths in the order of the substances"),
        Column("active_units", "VARCHAR", "units in the order of the substances"),
        Column("pharm_classes", "VARCHAR", "established classes [EPC], mechanisms [MoA] ..."),
        Column("dea_schedule", "VARCHAR", "CI to CV for controlled substances"),
    ),
    key=("product_ndc",),
    is_list=True,
)
LISTINGS = Table(
    name="ndc_listings",
    description="the state of a product's listing",
    columns=(
        Column("product_ndc", "VARCHAR", "labeler and product segments, hyphenated"),
        Column("product_id", "VARCHAR", "NDC and label document", volatile=True),
        Column("end_marketing_date", "DATE", "day on which marketing ends, if announced"),
        Column("exclude_flag", "VARCHAR", "N, or a letter where the FDA excludes the listing"),
        Column("certified_through", "DATE", "day up to which the listing is certified"),
    ),
    key=("product_ndc",),
    is_list=True,
)
PACKAGES = Table(
    name="ndc_packages",
    description="one package of a listed product",
    columns=(
        Column("package_ndc", "VARCHAR", "labeler, product and package segments, hyphenated"),
        Column("product_ndc", "VARCHAR", "labeler and product segments, hyphenated"),
        Column("product_id", "VARCHAR", "NDC and label document", volatile=True),
        Column("description", "VARCHAR", "what the package holds"),
        Column("start_marketing_date", "DATE", "day on which the labeler began to market it"),
        Column("is_sample", "BOOLEAN", "a sample package"),
    ),
    key=("package_ndc",),
    is_list=True,
)
PACKAGE_ENDS = Table(
    name="ndc_package_ends",
    description="a package whose end of marketing is announced",
    columns=(
        Column("package_ndc", "VARCHAR", "labeler, product and package segments, hyphenated"),
        Column("product_ndc", "VARCHAR", "labeler and product segments, hyphenated"),
        Column("end_marketing_date", "DATE", "day on which marketing ends"),
    ),
    key=("package_ndc",),
    is_list=True,
)

_PRODUCT_COLUMNS = {
    "PRODUCTID": "product_id",
    "PRODUCTNDC": "product_ndc",
    "PRODUCTTYPENAME": "product_type",
    "PROPRIETARYNAME": "proprietary_name",
    "PROPRIETARYNAMESUFFIX": "proprietary_name_suffix",
    "NONPROPRIETARYNAME": "nonproprietary_name",
    "DOSAGEFORMNAME": "dosage_form",
    "ROUTENAME": "route",
    "STARTMARKETINGDATE": "start_marketing_date",
    "ENDMARKETINGDATE": "end_marketing_date",
    "MARKETINGCATEGORYNAME": "marketing_category",
    "APPLICATIONNUMBER": "application_number",
    "LABELERNAME": "labeler_name",
    "SUBSTANCENAME": "substance_name",
    "ACTIVE_NUMERATOR_STRENGTH": "active_strengths",
    "ACTIVE_INGRED_UNIT": "active_units",
    "PHARM_CLASSES": "pharm_classes",
    "DEASCHEDULE": "dea_schedule",
    "NDC_EXCLUDE_FLAG": "exclude_flag",
    "LISTING_RECORD_CERTIFIED_THROUGH": "certified_through",
}
_PACKAGE_COLUMNS = {
    "PRODUCTID": "product_id",
    "PRODUCTNDC": "product_ndc",
    "NDCPACKAGECODE": "package_ndc",
    "PACKAGEDESCRIPTION": "description",
    "STARTMARKETINGDATE": "start_marketing_date",
    "ENDMARKETINGDATE": "end_marketing_date",
    "SAMPLE_PACKAGE": "is_sample",
}


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one NDC directory zip.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's files, among them one zip.
    as_of : date
        The snapshot's date.

    Returns
    -------
    Reading
        ``ndc_products``, ``ndc_listings``, ``ndc_packages`` and ``ndc_package_ends``.

    Raises
    ------
    SourceError
        If the zip is damaged, or a table is missing, is no data or lacks a column.
    """
    path = single_file(files, ".zip", "the NDC directory")
    members = {name.lower(): raw for name, raw in read_zip(path).items()}
    products, bad_products = _table(path.name, members, "product.txt", _PRODUCT_COLUMNS)
    packages, bad_packages = _table(path.name, members, "package.txt", _PACKAGE_COLUMNS)
    products, bad_product_rows = _check(
        products, f"{path.name}/product.txt", "product_ndc", _PRODUCT_NDC, as_of
    )
    packages, bad_package_rows = _check(
        packages, f"{path.name}/package.txt", "package_ndc", _PACKAGE_NDC, as_of
    )
    packages["is_sample"] = packages["is_sample"].map({"Y": True, "N": False}).astype("boolean")
    ends = packages[packages["end_marketing_date"].notna()]
    return Reading(
        tables={
            PRODUCTS.name: _part(products, PRODUCTS, times=True),
            LISTINGS.name: _part(products, LISTINGS),
            PACKAGES.name: _part(packages, PACKAGES, times=True),
            PACKAGE_ENDS.name: _part(ends, PACKAGE_ENDS),
        },
        rejects=pd.concat(
            [bad_products, bad_product_rows, bad_packages, bad_package_rows], ignore_index=True
        ),
    )


def _table(
    bundle: str, members: Mapping[str, bytes], name: str, columns: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read one table of the zip under the project's column names."""
    raw = members.get(name)
    if raw is None:
        raise SourceError(
            f"{bundle} lacks {name} and holds {', '.join(sorted(members)) or 'nothing'}; fetch "
            "the NDC directory again."
        )
    frame, bad = read_plain(raw, f"{bundle}/{name}", delimiter="\t")
    require(frame.columns, list(columns), f"{bundle}/{name}")
    return frame.rename(columns=dict(columns)).assign(source_file=bundle), bad


def _check(
    frame: pd.DataFrame, file: str, ndc: str, pattern: str, as_of: date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Parse the dates and give the rows their times; reject rows without a proper NDC."""
    good = frame[ndc].str.fullmatch(pattern)
    found = [
        rejects(
            file,
            frame.loc[~good, "source_row"],
            ndc,
            frame.loc[~good, ndc],
            "is no hyphenated NDC",
        )
    ]
    frame = frame[good].reset_index(drop=True)
    ahead = date(as_of.year + _YEARS_AHEAD, 12, 31)
    # No date of these is essential to the row: what cannot be is emptied, and told.
    for column in ("start_marketing_date", "end_marketing_date", "certified_through"):
        if column not in frame:
            continue
        text = frame[column]
        days, bad = parse_dates(text, ["%Y%m%d"], latest=ahead)
        # 1 January 1900 stands where the day is not known.
        bad |= days == pd.Timestamp(1900, 1, 1)
        found.append(
            rejects(
                file,
                frame.loc[bad, "source_row"],
                column,
                text[bad],
                f"is no date between 1900 and {ahead.year}; it is left empty and the row kept",
            )
        )
        frame[column] = days.mask(bad)
    start = frame["start_marketing_date"]
    frame["event_date"] = start
    # Assumption: what is listed today has been listed since its marketing started.
    frame["published_at"] = start.mask(start > pd.Timestamp(as_of))
    return nullable(frame), pd.concat(found, ignore_index=True)


def _part(frame: pd.DataFrame, table: Table, *, times: bool = False) -> pd.DataFrame:
    """Return the columns of one table, with or without the times of the listing."""
    names = [column.name for column in table.columns]
    names += ["event_date", "published_at"] if times else []
    return frame[[*names, "source_file", "source_row"]].reset_index(drop=True)


SOURCE = Source(
    name="ndc_directory",
    title="National Drug Code Directory",
    publisher="US Food and Drug Administration",
    address="https://www.fda.gov/drugs/drug-approvals-and-databases/national-drug-code-directory",
    licence="public domain (work of the US government)",
    citation="US Food and Drug Administration. National Drug Code Directory.",
    cadence_days=1,
    files=("*.zip",),
    tables=(PRODUCTS, LISTINGS, PACKAGES, PACKAGE_ENDS),
    read=read,
    required={"product.txt": tuple(_PRODUCT_COLUMNS), "package.txt": tuple(_PACKAGE_COLUMNS)},
    caveats=(
        "Products that left the market vanish from it: one file read back has survivor bias.",
        "A labeler is not a manufacturer: repackagers and relabelers are labelers too.",
        "A listing counts as known since its marketing started, as the snapshot describes it.",
        "Firms enter their listings themselves, and the FDA does not check every entry.",
    ),
    fetching=Fetching(
        way=PlainFile("https://www.accessdata.fda.gov/cder/ndctext.zip", "ndctext.zip"),
        size=(8_000_000, 100_000_000),
        rows=100_000,
        fall=0.1,
        newest=Newest("ndc_products", "start_marketing_date", within_days=60),
        history=Captures(
            CAPTURES,
            of="www.accessdata.fda.gov/cder/ndctext.zip",
            file="ndctext.zip",
            monthly=True,
        ),
    ),
)
