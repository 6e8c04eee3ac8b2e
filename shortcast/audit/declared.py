"""What the raw columns say of when a row became public: a few lines for each source.

They are written from the sources' own descriptions and from the assumptions that the design
states, a second time and apart from the readers, and that is what makes the audit worth
anything: a reader that lets a row out too early disagrees with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from shortcast.audit.days import read_days, text, write_days

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Moment:
    """What a file may be falsified to, and from when on.

    Parameters
    ----------
    cut : Timestamp
        T: what became known on it or later is falsified.
    day : Timestamp
        Day of the file; no row can be dated after it.
    since : Timestamp
        Day of the source's snapshot before this one. What a row claims to have published by
        then counts from this file only, as the earlier one did not show it.
    dice : Generator
        Seeded source of chance.
    """

    cut: pd.Timestamp
    day: pd.Timestamp
    since: pd.Timestamp
    dice: np.random.Generator

    def counts(self, days: pd.Series) -> np.ndarray:
        """Tell which of the days count as known before the cut, on the word of this file.

        Parameters
        ----------
        days : Series of datetime64
            Days on which rows became public; null where none is stated.

        Returns
        -------
        ndarray of bool
            False where none is stated.
        """
        return ((days > self.since) & (days < self.cut)).fillna(False).to_numpy(dtype=bool)

    def draw_days(self, count: int, lag: int = 0) -> pd.Series:
        """Draw days from which a row becomes public at the cut or later, one in ten at it.

        Parameters
        ----------
        count : int
            How many.
        lag : int
            Days from the day drawn to the day on which the row is public.

        Returns
        -------
        Series of datetime64
            Not after the day of the snapshot, unless the cut itself is.
        """
        first = self.cut - pd.Timedelta(days=lag)
        span = max((self.day - first).days, 0)
        steps = self.dice.integers(0, span + 1, count)
        steps[self.dice.random(count) < 0.1] = 0
        return pd.Series(first + pd.to_timedelta(steps, unit="D"), dtype="datetime64[s]")


#: Days on which the rows of a table became public, by their own word; NaT: only the day of the
#: file tells. Handed the table, all tables of the file, and the cut.
Days = Callable[[pd.DataFrame, Tables, pd.Timestamp], pd.Series]
#: Mends rows whose later columns were falsified: the table, which rows, the table as it was.
Settle = Callable[[pd.DataFrame, np.ndarray, pd.DataFrame, Moment], None]


@dataclass(frozen=True)
class Rule:
    """How the rows of one raw table may be falsified.

    Parameters
    ----------
    public : callable
        When a row became public.
    table : str
        Member of a zip, in lower case; '' for a plain file.
    needs : str
        A column without which the rule does not fit: sources change their layout.
    later : tuple of str
        Columns that may change after a row was public.
    state : callable or None
        When these became public, where the row says so; else with the file.
    days : mapping of str to int
        Columns that hold days, and how long after them a row was public.
    planned : tuple of str
        Of these, those that may lie ahead of the file.
    names : tuple of str
        Columns in which a name may stand that occurs nowhere else.
    amounts : tuple of str
        Prices and quantities.
    ids : tuple of str
        Columns that name one thing for ever; made-up rows get new ones.
    settle : callable or None
        What holds between the later columns and the others.
    runs_over : bool
        Whether a row whose first cell is blank goes on from the row before it.
    """

    public: Days
    table: str = ""
    needs: str = ""
    later: tuple[str, ...] = ()
    state: Days | None = None
    days: Mapping[str, int] = field(default_factory=dict)
    planned: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    amounts: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    settle: Settle | None = None
    runs_over: bool = False


@dataclass(frozen=True)
class Declared:
    """What is falsified of one source.

    Parameters
    ----------
    rules : tuple of Rule
        The first that fits a table holds for it.
    foresight : Rule or None
        For a file that was made long after the day under which it is filed: ``public`` says
        from which day on the ``later`` columns of a row are known.
    invents_snapshot : bool
        Whether a snapshot of the day T is made up.
    """

    rules: tuple[Rule, ...]
    foresight: Rule | None = None
    invents_snapshot: bool = True


# --- when a row became public ------------------------------------------------------------------


def latest(*columns: str) -> Days:
    """Public on the latest of these days."""

    def public(frame: pd.DataFrame, tables: Tables, cut: pd.Timestamp) -> pd.Series:
        known = [read_days(frame[name]) for name in columns if name in frame]
        if not known:
            return from_the_file(frame, tables, cut)
        return pd.concat(known, axis=1).max(axis=1).astype("datetime64[s]")

    return public


def after(column: str, days: int) -> Days:
    """Public so many days after this one.

    Parameters
    ----------
    column : str
        Column with a day, by its plain name.
    days : int
        Days from it to publication.

    Returns
    -------
    callable
        Gives the day of publication of each row, for `Rule.public`.
    """

    def public(frame: pd.DataFrame, _: Tables, __: pd.Timestamp) -> pd.Series:
        return read_days(frame[column]) + pd.Timedelta(days=days)

    return public


def from_the_file(frame: pd.DataFrame, _: Tables, __: pd.Timestamp) -> pd.Series:
    """Public when the file shows it: the rows bear no day of their own.

    Parameters
    ----------
    frame : DataFrame
        Rows of a file.

    Returns
    -------
    Series of datetime64
        Null for every row.
    """
    return pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]")


def _month_end(days: pd.Series) -> pd.Series:
    return (days + pd.offsets.MonthEnd(0)).astype("datetime64[s]")


# --- the FDA's shortage list ---------------------------------------------------------------------

#: Headers of the other layouts, and the ones that the rules name.
ALIASES = {
    "updatetype": "typeofupdate",
    "updatedate": "dateofupdate",
    "availability": "availabilityinformation",
    "relatedinfo": "relatedinformation",
    "shortagereason": "reasonforshortage",
    "discontinueddate": "datediscontinued",
    "initiapostingdate": "initialpostingdate",
}
_LIST_DAYS = ("dateofupdate", "changedate", "datediscontinued", "initialpostingdate")


def _list_days(frame: pd.DataFrame) -> dict[str, pd.Series]:
    blank = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]")
    return {name: read_days(frame[name]) if name in frame else blank for name in _LIST_DAYS}


def _is_notice(frame: pd.DataFrame) -> pd.Series:
    """Tell the notices of discontinuation."""
    return text(frame["status"]).str.lower().str.contains("discontinu").astype(bool)


def _own_day(days: Mapping[str, pd.Series]) -> pd.Series:
    """Return the day of a notice itself, which is not that of the group it joins."""
    own = days["datediscontinued"].fillna(days["changedate"])
    return own.fillna(days["dateofupdate"])


#: What a row says now is public since its last update or change.
_list_state = latest("dateofupdate", "changedate")


def _list_posted(frame: pd.DataFrame, tables: Tables, cut: pd.Timestamp) -> pd.Series:
    """Say since when a row is public: its posting; without that day, that of its state.

    A new notice that joined an older group bears the group's day of posting; it was posted
    on its own.
    """
    days = _list_days(frame)
    posted, own = days["initialpostingdate"], _own_day(days)
    is_new = text(frame["typeofupdate"]).str.lower().str.startswith("new").astype(bool)
    joined = _is_notice(frame) & is_new & (own > posted)
    return posted.mask(joined, own).fillna(_list_state(frame, tables, cut))


def _settle_list(frame: pd.DataFrame, rows: np.ndarray, was: pd.DataFrame, moment: Moment) -> None:
    """Keep what a row was posted as: a listing may end or become a notice, a notice stays.

    A notice never goes back, so the source tells a row that was posted as a notice by its
    status and by days that are no later than the posting.
    """
    days = _list_days(was)
    own = _own_day(days)
    is_new = text(was["typeofupdate"]).str.lower().str.startswith("new").astype(bool)
    late_turn = (own > days["initialpostingdate"]).fillna(False) & ~is_new
    as_notice = rows & (_is_notice(was) & ~late_turn).to_numpy(dtype=bool)
    has_own_day = (days["datediscontinued"].notna() | days["changedate"].notna()).to_numpy()
    for name in ("status", "typeofupdate", "datediscontinued", "changedate"):
        if name in frame:
            frame.loc[as_notice, name] = was.loc[as_notice, name]
    dateless = as_notice & ~has_own_day
    frame.loc[dateless, "dateofupdate"] = was.loc[dateless, "dateofupdate"]

    listed = np.flatnonzero(rows & ~as_notice)
    status = moment.dice.choice(["Current", "Resolved", "To Be Discontinued"], len(listed))
    kind = np.where(
        status == "To Be Discontinued",
        "Revised",
        moment.dice.choice(["New", "Revised", "Reverified"], len(listed)),
    )
    labels = frame.index[listed]
    frame.loc[labels, "status"] = status.astype(object)
    frame.loc[labels, "typeofupdate"] = kind.astype(object)
    for name in ("dateofupdate", "changedate", "datediscontinued"):
        if name not in frame:
            continue
        drawn = write_days(moment.draw_days(len(listed)), was["dateofupdate"])
        blank = np.zeros(len(listed), dtype=bool)
        if name != "dateofupdate":
            blank = moment.dice.random(len(listed)) < 0.3
        if name == "datediscontinued":
            blank |= status != "To Be Discontinued"
        frame.loc[labels, name] = pd.Series(drawn, index=labels, dtype=object).mask(blank, "")


_SHORTAGES = Rule(
    public=_list_posted,
    needs="initialpostingdate",
    later=(
        "contactinfo",
        "typeofupdate",
        "dateofupdate",
        "availabilityinformation",
        "relatedinformation",
        "resolvednote",
        "reasonforshortage",
        "therapeuticcategory",
        "status",
        "changedate",
        "datediscontinued",
        "openfda",
    ),
    state=_list_state,
    days=dict.fromkeys(_LIST_DAYS, 0),
    names=("genericname", "companyname"),
    settle=_settle_list,
    runs_over=True,
)

# --- approvals: who may sell what, since when ----------------------------------------------------


def _approved_in(table: str, day: str, kind: Mapping[str, str]) -> Days:
    """Public when the application was approved, as another table of the zip says.

    Of several approvals before the cut the last one decides: an application with any of them
    between two snapshots is left alone as a whole.
    """

    def public(frame: pd.DataFrame, tables: Tables, cut: pd.Timestamp) -> pd.Series:
        name = next((n for n in tables if n.split("/")[-1].lower() == table), None)
        if name is None:
            return from_the_file(frame, tables, cut)
        actions = tables[name]
        wanted = pd.Series(True, index=actions.index)
        for column, value in kind.items():
            wanted &= text(actions[column]) == value
        days = read_days(actions.loc[wanted, day])
        applications = text(actions.loc[wanted, "applno"])
        before = days.where(days < cut).groupby(applications).max()
        approved = before.fillna(days.groupby(applications).min())
        return text(frame["applno"]).map(approved).astype("datetime64[s]")

    return public


_SUBMITTED = _approved_in(
    "submissions.txt", "submissionstatusdate", {"submissiontype": "ORIG", "submissionstatus": "AP"}
)
_ACTED = _approved_in("regactiondate.txt", "actiondate", {"doctype": "N", "actiontype": "AP"})
#: Of a product, all but these is fixed by its approval.
_PRODUCT_LATER = ("referencedrug", "referencestandard", "drugname", "productmktstatus", "tecode")


def _in_orange_book(frame: pd.DataFrame, _: Tables, __: pd.Timestamp) -> pd.Series:
    """Public on the day of approval; the book gives none for approvals before 1982."""
    days = read_days(frame["approvaldate"])
    old = text(frame["approvaldate"]).str.startswith("Approved Prior").astype(bool)
    return days.mask(old, pd.Timestamp(1981, 12, 31))


# --- prices, spending, abroad ---


def _spent(frame: pd.DataFrame, _: Tables, __: pd.Timestamp) -> pd.Series:
    """Public 540 days after the year; a blank row tells that the product was sold later."""
    days = read_days(frame["year"]) + pd.Timedelta(days=540)
    return days.mask(frame["totalspending"].isna())


def _conceded(frame: pd.DataFrame, tables: Tables, cut: pd.Timestamp) -> pd.Series:
    """Date a concession to the end of its month, prescribing to two months after it.

    The table holds the medicines that had a concession by the time it was made: before its
    first one, nobody could know that a medicine would be in it.
    """
    month = _month_end(read_days(frame["monthfull"]))
    conceded = text(frame["shortage"]).str.upper() == "TRUE"
    product = text(frame["productpack"])
    known = product.isin(product[conceded & (month < cut)])
    return month.where(conceded, (month + pd.Timedelta(days=60)).where(known))


def _prescribed(frame: pd.DataFrame, _: Tables, __: pd.Timestamp) -> pd.Series:
    return _month_end(read_days(frame["monthfull"])) + pd.Timedelta(days=60)


def _listed_month(frame: pd.DataFrame, _: Tables, __: pd.Timestamp) -> pd.Series:
    return _month_end(read_days(frame["month"]))


def _volunteered(frame: pd.DataFrame, _: Tables, __: pd.Timestamp) -> pd.Series:
    """Date the voluntary list: 14 days after the start, or the last update if earlier."""
    soon = read_days(frame["startdate"]) + pd.Timedelta(days=14)
    updated = read_days(frame["lastupdated"])
    return pd.concat([soon, updated], axis=1).min(axis=1).where(soon.notna())


DECLARED: Mapping[str, Declared] = {
    "canada_shortages": Declared(
        (
            Rule(
                needs="datecreated",
                public=latest("datecreated"),
                later=(
                    "shortagestatus",
                    "discontinuationstatus",
                    "estimatedenddate",
                    "actualenddate",
                    "discontinuationdate",
                    "discontinuationdecisionreversal",
                    "dateupdated",
                    "tier3",
                ),
                state=latest("dateupdated"),
                days=dict.fromkeys(
                    (
                        "datecreated",
                        "actualstartdate",
                        "anticipatedstartdate",
                        "estimatedenddate",
                        "actualenddate",
                        "discontinuationdate",
                        "dateupdated",
                    ),
                    0,
                ),
                planned=("anticipatedstartdate", "estimatedenddate", "discontinuationdate"),
                names=("brandname", "companyname", "ingredients"),
                ids=("reportid",),
            ),
            Rule(
                needs="outcome",
                public=_volunteered,
                later=(
                    "outcome",
                    "medicalnecessity",
                    "marketedbyothermanufacturers",
                    "estresupplydate",
                    "discontinued",
                    "discontinuationdate",
                ),
                days={
                    "startdate": 14,
                    "lastupdated": 0,
                    "estresupplydate": 0,
                    "discontinuationdate": 0,
                },
                planned=("estresupplydate", "discontinuationdate"),
                names=("productname", "drugname", "companyname"),
            ),
        )
    ),
    "cms_asp": Declared(
        (
            Rule(
                needs="paymentlimit",
                public=from_the_file,
                names=("shortdescription",),
                amounts=("paymentlimit",),
            ),
            Rule(
                needs="ndc11",
                public=from_the_file,
                names=("drugname", "manufacturer"),
                amounts=("pkgsize",),
            ),
        )
    ),
    "drugsatfda": Declared(
        tuple(
            replace(Rule(table=table, needs=needs, public=public), **rest)
            for table, needs, public, rest in (
                (
                    "submissions.txt",
                    "submissionstatusdate",
                    _SUBMITTED,
                    {"days": {"submissionstatusdate": 0}},
                ),
                ("regactiondate.txt", "actiondate", _ACTED, {"days": {"actiondate": 0}}),
                (
                    "products.txt",
                    "activeingredient",
                    _SUBMITTED,
                    {
                        "later": _PRODUCT_LATER,
                        "names": ("drugname", "activeingredient"),
                        "ids": ("applno", "productno"),
                    },
                ),
                (
                    "product.txt",
                    "activeingred",
                    _ACTED,
                    {
                        "later": _PRODUCT_LATER,
                        "names": ("drugname", "activeingred"),
                        "ids": ("applno", "productno"),
                    },
                ),
                (
                    "applications.txt",
                    "sponsorname",
                    _SUBMITTED,
                    {
                        "later": ("sponsorname", "applpublicnotes"),
                        "names": ("sponsorname",),
                        "ids": ("applno", "productno"),
                    },
                ),
                (
                    "application.txt",
                    "sponsorapplicant",
                    _ACTED,
                    {
                        "later": ("sponsorapplicant", "actiontype"),
                        "names": ("sponsorapplicant",),
                        "ids": ("applno", "productno"),
                    },
                ),
                ("marketingstatus.txt", "marketingstatusid", from_the_file, {}),
                ("te.txt", "tecode", from_the_file, {}),
            )
        )
    ),
    "fda_citations": Declared(
        (
            Rule(
                public=after("inspectionenddate", 90),
                days={"inspectionenddate": 90},
                names=("legalname",),
                ids=("inspectionid",),
            ),
        )
    ),
    "fda_compliance_actions": Declared(
        (
            Rule(
                public=after("actiontakendate", 30),
                days={"actiontakendate": 30},
                names=("legalname",),
                ids=("caseinjunctionid",),
            ),
        )
    ),
    "fda_dashboard_recalls": Declared(
        (
            Rule(
                public=latest("centerclassificationdate"),
                later=("status", "eventclassification"),
                days={"centerclassificationdate": 0},
                names=("recallingfirmname", "productdescription"),
                ids=("productid", "eventid"),
            ),
        )
    ),
    "fda_establishments": Declared(
        (
            Rule(
                public=from_the_file,
                days={"expirationdate": 0},
                planned=("expirationdate",),
                names=("firmname", "registrantname"),
                ids=("dunsnumber",),
            ),
        )
    ),
    "fda_import_refusals": Declared(
        (
            Rule(
                public=after("refusaldate", 60),
                days={"refusaldate": 60},
                names=("firmname",),
                ids=("shipmentid",),
            ),
        )
    ),
    "fda_inspections": Declared(
        (
            Rule(
                public=after("inspectionenddate", 90),
                days={"inspectionenddate": 90},
                names=("legalname",),
                ids=("inspectionid",),
            ),
        )
    ),
    "fda_published_483s": Declared(
        (
            Rule(
                public=latest("dateposted"),
                days={"dateposted": 0, "recorddate": 0},
                names=("legalname",),
                ids=("recordid",),
            ),
        )
    ),
    "fda_shortages": Declared((_SHORTAGES,)),
    "fda_shortages_html": Declared(
        (
            Rule(
                public=latest("firstseen"),
                # The last status is declared to hold for the whole spell.
                later=("lastseen",),
                days={"firstseen": 0, "lastseen": 0},
                planned=("lastseen",),
                names=("genericname",),
            ),
        ),
        # Rebuilt in 2022 and filed under 2019: of pages after that day it cannot have known.
        foresight=Rule(
            public=latest("lastseen"),
            later=("status", "lastseen"),
            days={"lastseen": 0},
            planned=("lastseen",),
        ),
    ),
    "fda_warning_letters": Declared(
        (
            Rule(
                public=latest("posteddate", "letterdate"),
                days={"posteddate": 0, "letterdate": 0},
                names=("company",),
                ids=("url",),
            ),
        )
    ),
    "nadac": Declared(
        (
            Rule(
                public=latest("asofdate"),
                days={"asofdate": 0, "effectivedate": 0},
                names=("ndcdescription",),
                amounts=("nadacperunit",),
            ),
        ),
        # A year's file alone is half a million rows, and the rows bear their own days.
        invents_snapshot=False,
    ),
    "ndc_directory": Declared(
        tuple(
            Rule(
                table=table,
                public=latest("startmarketingdate"),
                later=(
                    "productid",
                    "endmarketingdate",
                    "ndcexcludeflag",
                    "listingrecordcertifiedthrough",
                ),
                days={
                    "startmarketingdate": 0,
                    "endmarketingdate": 0,
                    "listingrecordcertifiedthrough": 0,
                },
                planned=("startmarketingdate", "endmarketingdate", "listingrecordcertifiedthrough"),
                names=names,
                ids=(key,),
            )
            for table, key, names in (
                (
                    "product.txt",
                    "productndc",
                    ("nonproprietaryname", "substancename", "labelername", "proprietaryname"),
                ),
                ("package.txt", "ndcpackagecode", ()),
            )
        )
    ),
    "openfda_enforcement": Declared(
        (
            Rule(
                public=latest("reportdate", "centerclassificationdate"),
                later=("status", "terminationdate", "openfda"),
                days=dict.fromkeys(
                    (
                        "reportdate",
                        "centerclassificationdate",
                        "recallinitiationdate",
                        "terminationdate",
                    ),
                    0,
                ),
                names=("recallingfirm", "productdescription"),
                ids=("recallnumber", "eventid"),
            ),
        )
    ),
    "openfda_ndc": Declared(
        (
            Rule(
                public=from_the_file,
                days=dict.fromkeys(
                    ("marketingstartdate", "marketingenddate", "listingexpirationdate"), 0
                ),
                planned=("marketingstartdate", "marketingenddate", "listingexpirationdate"),
                names=("genericname", "brandname", "labelername"),
                ids=("productndc",),
            ),
        )
    ),
    "openfda_shortages": Declared((_SHORTAGES,)),
    "orange_book": Declared(
        (
            Rule(
                table="products.txt",
                public=_in_orange_book,
                later=(
                    "tradename",
                    "applicant",
                    "tecode",
                    "rld",
                    "rs",
                    "type",
                    "applicantfullname",
                ),
                days={"approvaldate": 0},
                names=("ingredient", "tradename", "applicant", "applicantfullname"),
                ids=("applno", "productno"),
            ),
        )
    ),
    "partb_spending": Declared(
        (
            Rule(
                public=from_the_file,
                names=("hcpcsdescription",),
                amounts=("totalspending", "unitcount", "averagecostperunit"),
            ),
        )
    ),
    "partd_spending": Declared(
        (
            Rule(
                public=_spent,
                later=("brandvsgeneric", "specialtydrug"),
                days={"year": 540},
                names=("productname", "genericname", "manufacturer"),
                amounts=("totalspending", "totaldosageunits", "totalclaims"),
            ),
        )
    ),
    "uk_price_concessions": Declared(
        (
            Rule(
                needs="monthfull",
                public=_conceded,
                later=(
                    "value",
                    "quantity",
                    "priceperpiece",
                    "basenoshortageestimate",
                ),
                state=_prescribed,
                days={"monthfull": 0},
                names=("productpack", "activeingredients"),
                amounts=("value", "quantity", "priceperpiece"),
            ),
            Rule(
                needs="concessionprice",
                public=_listed_month,
                days={"month": 0},
                names=("drug",),
                amounts=("concessionprice",),
            ),
        )
    ),
}
