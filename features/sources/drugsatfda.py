"""Drugs@FDA: applications, their products, and when they were approved.

The weekly zip of tab-separated tables came in two layouts. Until early 2017: ``Product.txt``,
``application.txt`` and ``RegActionDate.txt`` (in 2012 with bare carriage returns and quoted
fields, and sometimes kept without the last two). Since: ``Products.txt``,
``Applications.txt``, ``MarketingStatus.txt``, ``TE.txt`` and ``Submissions.txt``.

Approvals are dated by application: the earliest approval (status ``AP``, tentative ``TA`` left
out) of its original submission. That date is the product's own only for the first product of
the application; a strength added later by a supplement carries no date of its own, so it
counts as known from the snapshot that shows it. A zip without the table of actions (2012,
2017) tells products but no approvals: undated rows would replace dated ones as if the FDA had
taken the dates back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from shortcast.features.sources._plain_tables import nullable, read_plain
from shortcast.features.sources._product_tables import (
    APPLICATION_TYPES,
    APPROVALS,
    DATED_SINCE,
    split_form_and_route,
    split_remark,
)
from shortcast.features.sources.contract import Column, Reading, Source, SourceError, Table
from shortcast.features.sources.fetching import CAPTURES, Captures, Fetching, Newest, PlainFile
from shortcast.features.sources.tables import (
    join_texts,
    parse_dates,
    read_zip,
    rejects,
    require,
    single_file,
)

_STATUS = {"1": "prescription", "2": "otc", "3": "discontinued", "4": "none"}
# 2 stands for "to be determined".
_REFERENCE = {"0": False, "1": True, "2": None}
_KEY = ["application_no", "product_no"]
#: Tables of the layout in use, with the columns that the reader needs; the last two may be missing.
_TABLES = {
    "Products.txt": {
        "ApplNo": "application_no",
        "ProductNo": "product_no",
        "Form": "form",
        "Strength": "strength",
        "ReferenceDrug": "reference_code",
        "DrugName": "drug_name",
        "ActiveIngredient": "active_ingredient",
    },
    "Applications.txt": {
        "ApplNo": "application_no",
        "ApplType": "application_type",
        "SponsorName": "sponsor",
    },
    "MarketingStatus.txt": {
        "MarketingStatusID": "status_code",
        "ApplNo": "application_no",
        "ProductNo": "product_no",
    },
    "TE.txt": {
        "ApplNo": "application_no",
        "ProductNo": "product_no",
        "MarketingStatusID": "status_code",
        "TECode": "te_code",
    },
    "Submissions.txt": {
        "ApplNo": "application_no",
        "SubmissionType": "kind",
        "SubmissionStatus": "state",
        "SubmissionStatusDate": "day",
    },
}

PRODUCTS = Table(
    name="drugsatfda_products",
    description="one product of an application, as the snapshot describes it",
    columns=(
        Column("application_type", "VARCHAR", "NDA, ANDA or BLA; null where not told"),
        Column("application_no", "VARCHAR", "application number, six digits"),
        Column("product_no", "VARCHAR", "product within the application, three digits"),
        Column("drug_name", "VARCHAR", "trade name, or generic name where there is none"),
        Column("active_ingredient", "VARCHAR", "active ingredients, ';' between them"),
        Column("form", "VARCHAR", "dosage form and route, ';' between them"),
        Column("strength", "VARCHAR", "strength as the source writes it, without remarks"),
        Column("reference_drug", "BOOLEAN", "listed as a reference drug; null: undecided"),
        Column("marketing_status", "VARCHAR", "prescription, otc, discontinued or none"),
        Column("sponsor", "VARCHAR", "applicant that holds the application"),
        Column("te_code", "VARCHAR", "therapeutic equivalence codes, ', ' between them"),
    ),
    # A product that is sold with and without prescription has a row for each.
    key=("application_no", "product_no"),
    is_list=True,
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one Drugs@FDA zip of either layout.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's files, among them one zip.
    as_of : date
        The snapshot's date; approvals after it are rejected.

    Returns
    -------
    Reading
        ``drugsatfda_products``, and ``approvals`` if the zip dates them.

    Raises
    ------
    SourceError
        If the zip is damaged, lacks its product table, or a table lacks a column.
    """
    path = single_file(files, ".zip", "Drugs@FDA")
    members = {name.lower(): raw for name, raw in read_zip(path).items()}
    if "products.txt" in members:
        products, approved, bad = _read_current(path.name, members)
    elif "product.txt" in members:
        products, approved, bad = _read_old(path.name, members)
    else:
        raise SourceError(
            f"{path.name} holds neither Products.txt nor Product.txt but "
            f"{', '.join(sorted(members)) or 'nothing'}; fetch the Drugs@FDA data files again."
        )
    products, bad_keys = _check(products)
    dates, bad_dates = _approval_dates(approved, as_of)
    products["source_file"] = path.name
    tables = {
        PRODUCTS.name: products[
            [*(column.name for column in PRODUCTS.columns), "source_file", "source_row"]
        ]
    }
    if len(dates):
        tables[APPROVALS.name] = _approvals(products, dates)
    return Reading(tables, pd.concat([*bad, bad_keys, bad_dates], ignore_index=True))


