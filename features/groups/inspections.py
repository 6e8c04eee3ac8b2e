"""Inspections classified OAI, warning letters and court actions against the drug's firms.

Firms are companies: there is no public map from a drug to its plant. Only inspections classified
Official Action Indicated (OAI) are counted, never those with milder outcomes nor the time since
any inspection, because the records hold no milder outcome for 2013 to 2018. Whether an OAI goes
with more shortages or fewer is disputed (GAO 2016; M&SOM 27:789, 2025), so no sign is imposed.
"""

from __future__ import annotations

from shortcast.features.asof import AsOf
from shortcast.features.groups.contract import Feature, Group, shortened
from shortcast.features.groups.firms import drug_firms
from shortcast.features.groups.reach import reached

_INSPECTIONS = "FDA inspection classifications"
_LETTERS = "FDA warning letters and compliance actions"
_NO_FIRM = "no maker or labeler is known for this drug"
_NO_MAKER = "no holder of a marketed application is known for this drug"
_NO_LABELER = "no labeler of this drug is known"
_NOT_REACHED = "the inspection records do not reach over these months"
_NO_LETTERS = "the records of letters and actions do not reach over these months"

FEATURES = (
    Feature(
        "firm_oai_24m",
        "BIGINT",
        "inspections of its makers and labelers (companies) classified OAI (Official Action "
        "Indicated) in the last 24 months",
        missing=f"{_NO_FIRM}, or {_NOT_REACHED}",
        unit="count",
        source=_INSPECTIONS,
    ),
    Feature(
        "firm_oai_60m",
        "BIGINT",
        "inspections of its makers and labelers (companies) classified OAI (Official Action "
        "Indicated) in the last 60 months",
        missing=f"{_NO_FIRM}, or {_NOT_REACHED}",
        unit="count",
        source=_INSPECTIONS,
    ),
    Feature(
        "firm_oai_share_24m",
        "DOUBLE",
        "share of its approved products held by companies with an inspection classified OAI "
        "(Official Action Indicated) in the last 24 months",
        missing=f"{_NO_MAKER}, or {_NOT_REACHED}",
        unit="share",
        source=_INSPECTIONS,
    ),
    Feature(
        "firm_labeler_oai_share_24m",
        "DOUBLE",
        "share of its NDC listings that are of companies with an inspection classified OAI "
        "(Official Action Indicated) in the last 24 months",
        missing=f"{_NO_LABELER}, or {_NOT_REACHED}",
        unit="share",
        source=_INSPECTIONS,
    ),
    Feature(
        "firm_months_since_oai",
        "DOUBLE",
        "time since the last inspection of a maker or labeler (company) classified OAI",
        missing="no OAI inspection of its makers or labelers in the records (since October 2008), "
        f"or {_NOT_REACHED}",
        unit="months",
        source=_INSPECTIONS,
    ),
    Feature(
        "firm_letters_24m",
        "BIGINT",
        "warning letters about drugs to its makers and labelers (companies) in the last 24 months",
        missing=f"{_NO_FIRM}, or {_NO_LETTERS}",
        unit="count",
        source=_LETTERS,
    ),
    Feature(
        "firm_letter_share_24m",
        "DOUBLE",
        "share of its approved products held by companies with a warning letter about drugs in the "
        "last 24 months",
        missing=f"{_NO_MAKER}, or {_NO_LETTERS}",
        unit="share",
        source=_LETTERS,
    ),
    Feature(
        "firm_court_actions_60m",
        "BIGINT",
        "injunctions and seizures about drugs against its makers and labelers (companies) "
        "in the last 60 months",
        missing=f"{_NO_FIRM}, or {_NO_LETTERS}",
        unit="count",
        source=_LETTERS,
    ),
)

