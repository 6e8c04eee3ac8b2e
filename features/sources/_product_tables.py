"""The table of approvals, which Drugs@FDA and the Orange Book both feed."""

from __future__ import annotations

from datetime import date

import pandas as pd

from shortcast.features.sources.contract import Column, Table

#: Letters of the Orange Book and of the older Drugs@FDA, and the names that replaced them.
APPLICATION_TYPES = {
    "N": "NDA",
    "A": "ANDA",
    "B": "BLA",
    "NDA": "NDA",
    "ANDA": "ANDA",
    "BLA": "BLA",
}
#: The Orange Book gives no date for what was approved earlier.
DATED_SINCE = date(1982, 1, 1)

APPROVALS = Table(
    name="approvals",
    description="one approved product of an application, with what its approval fixed",
    columns=(
        Column("application_type", "VARCHAR", "NDA, ANDA or BLA; null where not told"),
        Column("application_no", "VARCHAR", "application number, six digits"),
        Column("product_no", "VARCHAR", "product within the application, three digits"),
        Column("ingredient", "VARCHAR", "active ingredients with salts, ';' between them"),
        Column("dosage_form", "VARCHAR", "dosage form as the source writes it"),
        Column("route", "VARCHAR", "routes of administration, ',' between them"),
        Column("strength", "VARCHAR", "strength as the source writes it, without remarks"),
        Column("approval_date", "DATE", "day the product was approved; null where not told"),
        Column("approved_before_1982", "BOOLEAN", "approved before 1 January 1982"),
    ),
    # The warehouse keeps the two sources apart: they word one product in slightly different
    # ways, and their rows must not chase each other as versions.
    key=("application_no", "product_no"),
)


def split_form_and_route(values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Split ``FORM;ROUTE`` text at its first semicolon.

    Parameters
    ----------
    values : Series of str
        Text such as ``TABLET, EXTENDED RELEASE;ORAL``.

    Returns
    -------
    form, route : Series of str
        The two parts without blanks around them; null where there is none.
    """
    parts = values.str.partition(";")
    form, route = parts[0].str.strip(), parts[2].str.strip()
    return form.where(form != ""), route.where(route != "")


def split_remark(strengths: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Part strengths from the remark between double asterisks that some of them end in.

    Parameters
    ----------
    strengths : Series of str
        Text such as ``5MG **Federal Register determination that ...**``.

    Returns
    -------
    strength, remark : Series of str
        The two parts without blanks around them; '' where there is none.
    """
    parts = strengths.str.partition("**")
    return parts[0].str.strip(), parts[2].str.strip("* ")
