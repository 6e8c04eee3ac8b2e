"""Prices: level, trend, and rank against peers, and how much is spent.

Three public sources, none of which covers every drug: the weekly retail survey (NADAC, by drug;
in the records since January 2020), Medicare Part D (by ingredient, year by year) and Medicare
Part B (by ingredient, injections; the records hold one release, with the years to 2015). A price
is per unit of the source (millilitre, gram, piece; for Part B the unit of the billing code), so
levels compare within a form group only. In the literature low prices go with more shortages
(Dave et al. 2018).
"""

from __future__ import annotations

from shortcast.features.asof import AsOf
from shortcast.features.groups.contract import Feature, Group
from shortcast.features.groups.reach import reached

_SURVEY = "NADAC survey of retail pharmacies (CMS)"
_SOURCE_B = "Medicare Part B spending (CMS)"
_SOURCE_D = "Medicare Part D spending (CMS)"
_NOT_SURVEYED = "no price of it in the NADAC survey of the last 3 months"
_NO_BEFORE = f"{_NOT_SURVEYED}, or none of its products was surveyed so long before"
_PART_D = "no price of its ingredients in a Medicare Part D release known by then"
_PART_B = (
    "not an injection, or no price of its ingredients in a Medicare Part B release known by then"
)

#: Fewer priced drugs than this make no rank.
MIN_PEERS = 5

#: A surveyed price older than this says nothing of the present.
STALE_MONTHS = 3

FEATURES = (
    Feature(
        "price_missing_reason",
        "VARCHAR",
        "price in the retail survey (NADAC)",
        source=_SURVEY,
    ),
    Feature(
        "log_price_median_usd",
        "DOUBLE",
        "what pharmacies pay for it (NADAC), median of its products",
        missing=_NOT_SURVEYED,
        unit="log_usd_per_unit",
        source=_SURVEY,
        monotone=-1,
    ),
    Feature(
        "log_price_min_usd",
        "DOUBLE",
        "what pharmacies pay for its cheapest product (NADAC)",
        missing=_NOT_SURVEYED,
        unit="log_usd_per_unit",
        source=_SURVEY,
        monotone=-1,
    ),
    Feature(
        "log_price_change_6m",
        "DOUBLE",
        "change in 6 months of what pharmacies pay for it (NADAC)",
        missing=_NO_BEFORE,
        unit="log_ratio",
        source=_SURVEY,
    ),
    Feature(
        "log_price_change_12m",
        "DOUBLE",
        "change in 12 months of what pharmacies pay for it (NADAC)",
        missing=_NO_BEFORE,
        unit="log_ratio",
        source=_SURVEY,
    ),
    Feature(
        "price_rank_form_group_share",
        "DOUBLE",
        "share of the other surveyed drugs of its form group with a lower price (NADAC)",
        missing=f"{_NOT_SURVEYED}, or fewer than {MIN_PEERS} surveyed drugs to compare with",
        unit="share",
        source=_SURVEY,
        monotone=-1,
    ),
    Feature(
        "price_rank_class_share",
        "DOUBLE",
        "share of the other surveyed drugs of its pharmacologic class and form group with a "
        "lower price (NADAC)",
        missing=f"{_NOT_SURVEYED}, or fewer than {MIN_PEERS} surveyed drugs to compare with",
        unit="share",
        source=_SURVEY,
        monotone=-1,
    ),
    Feature(
        "partb_log_price_usd",
        "DOUBLE",
        "what Medicare Part B paid for its ingredients, newest year known",
        missing=_PART_B,
        unit="log_usd_per_billing_unit",
        source=_SOURCE_B,
        monotone=-1,
    ),
    Feature(
        "partb_below_5_usd",
        "BOOLEAN",
        "an injection for which Medicare Part B paid less than $5 per billing unit",
        missing=_PART_B,
        source=_SOURCE_B,
        monotone=1,
    ),
    Feature(
        "partb_log_spending_usd",
        "DOUBLE",
        "Medicare Part B spending on injections of its ingredients, newest year known",
        missing=_PART_B,
        unit="log_usd_per_year",
        source=_SOURCE_B,
    ),
    Feature(
        "partd_log_price_usd",
        "DOUBLE",
        "what Medicare Part D paid for its ingredients, newest year known",
        missing=_PART_D,
        unit="log_usd_per_unit",
        source=_SOURCE_D,
        monotone=-1,
    ),
    Feature(
        "partd_log_price_change_1y",
        "DOUBLE",
        "change on the year before of what Medicare Part D paid for its ingredients",
        missing=f"{_PART_D}, or none for the year before",
        unit="log_ratio",
        source=_SOURCE_D,
    ),
    Feature(
        "partd_log_spending_usd",
        "DOUBLE",
        "Medicare Part D spending on its ingredients, newest year known",
        missing=_PART_D,
        unit="log_usd_per_year",
        source=_SOURCE_D,
    ),
    Feature(
        "partd_makers",
        "BIGINT",
        "companies whose products of its ingredients Medicare Part D paid for, newest year known",
        missing=_PART_D,
        unit="count",
        source=_SOURCE_D,
    ),
)


