"""Makers: who holds marketed applications for the drug, who came and who left.

A maker is the holder of an approved application that is marketed; labelers of the NDC
directory include repackagers and are counted apart. Holders are companies, not plants.
"""

from __future__ import annotations

from shortcast.features.asof import AsOf
from shortcast.features.groups.contract import Feature, Group

_NO_MARKETED = "no marketed application is known for this drug"
_NO_HOLDER = "the holders of this drug's applications are not known"
_NO_LISTING = "no listing in the NDC directory is known for this drug"

#: Months over which entries and exits are counted.
WINDOW_MONTHS = 24

FEATURES = (
    Feature(
        "applications_marketed",
        "BIGINT",
        "approved applications for this drug on the market",
        unit="count",
    ),
    Feature(
        "holders",
        "BIGINT",
        "makers (holders of marketed applications)",
        unit="count",
    ),
    Feature(
        "generics_marketed",
        "BIGINT",
        "generic applications (ANDA) for this drug on the market",
        unit="count",
    ),
    Feature(
        "products_marketed",
        "BIGINT",
        "approved products (strengths) of this drug on the market",
        unit="count",
    ),
    Feature(
        "single_source",
        "BOOLEAN",
        "only one maker is on the market",
        missing=_NO_MARKETED,
    ),
    Feature(
        "holders_concentration",
        "DOUBLE",
        "concentration of its products among makers (Herfindahl index; 1 is a single maker)",
        missing=_NO_MARKETED,
        unit="index",
    ),
    Feature(
        "labelers",
        "BIGINT",
        "labelers in the NDC directory",
        unit="count",
        source="NDC directory",
    ),
    Feature(
        "is_repackager_only",
        "BOOLEAN",
        "every labeler in the directory is a firm without a marketed application of its own",
        missing=f"{_NO_LISTING}, or holders are not yet known",
        source="NDC directory",
    ),
    Feature(
        "entries_24m",
        "BIGINT",
        "applications first approved in the last 24 months",
        unit="count",
    ),
    Feature(
        "exits_24m",
        "BIGINT",
        "products that left the market in the last 24 months, as the product lists show",
        missing="no newer product list became known in those months",
        unit="count",
    ),
    Feature(
        "discontinued_share",
        "DOUBLE",
        "share of its approved applications that are no longer marketed",
        missing="no approved application is known for this drug",
        unit="share",
    ),
    Feature(
        "months_since_last_entry",
        "DOUBLE",
        "time since the newest application for this drug was approved",
        missing="no approval date is known for this drug",
        unit="months",
    ),
    Feature(
        "firm_drugs_max",
        "BIGINT",
        "drugs that its largest maker (company) makes",
        missing=_NO_HOLDER,
        unit="count",
    ),
    Feature(
        "firm_drugs_median",
        "DOUBLE",
        "drugs that its makers (companies) make, median of the makers",
        missing=_NO_HOLDER,
        unit="count",
    ),
    Feature(
        "firm_injections_max",
        "BIGINT",
        "injections that its largest maker of injections (company) makes",
        missing=_NO_HOLDER,
        unit="count",
    ),
)