#: A letter of the list is about drugs if the office or the subject says so; the list tells no
#: kind of product. Tobacco, food and device letters are left out.
_ABOUT_DRUGS = (
    "(regexp_matches(coalesce(f.issuing_office, ''), '\\bCDER\\b|Drug Eval|Pharmaceutical Qual') "
    "OR regexp_matches(coalesce(f.subject, ''), 'Finished Pharmaceutical|"
    "Active Pharmaceutical|New Drug'))"
)
_COURT = "f.action_type IN ('Injunction', 'Seizure')"


def query(view: AsOf) -> str:
    """Return OAI inspections, letters and actions against the firms of each drug.

    Parameters
    ----------
    view : AsOf
        The view; `shortcast.features.panel.prepare` has made its tables.

    Returns
    -------
    str
        SQL with ``drug_id``, ``as_of`` and the features; months are days / 30.4375.

    Notes
    -----
    Windows go by the end of the inspection and the day of the letter or action. A warning
    letter that stands in both lists of the FDA has the same case number in both and counts once.
    """
    oai = view.known(
        "firm_inspections",
        "f.classification = 'OAI' AND NOT f.withdrawn",
        "f.firm_id, f.inspection_id, f.event_date",
    )
    actions = view.known(
        "firm_actions",
        "f.is_drug AND NOT f.withdrawn AND f.event_date >= d.as_of - INTERVAL 60 MONTH",
        f"f.firm_id, f.case_id, {_COURT} AS is_court, f.event_date",
    )
    letters = view.known(
        "firm_letters",
        f"NOT f.withdrawn AND f.event_date >= d.as_of - INTERVAL 24 MONTH AND {_ABOUT_DRUGS}",
        "f.firm_id, coalesce(f.case_id, f.url) AS case_id, FALSE AS is_court, f.event_date",
    )
    return f"""
    WITH oai AS (
        SELECT as_of, firm_id, max(event_date) AS last_on,
               count(DISTINCT CASE WHEN event_date >= as_of - INTERVAL 24 MONTH
                                   THEN inspection_id END) AS n24,
               count(DISTINCT CASE WHEN event_date >= as_of - INTERVAL 60 MONTH
                                   THEN inspection_id END) AS n60
        FROM {oai}
        GROUP BY as_of, firm_id
    ),
    told AS (
        SELECT as_of, firm_id,
               count(DISTINCT CASE WHEN NOT is_court AND event_date >= as_of - INTERVAL 24 MONTH
                                   THEN case_id END) AS letters,
               count(DISTINCT CASE WHEN is_court THEN case_id END) AS court
        FROM (SELECT * FROM {actions} UNION ALL SELECT * FROM {letters})
        GROUP BY as_of, firm_id
    ),
    by_drug AS (
        SELECT s.as_of, s.drug_id,
               CAST(sum(coalesce(o.n24, 0)) AS BIGINT) AS oai_24,
               CAST(sum(coalesce(o.n60, 0)) AS BIGINT) AS oai_60,
               max(o.last_on) AS last_on,
               CAST(sum(coalesce(t.letters, 0)) AS BIGINT) AS letters,
               CAST(sum(coalesce(t.court, 0)) AS BIGINT) AS court,
               CAST(sum(s.products) AS BIGINT) AS products,
               CAST(sum(s.listings) AS BIGINT) AS listings,
               CAST(sum(CASE WHEN o.n24 > 0 THEN s.products ELSE 0 END) AS BIGINT) AS oai_products,
               CAST(sum(CASE WHEN o.n24 > 0 THEN s.listings ELSE 0 END) AS BIGINT) AS oai_listings,
               CAST(sum(CASE WHEN t.letters > 0 THEN s.products ELSE 0 END) AS BIGINT)
                   AS letter_products
        FROM {drug_firms(view)} AS s
        LEFT JOIN oai AS o USING (as_of, firm_id)
        LEFT JOIN told AS t USING (as_of, firm_id)
        GROUP BY s.as_of, s.drug_id
    )
    SELECT p.as_of, p.drug_id,
           CASE WHEN i24.as_of IS NOT NULL THEN b.oai_24 END AS firm_oai_24m,
           CASE WHEN i60.as_of IS NOT NULL THEN b.oai_60 END AS firm_oai_60m,
           CASE WHEN i24.as_of IS NOT NULL
                THEN round(b.oai_products / nullif(b.products, 0), 6) END AS firm_oai_share_24m,
           CASE WHEN i24.as_of IS NOT NULL
                THEN round(b.oai_listings / nullif(b.listings, 0), 6) END
               AS firm_labeler_oai_share_24m,
           CASE WHEN i24.as_of IS NOT NULL
                THEN round((p.as_of - b.last_on) / 30.4375, 2) END AS firm_months_since_oai,
           CASE WHEN a24.as_of IS NOT NULL THEN b.letters END AS firm_letters_24m,
           CASE WHEN a24.as_of IS NOT NULL
                THEN round(b.letter_products / nullif(b.products, 0), 6) END
               AS firm_letter_share_24m,
           CASE WHEN a60.as_of IS NOT NULL THEN b.court END AS firm_court_actions_60m
    FROM panel_drugs AS p
    LEFT JOIN by_drug AS b USING (as_of, drug_id)
    LEFT JOIN {reached(view, "firm_inspections", back_months=24)} AS i24 USING (as_of)
    LEFT JOIN {reached(view, "firm_inspections", back_months=60)} AS i60 USING (as_of)
    LEFT JOIN {reached(view, "firm_actions", "firm_letters", back_months=24)} AS a24
        USING (as_of)
    LEFT JOIN {reached(view, "firm_actions", back_months=60)} AS a60 USING (as_of)
    """