def query(view: AsOf) -> str:
    """Return the prices and spending known of each drug at each date.

    Parameters
    ----------
    view : AsOf
        The view; `shortcast.features.panel.prepare` has made its tables.

    Returns
    -------
    str
        SQL with ``drug_id``, ``as_of`` and the features; logarithms are natural.

    Notes
    -----
    A rank is (rank - 1) / (peers - 1), equal prices sharing the lowest; over several classes,
    the mean. Of a year's spending in Medicare the release that first told of it counts: later
    releases repeat only some of its products.
    """
    survey = view.known(
        "drug_prices",
        # Said of the first date as well, so that the join need not look at older months at all.
        f"f.month >= DATE '{view.dates[0]}' - INTERVAL {STALE_MONTHS} MONTH "
        f"AND f.month >= d.as_of - INTERVAL {STALE_MONTHS} MONTH "
        "AND f.price_median_usd > 0 AND f.price_min_usd > 0",
        "f.drug_id, f.month, f.known_from, f.price_median_usd, f.price_min_usd, "
        "f.log_change_6m, f.log_change_12m",
    )
    classes = view.known(
        "drug_ndcs",
        "NOT f.withdrawn AND contains(f.pharm_classes, '[EPC]')",
        "f.drug_id, f.pharm_classes",
    )
    seen = view.moments("drug_prices")
    alive = reached(view, "drug_prices")
    return f"""
    WITH surveyed AS (
        SELECT s.*, d.form_group
        FROM {survey} AS s
        JOIN drugs AS d USING (drug_id)
        QUALIFY row_number() OVER (
            PARTITION BY s.as_of, s.drug_id
            ORDER BY s.month DESC, s.known_from DESC, s.price_median_usd) = 1
    ),
    ranked AS (
        SELECT as_of, drug_id,
               CASE WHEN count(*) OVER (PARTITION BY as_of, form_group) >= {MIN_PEERS}
                    THEN percent_rank() OVER (PARTITION BY as_of, form_group
                                              ORDER BY price_median_usd) END AS in_form_group
        FROM surveyed
    ),
    entries AS (
        SELECT as_of, drug_id, trim(unnest(string_split(pharm_classes || ',', '],'))) AS entry
        FROM (SELECT DISTINCT as_of, drug_id, pharm_classes FROM {classes})
    ),
    class_ranks AS (
        SELECT as_of, drug_id,
               CASE WHEN count(*) OVER peers >= {MIN_PEERS}
                    THEN percent_rank() OVER (PARTITION BY as_of, entry, form_group
                                              ORDER BY price_median_usd) END AS in_class
        FROM (SELECT DISTINCT * FROM entries WHERE ends_with(entry, '[EPC'))
        JOIN surveyed USING (as_of, drug_id)
        WINDOW peers AS (PARTITION BY as_of, entry, form_group)
    ),
    by_class AS (
        SELECT as_of, drug_id, round(avg(in_class ORDER BY in_class), 6) AS in_class
        FROM class_ranks
        GROUP BY as_of, drug_id
    ),
    part_b AS (
        {_newest_year(view, "ingredient_partb_prices")}
    ),
    part_d AS (
        {_newest_year(view, "ingredient_partd_prices", "f.makers")}
    )
    SELECT p.as_of, p.drug_id,
           CASE WHEN s.drug_id IS NOT NULL THEN 'known'
                WHEN n.as_of IS NULL THEN 'source not yet available'
                WHEN a.as_of IS NULL THEN 'source silent'
                ELSE 'not covered by the survey' END AS price_missing_reason,
           round(ln(s.price_median_usd), 6) AS log_price_median_usd,
           round(ln(s.price_min_usd), 6) AS log_price_min_usd,
           round(s.log_change_6m, 6) AS log_price_change_6m,
           round(s.log_change_12m, 6) AS log_price_change_12m,
           round(r.in_form_group, 6) AS price_rank_form_group_share,
           c.in_class AS price_rank_class_share,
           round(ln(b.price), 6) AS partb_log_price_usd,
           b.price < 5 AS partb_below_5_usd,
           round(ln(b.spending), 6) AS partb_log_spending_usd,
           round(ln(e.price), 6) AS partd_log_price_usd,
           round(ln(e.price / e.price_before), 6) AS partd_log_price_change_1y,
           round(ln(e.spending), 6) AS partd_log_spending_usd,
           e.makers AS partd_makers
    FROM panel_drugs AS p
    JOIN drugs AS d USING (drug_id)
    LEFT JOIN surveyed AS s USING (as_of, drug_id)
    LEFT JOIN ranked AS r USING (as_of, drug_id)
    LEFT JOIN by_class AS c USING (as_of, drug_id)
    LEFT JOIN part_b AS b
      ON b.as_of = p.as_of AND b.ingredient_key = d.ingredient_key AND d.form_group = 'injection'
    LEFT JOIN part_d AS e ON e.as_of = p.as_of AND e.ingredient_key = d.ingredient_key
    LEFT JOIN (SELECT DISTINCT as_of FROM {seen}) AS n ON n.as_of = p.as_of
    LEFT JOIN {alive} AS a ON a.as_of = p.as_of
    """


