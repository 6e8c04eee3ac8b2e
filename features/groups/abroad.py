"""Shortages abroad: company reports in Canada, price concessions in England.

A shortage of the same ingredient elsewhere is seen by no system at home. The records cover
Canada in stretches only (voluntary list 2013-04 to 2016-03, mandatory reports 2017-03 to 2018-05
and 2023), and England from 2014 on, so every count is null where the visible rows show that the
source had nothing to say about the time.
"""

from __future__ import annotations

from shortcast.features.asof import AsOf
from shortcast.features.groups.contract import Feature, Group
from shortcast.features.groups.reach import reached

_CANADA = "no Canadian report at all became known in the last 6 months"
_CANADIAN = "Drug Shortages Canada"
_ENGLAND = "price concessions for medicines, England"
_UK = "no price concession at all became known in the last 6 months"

FEATURES = (
    Feature(
        "canada_reports_6m",
        "BIGINT",
        "shortages of this drug reported in Canada in the last 6 months",
        missing=_CANADA,
        unit="count",
        source=_CANADIAN,
        monotone=1,
    ),
    Feature(
        "canada_reports_24m",
        "BIGINT",
        "shortages of this drug reported in Canada in the last 24 months, as far as the records "
        "reach",
        missing=_CANADA,
        unit="count",
        source=_CANADIAN,
        monotone=1,
    ),
    Feature(
        "canada_ingredient_reports_6m",
        "BIGINT",
        "shortages of its ingredients in other forms reported in Canada in the last 6 months",
        missing=_CANADA,
        unit="count",
        source=_CANADIAN,
    ),
    Feature(
        "canada_months_since_report",
        "DOUBLE",
        "time since a shortage of this drug was last reported in Canada",
        missing=f"{_CANADA}, or never reported as far as the records reach",
        unit="months",
        source=_CANADIAN,
    ),
    Feature(
        "canada_discontinuations_24m",
        "BIGINT",
        "discontinuations of this drug reported in Canada in the last 24 months, as far as the "
        "records reach",
        missing=_CANADA,
        unit="count",
        source=_CANADIAN,
    ),
    Feature(
        "uk_concession_months_6m",
        "BIGINT",
        "months of the last 6 in which this drug had a concession price in England",
        missing=_UK,
        unit="count",
        source=_ENGLAND,
        monotone=1,
    ),
    Feature(
        "uk_concession_months_24m",
        "BIGINT",
        "months of the last 24 in which this drug had a concession price in England",
        missing=f"{_UK}, or the records do not reach back 24 months",
        unit="count",
        source=_ENGLAND,
        monotone=1,
    ),
    Feature(
        "uk_concession_now",
        "BOOLEAN",
        "this drug has a concession price in England in the newest month known",
        missing=_UK,
        source=_ENGLAND,
    ),
    Feature(
        "uk_ingredient_concession_months_6m",
        "BIGINT",
        "months of the last 6 in which another form of its ingredients had a concession price in "
        "England",
        missing=_UK,
        unit="count",
        source=_ENGLAND,
    ),
)