def _member(
    bundle: str, members: Mapping[str, bytes], name: str, needed: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read one table of the zip and rename its needed columns, those of `_TABLES` by default."""
    needed = _TABLES[name] if needed is None else needed
    file = f"{bundle}/{name}"
    raw = members.get(name.lower())
    if raw is None:
        raise SourceError(
            f"{bundle} lacks {name}; a whole Drugs@FDA zip holds it, so fetch it again."
        )
    # Only the layout of 2012, with bare carriage returns, puts fields in quotes.
    frame, bad = read_plain(raw, file, delimiter="\t", quoted=b"\n" not in raw)
    require(frame.columns, list(needed), file)
    return frame.rename(columns=dict(needed)).assign(file=file), bad


def _read_old(
    bundle: str, members: Mapping[str, bytes]
) -> tuple[pd.DataFrame, pd.DataFrame, list[pd.DataFrame]]:
    """Read ``Product.txt``, and ``application.txt`` and ``RegActionDate.txt`` if there."""
    products, bad = _member(
        bundle,
        members,
        "Product.txt",
        {
            "ApplNo": "application_no",
            "ProductNo": "product_no",
            "Form": "form",
            "Dosage": "strength",
            "ProductMktStatus": "status_code",
            "TECode": "te_code",
            "ReferenceDrug": "reference_code",
            "drugname": "drug_name",
            "activeingred": "active_ingredient",
        },
    )
    quarantine = [bad]
    products["standard_code"] = ""
    products["sponsor"] = products["application_type"] = ""
    if "application.txt" in members:
        applications, bad = _member(
            bundle,
            members,
            "application.txt",
            {
                "ApplNo": "application_no",
                "ApplType": "application_type",
                "SponsorApplicant": "sponsor",
            },
        )
        quarantine.append(bad)
        products = _with_application(products, applications)
    approved = pd.DataFrame(columns=["application_no", "day", "file", "source_row"])
    if "regactiondate.txt" in members:
        actions, bad = _member(
            bundle,
            members,
            "RegActionDate.txt",
            {
                "ApplNo": "application_no",
                "ActionType": "action",
                "ActionDate": "day",
                "DocType": "document",
            },
        )
        quarantine.append(bad)
        # Document type N is the original approval; supplements have types of their own.
        approved = actions[(actions["document"] == "N") & (actions["action"] == "AP")]
    return products, approved, quarantine


def _read_current(
    bundle: str, members: Mapping[str, bytes]
) -> tuple[pd.DataFrame, pd.DataFrame, list[pd.DataFrame]]:
    """Read the layout in use since 2017; ``TE.txt`` and ``Submissions.txt`` if there."""
    products, bad = _member(bundle, members, "Products.txt")
    quarantine = [bad]
    products = products.rename(columns={"ReferenceStandard": "standard_code"})
    if "standard_code" not in products:
        products["standard_code"] = ""
    products["product_no"] = products["product_no"].str.zfill(3)

    applications, bad = _member(bundle, members, "Applications.txt")
    quarantine.append(bad)
    products = _with_application(products, applications)

    status, bad = _member(bundle, members, "MarketingStatus.txt")
    quarantine.append(bad)
    status["product_no"] = status["product_no"].str.zfill(3)
    orphan = ~pd.MultiIndex.from_frame(status[_KEY]).isin(pd.MultiIndex.from_frame(products[_KEY]))
    quarantine.append(
        rejects(
            f"{bundle}/MarketingStatus.txt",
            status.loc[orphan, "source_row"],
            "ApplNo",
            status.loc[orphan, "application_no"] + "/" + status.loc[orphan, "product_no"],
            "is a marketing status of a product that Products.txt does not hold",
        )
    )
    status = status.sort_values([*_KEY, "status_code"])
    products = products.merge(status[[*_KEY, "status_code"]], how="left", on=_KEY)

    products["te_code"] = ""
    if "te.txt" in members:
        codes, bad = _member(bundle, members, "TE.txt")
        quarantine.append(bad)
        codes["product_no"] = codes["product_no"].str.zfill(3)
        by = [*_KEY, "status_code"]
        joined = join_texts(codes[codes["te_code"] != ""], by, "te_code", ", ")
        products = products.drop(columns="te_code").merge(joined, how="left", on=by)

    approved = pd.DataFrame(columns=["application_no", "day", "file", "source_row"])
    if "submissions.txt" in members:
        submissions, bad = _member(bundle, members, "Submissions.txt")
        quarantine.append(bad)
        approved = submissions[(submissions["kind"] == "ORIG") & (submissions["state"] == "AP")]
    return products, approved, quarantine


def _with_application(products: pd.DataFrame, applications: pd.DataFrame) -> pd.DataFrame:
    """Add sponsor and type of the application; null where the table does not hold it."""
    applications = applications.drop_duplicates("application_no")
    return products.drop(columns=["sponsor", "application_type"], errors="ignore").merge(
        applications[["application_no", "application_type", "sponsor"]],
        how="left",
        on="application_no",
    )


def _check(products: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Type the coded columns; reject rows whose keys or codes show shifted fields."""
    file = str(products["file"].iloc[0])
    products = products.assign(
        product_no=products["product_no"].str.zfill(3),
        status_code=products["status_code"].fillna(""),
    )
    # A record with a field too many or too few shows in the coded columns.
    faults = (
        ("application_no", "ApplNo", r"\d{6}", "is no application number of six digits"),
        ("product_no", "ProductNo", r"\d{3}", "is no product number of three digits"),
        ("reference_code", "ReferenceDrug", r"[012]", "is none of 0, 1, 2: fields are shifted"),
        ("standard_code", "ReferenceStandard", r"[012]?", "is none of 0, 1, 2: fields are shifted"),
        ("status_code", "marketing status", r"[1-4]?", "is no known marketing status"),
    )
    good = pd.Series(True, index=products.index)
    found = []
    for column, name, pattern, reason in faults:
        wrong = good & ~products[column].str.fullmatch(pattern)
        good &= ~wrong
        rows = products[wrong]
        found.append(rejects(file, rows["source_row"], name, rows[column], reason))
    products = products[good].reset_index(drop=True)
    products = products.assign(
        marketing_status=products["status_code"].map(_STATUS),
        reference_drug=products["reference_code"].map(_REFERENCE).astype("boolean"),
        application_type=products["application_type"].map(APPLICATION_TYPES),
        strength=split_remark(products["strength"])[0],
        # Before 2016 a blank stands after the semicolon.
        form=products["form"].str.replace("; ", ";", regex=False),
        # Since 2016 the files double the quotes in names without quoting the field.
        drug_name=products["drug_name"].str.replace('""', '"', regex=False),
    )
    return nullable(products), pd.concat(found, ignore_index=True)


def _approval_dates(approved: pd.DataFrame, as_of: date) -> tuple[pd.Series, pd.DataFrame]:
    """Return the earliest approval of each application, and the dates that are none."""
    days, bad = parse_dates(approved["day"].str[:10], ["%Y-%m-%d"], latest=as_of)
    # 1900-01-01 is what the tables hold where the day is not known.
    bad |= days == pd.Timestamp(1900, 1, 1)
    wrong = rejects(
        "".join(approved["file"].iloc[:1]),
        approved.loc[bad, "source_row"],
        "approval date",
        approved.loc[bad, "day"],
        f"is no date between 1900 and {as_of}, so the approval stays undated",
    )
    return days.mask(bad).groupby(approved["application_no"]).min().dropna(), wrong


def _approvals(products: pd.DataFrame, dates: pd.Series) -> pd.DataFrame:
    """Return one row a product with the date of its approval, as far as it is known."""
    products = products.drop_duplicates(_KEY)
    form, route = split_form_and_route(products["form"])
    first_product = products.groupby("application_no")["product_no"].transform("min")
    day = dates.reindex(products["application_no"]).set_axis(products.index)
    day = day.where(products["product_no"] == first_product)
    return pd.DataFrame(
        {
            "application_type": products["application_type"],
            "application_no": products["application_no"],
            "product_no": products["product_no"],
            "ingredient": products["active_ingredient"],
            "dosage_form": form,
            "route": route,
            "strength": products["strength"],
            "approval_date": day,
            "approved_before_1982": (day < pd.Timestamp(DATED_SINCE))
            .astype("boolean")
            .where(day.notna()),
            "event_date": day,
            # The FDA adds an approval to Drugs@FDA on the day or the day after.
            "published_at": day,
            "source_file": products["source_file"],
            "source_row": products["source_row"],
        }
    ).reset_index(drop=True)


SOURCE = Source(
    name="drugsatfda",
    title="Drugs@FDA data files",
    publisher="US Food and Drug Administration",
    address="https://www.fda.gov/drugs/drug-approvals-and-databases/drugsfda-data-files",
    licence="public domain (work of the US government)",
    citation="US Food and Drug Administration. Drugs@FDA Data Files.",
    cadence_days=7,
    files=("*.zip",),
    tables=(PRODUCTS, APPROVALS),
    read=read,
    required={name: tuple(columns) for name, columns in _TABLES.items()},
    caveats=(
        "Approvals are dated by application; a strength that was added later has no date here.",
        "A fifth of the products, mostly old, belong to applications without an approval date.",
        "The zips of 2012 and September 2017 in the public record hold no approval dates.",
        "The sponsor is today's holder of the application, not the one at approval.",
    ),
    fetching=Fetching(
        way=PlainFile("https://www.fda.gov/media/89850/download?attachment", "drugsatfda.zip"),
        size=(2_500_000, 60_000_000),
        rows=35_000,
        fall=0.05,
        newest=Newest("approvals", "approval_date", within_days=90),
        history=Captures(
            CAPTURES,
            of="www.fda.gov/media/89850/download",
            file="drugsatfda.zip",
            monthly=True,
        ),
    ),
)