def _newest_year(view: AsOf, table: str, more: str = "NULL AS makers") -> str:
    """Return SQL of the newest year with a price, and the price of the year before it."""
    known = view.known(
        table,
        "f.price_usd_per_unit > 0",
        f"f.ingredient_key, f.year, f.price_usd_per_unit AS price, "
        f"CASE WHEN f.spending_usd > 0 THEN f.spending_usd END AS spending, f.known_from, {more}",
    )
    return f"""
        -- Held as a table: the joins below are on equal keys, the as-of rule is none.
        WITH years AS MATERIALIZED (
            SELECT * FROM {known}
            QUALIFY row_number() OVER (PARTITION BY as_of, ingredient_key, year
                                       ORDER BY known_from, price, spending) = 1
        )
        SELECT y.*, b.price AS price_before
        FROM (SELECT as_of, ingredient_key, max(year) AS year FROM years GROUP BY ALL)
        JOIN years AS y USING (as_of, ingredient_key, year)
        LEFT JOIN years AS b
          ON b.as_of = y.as_of AND b.ingredient_key = y.ingredient_key AND b.year = y.year - 1
    """


def evidence(view: AsOf) -> str:
    """Return the newest surveyed price of each drug and its newest prices in Medicare.

    Parameters
    ----------
    view : AsOf
        The view.

    Returns
    -------
    str
        SQL with the columns of `shortcast.features.groups.contract.Group.evidence`; of
        Medicare the two newest years.
    """
    survey = view.known(
        "drug_prices",
        f"f.month >= d.as_of - INTERVAL {STALE_MONTHS} MONTH AND f.price_median_usd > 0",
    )
    parts = "\nUNION ALL\n".join(
        f"""
        SELECT d.drug_id, f.as_of, f.event_date, f.known_from,
               concat('Medicare Part {part} paid $', round(f.price_usd_per_unit, 4),
                      ' per {unit} of ', f.ingredient_key, ' in ', f.year) AS summary,
               f.source, f.source_file, f.source_row
        FROM {view.known(table, "f.price_usd_per_unit > 0")} AS f
        JOIN drugs AS d USING (ingredient_key)
        WHERE {which}
        QUALIFY dense_rank() OVER (
            PARTITION BY f.as_of, f.ingredient_key ORDER BY f.year DESC) <= 2
        """
        for part, unit, table, which in (
            ("B", "billing unit", "ingredient_partb_prices", "d.form_group = 'injection'"),
            ("D", "unit", "ingredient_partd_prices", "TRUE"),
        )
    )
    return f"""
    SELECT drug_id, as_of, event_date, known_from,
           concat('Retail survey of ', event_date, ': median price $',
                  round(price_median_usd, 4), ' per unit (', products, ' products)',
                  ', against 12 months before: '
                      || CAST(round(100 * (exp(log_change_12m) - 1)) AS BIGINT) || ' %') AS summary,
           source, source_file, source_row
    FROM {survey}
    QUALIFY row_number() OVER (
        PARTITION BY as_of, drug_id ORDER BY month DESC, known_from DESC, source_row) = 1
    UNION ALL
    {parts}
    """


GROUP = Group(
    name="prices",
    title="Prices and spending",
    features=FEATURES,
    query=query,
    defaults={},
    evidence=evidence,
    source="NADAC survey of retail pharmacies and Medicare Part B and Part D spending (CMS)",
)
