"""The firms behind a drug: makers and the labelers of the NDC directory.

Recalls and inspections name companies. Some are holders of the applications, some only label
the drug (distributors, repackagers), so both are looked up; which one counts is up to the
feature. None of this reaches a plant.
"""

from __future__ import annotations

from shortcast.features.asof import AsOf


def drug_firms(view: AsOf) -> str:
    """Return SQL of the firms of each drug, as known at each date.

    Parameters
    ----------
    view : AsOf
        The view; `shortcast.features.panel.prepare` has made its tables.

    Returns
    -------
    str
        SQL in parentheses with ``as_of``, ``drug_id``, ``firm_id``, ``products`` (marketed
        products that the firm holds; 0: not a maker) and ``listings`` (its NDCs of the drug
        in the directory; 0: not a labeler). One row a firm.
    """
    listings = view.known(
        "drug_ndcs",
        "NOT f.withdrawn AND f.firm_id IS NOT NULL",
        "f.drug_id, f.firm_id, f.product_ndc",
    )
    return f"""(
        SELECT as_of, drug_id, firm_id,
               CAST(sum(products) AS BIGINT) AS products, CAST(sum(listings) AS BIGINT) AS listings
        FROM (
            SELECT as_of, drug_id, firm_id, products, 0 AS listings FROM market_makers
            UNION ALL
            SELECT as_of, drug_id, firm_id, 0, count(DISTINCT product_ndc)
            FROM {listings}
            GROUP BY as_of, drug_id, firm_id
        )
        GROUP BY as_of, drug_id, firm_id
    )"""