def evidence(view: AsOf) -> str:
    """Return the OAI inspections, letters and actions against the firms of each drug.

    Parameters
    ----------
    view : AsOf
        The view.

    Returns
    -------
    str
        SQL with the columns of `shortcast.features.groups.contract.Group.evidence`.
    """
    oai = view.known(
        "firm_inspections",
        "f.classification = 'OAI' AND NOT f.withdrawn "
        "AND f.event_date >= d.as_of - INTERVAL 60 MONTH",
    )
    actions = view.known(
        "firm_actions",
        "f.is_drug AND NOT f.withdrawn AND f.event_date >= d.as_of - INTERVAL 60 MONTH",
    )
    letters = view.known(
        "firm_letters",
        f"NOT f.withdrawn AND f.event_date >= d.as_of - INTERVAL 24 MONTH AND {_ABOUT_DRUGS}",
    )
    return f"""
    WITH firms AS (
        SELECT as_of, drug_id, firm_id FROM {drug_firms(view)}
    ),
    told AS (
        SELECT as_of, firm_id, event_date, known_from,
               concat_ws(', ', 'Inspection of the company ' || legal_name, city, country,
                         'ended ' || event_date, 'classified OAI') AS summary,
               source, source_file, source_row
        FROM {oai}
        UNION ALL
        SELECT as_of, firm_id, event_date, known_from,
               concat_ws(', ', action_type || ' against the company ' || legal_name,
                         'of ' || event_date, 'case ' || case_id),
               source, source_file, source_row
        FROM {actions}
        UNION ALL
        SELECT as_of, firm_id, event_date, known_from,
               concat_ws(', ', 'Warning Letter to the company ' || company, 'of ' || event_date,
                         {shortened("subject", 120)}),
               source, source_file, source_row
        FROM {letters}
    )
    SELECT f.drug_id, as_of, t.event_date, t.known_from, t.summary, t.source, t.source_file,
           t.source_row
    FROM told AS t
    JOIN firms AS f USING (as_of, firm_id)
    """


GROUP = Group(
    name="inspections",
    title="Inspections and letters",
    features=FEATURES,
    query=query,
    defaults={},
    evidence=evidence,
    source="FDA inspection classifications; FDA warning letters and compliance actions",
)