def query(view: AsOf) -> str:
    """Return what was known of shortages of each drug abroad at each date.

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
    Reports from abroad are matched by the set of ingredients and the form group. Canadian
    reports count from the day they became known, since they may announce a shortage to come;
    English concessions by the month for which they were agreed.
    """
    canada = view.known(
        "abroad_reports",
        "f.country = 'CA'",
        "f.ingredient_key, f.form_group, f.kind, f.known_from, "
        "coalesce(f.report_id, f.source_file || f.source_row) AS report_id",
    )
    uk = view.known(
        "abroad_reports",
        "f.country = 'UK' AND f.event_date >= d.as_of - INTERVAL 25 MONTH",
        "f.ingredient_key, f.form_group, f.event_date",
    )
    ca_alive = reached(view, "abroad_reports", where="f.country = 'CA'")
    uk_alive = reached(view, "abroad_reports", where="f.country = 'UK'")
    uk_long = reached(view, "abroad_reports", back_months=24, where="f.country = 'UK'")
    shortage_6m = "kind = 'shortage' AND known_from >= as_of - INTERVAL 6 MONTH"
    return f"""
    WITH canada AS (
        SELECT * FROM {canada}
    ),
    ca_drug AS (
        SELECT as_of, ingredient_key, form_group,
               count(DISTINCT CASE WHEN {shortage_6m} THEN report_id END) AS n6,
               count(DISTINCT CASE WHEN kind = 'shortage'
                                        AND known_from >= as_of - INTERVAL 24 MONTH
                                   THEN report_id END) AS n24,
               count(DISTINCT CASE WHEN kind = 'discontinuation'
                                        AND known_from >= as_of - INTERVAL 24 MONTH
                                   THEN report_id END) AS stops,
               max(CASE WHEN kind = 'shortage' THEN known_from END) AS last_on
        FROM canada
        GROUP BY as_of, ingredient_key, form_group
    ),
    ca_ingredient AS (
        SELECT as_of, ingredient_key, CAST(sum(n6) AS BIGINT) AS n6
        FROM ca_drug
        GROUP BY as_of, ingredient_key
    ),
    uk AS (
        SELECT DISTINCT *, max(event_date) OVER (PARTITION BY as_of) AS newest FROM {uk}
    ),
    uk_drug AS (
        SELECT as_of, ingredient_key, form_group,
               count(DISTINCT CASE WHEN event_date >= as_of - INTERVAL 6 MONTH
                                   THEN event_date END) AS n6,
               count(DISTINCT CASE WHEN event_date >= as_of - INTERVAL 24 MONTH
                                   THEN event_date END) AS n24,
               bool_or(event_date = newest) AS is_now
        FROM uk
        GROUP BY as_of, ingredient_key, form_group
    ),
    uk_other AS (
        SELECT p.as_of, p.drug_id, count(DISTINCT u.event_date) AS n6
        FROM panel_drugs AS p
        JOIN drugs AS d USING (drug_id)
        JOIN uk AS u
          ON u.as_of = p.as_of AND u.ingredient_key = d.ingredient_key
         AND u.form_group <> d.form_group AND u.event_date >= p.as_of - INTERVAL 6 MONTH
        GROUP BY p.as_of, p.drug_id
    )
    SELECT p.as_of, p.drug_id,
           CASE WHEN ca.as_of IS NOT NULL THEN coalesce(c.n6, 0) END AS canada_reports_6m,
           CASE WHEN ca.as_of IS NOT NULL THEN coalesce(c.n24, 0) END AS canada_reports_24m,
           CASE WHEN ca.as_of IS NOT NULL
                THEN coalesce(i.n6, 0) - coalesce(c.n6, 0) END AS canada_ingredient_reports_6m,
           CASE WHEN ca.as_of IS NOT NULL
                THEN round((p.as_of - c.last_on) / 30.4375, 2) END AS canada_months_since_report,
           CASE WHEN ca.as_of IS NOT NULL
                THEN coalesce(c.stops, 0) END AS canada_discontinuations_24m,
           CASE WHEN ua.as_of IS NOT NULL THEN coalesce(u.n6, 0) END AS uk_concession_months_6m,
           CASE WHEN ul.as_of IS NOT NULL THEN coalesce(u.n24, 0) END AS uk_concession_months_24m,
           CASE WHEN ua.as_of IS NOT NULL
                THEN coalesce(u.is_now, FALSE) END AS uk_concession_now,
           CASE WHEN ua.as_of IS NOT NULL
                THEN coalesce(o.n6, 0) END AS uk_ingredient_concession_months_6m
    FROM panel_drugs AS p
    JOIN drugs AS d USING (drug_id)
    LEFT JOIN ca_drug AS c
      ON c.as_of = p.as_of AND c.ingredient_key = d.ingredient_key AND c.form_group = d.form_group
    LEFT JOIN ca_ingredient AS i
      ON i.as_of = p.as_of AND i.ingredient_key = d.ingredient_key
    LEFT JOIN uk_drug AS u
      ON u.as_of = p.as_of AND u.ingredient_key = d.ingredient_key AND u.form_group = d.form_group
    LEFT JOIN uk_other AS o ON o.as_of = p.as_of AND o.drug_id = p.drug_id
    LEFT JOIN {ca_alive} AS ca ON ca.as_of = p.as_of
    LEFT JOIN {uk_alive} AS ua ON ua.as_of = p.as_of
    LEFT JOIN {uk_long} AS ul ON ul.as_of = p.as_of
    """


def evidence(view: AsOf) -> str:
    """Return reports from abroad about the ingredients of each drug, of the last 24 months.

    Parameters
    ----------
    view : AsOf
        The view.

    Returns
    -------
    str
        SQL with the columns of `shortcast.features.groups.contract.Group.evidence`.
    """
    reports = view.known("abroad_reports", "f.known_from >= d.as_of - INTERVAL 24 MONTH")
    return f"""
    SELECT d.drug_id, as_of, f.event_date, f.known_from,
           CASE f.country
                WHEN 'CA' THEN 'Canada: ' || f.kind || ' of ' || f.product || ' reported'
                    || coalesce(' (report ' || f.report_id || ')', '')
                ELSE 'England: concession price for ' || f.product || ' in '
                     || strftime(f.event_date, '%Y-%m') END AS summary,
           f.source, f.source_file, f.source_row
    FROM {reports} AS f
    JOIN drugs AS d USING (ingredient_key)
    """


GROUP = Group(
    name="abroad",
    title="Shortages abroad",
    features=FEATURES,
    query=query,
    defaults={},
    evidence=evidence,
    source="Drug Shortages Canada; price concessions for medicines, England",
)