def query(view: AsOf) -> str:
    """Return the makers of each drug, their number, concentration and turnover, as known.

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
    An exit is a product once told to be on prescription that the lists show as discontinued or
    not at all; it counts from the first list that shows it, which may be long after the fact.
    The list of 2012 names no holders: until the next one each application counts as its own.
    """
    lists = view.moments("drug_products", "TRUE", "observed_at")
    listings = view.known("drug_ndcs", "NOT f.withdrawn", "f.drug_id, f.firm_id")
    return f"""
    WITH by_holder AS (
        SELECT as_of, drug_id, holder, count(*) AS products
        FROM market_products
        WHERE is_marketed
        GROUP BY as_of, drug_id, holder
    ),
    held AS (
        SELECT as_of, drug_id, count(*) AS holders,
               round(sum(products * products) / power(sum(products), 2), 6) AS concentration
        FROM by_holder
        GROUP BY as_of, drug_id
    ),
    applications AS (
        SELECT as_of, drug_id, application_no, bool_or(is_marketed) AS is_marketed,
               count_if(is_marketed) AS products, min(approval_date) AS approved_on,
               bool_or(is_marketed AND application_type = 'ANDA') AS is_generic
        FROM market_products
        GROUP BY as_of, drug_id, application_no
    ),
    counted AS (
        SELECT as_of, drug_id, count_if(is_marketed) AS applications_marketed,
               count_if(is_generic) AS generics_marketed,
               sum(products) AS products_marketed,
               count_if(approved_on >= as_of - INTERVAL {WINDOW_MONTHS} MONTH) AS entries,
               round(1 - count_if(is_marketed) / count(*), 6) AS discontinued_share,
               max(approved_on) AS last_entry
        FROM applications
        GROUP BY as_of, drug_id
    ),
    left_lately AS (
        SELECT as_of, drug_id, count(*) AS exits
        FROM market_products
        WHERE left_on >= as_of - INTERVAL {WINDOW_MONTHS} MONTH
        GROUP BY as_of, drug_id
    ),
    -- Exits show only where a newer list follows an older one.
    followed AS (
        SELECT as_of
        FROM {lists}
        GROUP BY as_of
        HAVING max(observed_at) >= as_of - INTERVAL {WINDOW_MONTHS} MONTH
        INTERSECT
        SELECT DISTINCT as_of FROM market_products WHERE has_left
    ),
    portfolios AS (
        SELECT m.as_of, m.firm_id, count(*) AS drugs,
               count_if(d.form_group = 'injection') AS injections
        FROM market_makers AS m
        JOIN drugs AS d USING (drug_id)
        GROUP BY m.as_of, m.firm_id
    ),
    firms AS (
        SELECT m.as_of, m.drug_id, max(p.drugs) AS drugs_max, median(p.drugs) AS drugs_median,
               max(p.injections) AS injections_max
        FROM market_makers AS m
        JOIN portfolios AS p USING (as_of, firm_id)
        GROUP BY m.as_of, m.drug_id
    ),
    holders_known AS (
        SELECT DISTINCT as_of FROM market_makers
    ),
    labeled AS (
        SELECT l.as_of, l.drug_id, count(DISTINCT l.firm_id) AS labelers,
               bool_and(p.firm_id IS NULL) AS only_repackagers
        FROM (SELECT DISTINCT as_of, drug_id, firm_id FROM {listings}) AS l
        LEFT JOIN portfolios AS p USING (as_of, firm_id)
        GROUP BY l.as_of, l.drug_id
    )
    SELECT p.as_of, p.drug_id,
           coalesce(c.applications_marketed, 0) AS applications_marketed,
           coalesce(h.holders, 0) AS holders,
           coalesce(c.generics_marketed, 0) AS generics_marketed,
           coalesce(c.products_marketed, 0) AS products_marketed,
           h.holders = 1 AS single_source,
           h.concentration AS holders_concentration,
           coalesce(l.labelers, 0) AS labelers,
           CASE WHEN k.as_of IS NOT NULL THEN l.only_repackagers END AS is_repackager_only,
           coalesce(c.entries, 0) AS entries_24m,
           CASE WHEN n.as_of IS NOT NULL THEN coalesce(x.exits, 0) END AS exits_24m,
           c.discontinued_share,
           round((p.as_of - c.last_entry) / 30.4375, 2) AS months_since_last_entry,
           f.drugs_max AS firm_drugs_max,
           f.drugs_median AS firm_drugs_median,
           f.injections_max AS firm_injections_max
    FROM panel_drugs AS p
    LEFT JOIN counted AS c USING (as_of, drug_id)
    LEFT JOIN held AS h USING (as_of, drug_id)
    LEFT JOIN labeled AS l USING (as_of, drug_id)
    LEFT JOIN left_lately AS x USING (as_of, drug_id)
    LEFT JOIN firms AS f USING (as_of, drug_id)
    LEFT JOIN followed AS n USING (as_of)
    LEFT JOIN holders_known AS k USING (as_of)
    """


def evidence(view: AsOf) -> str:
    """Return the approved products of each drug and their state, as the lists show them.

    Parameters
    ----------
    view : AsOf
        The view.

    Returns
    -------
    str
        SQL with the columns of `shortcast.features.groups.contract.Group.evidence`.
    """
    products = view.known("drug_products")
    approvals = view.known("drug_approvals", "f.approval_date >= d.as_of - INTERVAL 24 MONTH")
    return f"""
    WITH named AS (
        SELECT as_of, drug_id, application_no, product_no, holder, trade_name, strength
        FROM {products}
        QUALIFY row_number() OVER (
            PARTITION BY as_of, drug_id, application_no, product_no
            ORDER BY known_from DESC, source, source_row) = 1
    )
    SELECT drug_id, as_of, event_date, known_from,
           concat_ws(' ', application_type, application_no || ',', holder || ',', trade_name,
                     strength || ':', CASE WHEN withdrawn THEN 'no longer in the list'
                                           ELSE status END) AS summary,
           source, source_file, source_row
    FROM {products}
    UNION ALL
    SELECT a.drug_id, a.as_of, a.approval_date, a.known_from,
           concat_ws(' ', a.application_type, a.application_no || coalesce(' of ' || p.holder, ''),
                     'approved' || coalesce(
                         ': ' || nullif(concat_ws(' ', p.trade_name, p.strength), ''), '')),
           a.source, a.source_file, a.source_row
    FROM {approvals} AS a
    LEFT JOIN named AS p USING (as_of, drug_id, application_no, product_no)
    """


GROUP = Group(
    name="makers",
    title="Makers",
    features=FEATURES,
    query=query,
    defaults={},
    evidence=evidence,
    source="Orange Book and Drugs@FDA",
)
