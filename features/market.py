"""Who makes what, as known at each as-of date: shared by the panel and its groups.

The state of an approved product comes from the newest visible vintage of the product lists
(Drugs@FDA, Orange Book); an approval that is younger than the newest visible vintage counts as
marketed until a vintage says otherwise, unless all that is known of its drug is sold without
prescription. The holder of such an approval is not yet known and
the application stands in for it.
"""

from __future__ import annotations

from shortcast.features.asof import AsOf


def make_market(view: AsOf) -> None:
    """Create the temporary tables that describe the market at each date of the view.

    Tables
    ------
    market_products
        ``as_of``, ``drug_id``, ``application_no``, ``product_no``, ``application_type``
        (NDA, ANDA, BLA), ``firm_id`` (null while the holder is not known), ``holder`` (the
        firm, or the application where it is not known), ``is_marketed``, ``approval_date``
        (null if not known), ``has_left`` (once told to be on prescription, now discontinued
        or gone), ``left_on`` (from when on that has been told). One row a product.
    market_makers
        ``as_of``, ``drug_id``, ``firm_id``, ``products``: holders of marketed products,
        only those whose firm is known.
    market_drugs
        ``as_of``, ``drug_id``: the universe; drugs with a marketed prescription product, a
        listing in the NDC directory, or a posting on the shortage list.

    Parameters
    ----------
    view : AsOf
        The view; its connection gets the tables.
    """
    connection = view.connection
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE market_products AS
        WITH ranked AS (
            -- Every version's place in one order, which no later version changes: to sort once
            -- is less work than to sort at each date.
            SELECT drug_id, application_no, product_no, application_type, firm_id,
                   status = 'prescription' AND NOT withdrawn AS is_marketed, left_on,
                   known_from, known_until,
                   row_number() OVER (
                       ORDER BY known_from, observed_at, source DESC, occurrence DESC) AS place
            FROM drug_products
        ),
        states AS (
            -- The newest vintage that is visible decides; where both lists do, the later.
            SELECT n.as_of, r.*
            FROM (
                SELECT as_of, max(place) AS place
                FROM {view.known("ranked")}
                GROUP BY as_of, drug_id, application_no, product_no
            ) AS n
            JOIN ranked AS r USING (place)
        ),
        vintages AS (
            SELECT as_of, max(observed_at) AS newest
            FROM {view.moments("drug_products", "TRUE", "observed_at")}
            GROUP BY as_of
        ),
        -- A new product of a drug that the lists know without prescription only is one more.
        kinds AS (
            SELECT as_of, drug_id, bool_and(status = 'otc') AS is_otc
            FROM {view.known("drug_products", "NOT f.withdrawn AND f.status IS NOT NULL")}
            GROUP BY as_of, drug_id
        ),
        approvals AS (
            SELECT as_of, drug_id, application_no, product_no,
                   any_value(application_type ORDER BY known_from, source) AS application_type,
                   min(approval_date) AS approval_date
            FROM {view.known("drug_approvals")}
            GROUP BY as_of, drug_id, application_no, product_no
        )
        SELECT as_of, drug_id, application_no, product_no,
               coalesce(s.application_type, a.application_type) AS application_type,
               s.firm_id,
               coalesce(s.firm_id, application_no) AS holder,
               coalesce(s.is_marketed,
                        (a.approval_date > v.newest OR v.newest IS NULL)
                        AND NOT coalesce(k.is_otc, FALSE), FALSE) AS is_marketed,
               a.approval_date,
               s.left_on IS NOT NULL AS has_left, s.left_on
        FROM states AS s
        FULL JOIN approvals AS a USING (as_of, drug_id, application_no, product_no)
        LEFT JOIN vintages AS v USING (as_of)
        LEFT JOIN kinds AS k USING (as_of, drug_id)
        """
    )
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE market_makers AS
        SELECT as_of, drug_id, firm_id, count(*) AS products
        FROM market_products
        WHERE is_marketed AND firm_id IS NOT NULL
        GROUP BY as_of, drug_id, firm_id
        """
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE market_drugs AS
        SELECT DISTINCT as_of, drug_id
        FROM (
            SELECT as_of, drug_id FROM market_products WHERE is_marketed
            UNION ALL
            SELECT as_of, drug_id FROM {view.known("drug_ndcs", "NOT f.withdrawn")}
            UNION ALL
            SELECT as_of, drug_id FROM {view.known("drug_postings")}
            UNION ALL
            SELECT as_of, drug_id FROM {view.known("drug_html_spells")}
        )
        WHERE drug_id IN (SELECT drug_id FROM drugs)
        """
    )
