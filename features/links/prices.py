"""Prices to drugs: the retail survey (NADAC), and Medicare's spending."""

from __future__ import annotations

import duckdb

from shortcast.features.identity.drugs import ingredients
from shortcast.features.links.mapping import map_firms, map_texts

#: Rows of the survey that are worked on together: what one drug needs is in one share, so this
#: bounds the memory and changes no value.
ROWS_AT_ONCE = 2_000_000

_PRODUCT_KEY = "substr(ndc, 1, 5) || '-' || substr(ndc, 6, 4)"


def link_prices(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``drug_prices``, ``ingredient_partb_prices`` and ``ingredient_partd_prices``.

    Tables
    ------
    drug_prices
        One row for each drug and month of the survey: ``products`` (NDCs with a price),
        ``price_median_usd`` and ``price_min_usd`` per pricing unit, and
        ``log_change_6m``, ``_12m``: the median over NDCs of the logarithm of the price
        against that of the same NDC so many months earlier (null where no NDC had one).
        Known from the day of the survey's file.
    ingredient_partb_prices
        Medicare Part B: ``ingredient_key``, ``year``, ``price_usd_per_unit``,
        ``spending_usd``; for injections.
    ingredient_partd_prices
        Medicare Part D: ``ingredient_key``, ``year``, ``price_usd_per_unit``,
        ``spending_usd``, ``makers``; mostly oral drugs.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built, with ``drug_ndcs``.
    """
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE labelled AS
        SELECT product_key, drug_id, min(known_from) AS known_from
        FROM drug_ndcs
        WHERE NOT withdrawn
        GROUP BY product_key, drug_id
        """
    )
    ((rows,),) = connection.execute("SELECT count(*) FROM nadac_prices").fetchall()
    shares = 1 + rows // ROWS_AT_ONCE
    for share in range(shares):
        into = "INSERT INTO drug_prices" if share else "CREATE TABLE drug_prices AS"
        connection.execute(f"{into} {_prices(f'hash(drug_id) % {shares} = {share}')}")
    _link_spending(connection)


def _prices(which: str) -> str:
    """Return SQL of the monthly prices of those drugs for which a condition holds."""
    return f"""
        WITH mine AS (
            SELECT * FROM labelled WHERE {which}
        ),
        -- The first survey file of each month stands for the month. A row that came out after
        -- its month says nothing of what was known then, and must not take an older one's place.
        monthly AS (
            SELECT ndc, date_trunc('month', as_of_date) AS month, as_of_date,
                   price_usd_per_unit AS price, known_from, source, source_file, source_row
            FROM nadac_prices
            WHERE NOT withdrawn AND price_usd_per_unit > 0
              AND known_from <= last_day(as_of_date)
              AND {_PRODUCT_KEY} IN (SELECT product_key FROM mine)
            QUALIFY row_number() OVER (
                PARTITION BY ndc, date_trunc('month', as_of_date)
                ORDER BY known_from, as_of_date, price_usd_per_unit) = 1
        ),
        changes AS (
            SELECT m.*, ln(m.price / a.price) AS change_6m, ln(m.price / b.price) AS change_12m
            FROM monthly AS m
            LEFT JOIN monthly AS a ON a.ndc = m.ndc AND a.month = m.month - INTERVAL 6 MONTH
             AND a.known_from <= m.known_from
            LEFT JOIN monthly AS b ON b.ndc = m.ndc AND b.month = m.month - INTERVAL 12 MONTH
             AND b.known_from <= m.known_from
        )
        SELECT d.drug_id, m.month::DATE AS month, count(*) AS products,
               median(m.price) AS price_median_usd, min(m.price) AS price_min_usd,
               median(m.change_6m) AS log_change_6m, median(m.change_12m) AS log_change_12m,
               max(m.as_of_date) AS event_date,
               greatest(max(m.known_from), max(d.known_from)) AS known_from,
               CAST(NULL AS DATE) AS known_until,
               any_value(m.source) AS source, min(m.source_file) AS source_file,
               min(m.source_row) AS source_row
        FROM changes AS m
        JOIN mine AS d
          ON d.product_key = {_PRODUCT_KEY}
         -- a listing that came later must not hold back what was known without it
         AND d.known_from <= m.known_from
        GROUP BY d.drug_id, m.month
    """


def _link_spending(connection: duckdb.DuckDBPyConnection) -> None:
    map_texts(
        connection,
        "partb_ingredients",
        "SELECT description FROM partb_spending",
        "ingredient_key",
        _injected,
    )
    connection.execute(
        """
        CREATE TABLE ingredient_partb_prices AS
        SELECT t.ingredient_key, p.year,
               sum(p.total_spending_usd) / nullif(sum(p.units), 0) AS price_usd_per_unit,
               sum(p.total_spending_usd) AS spending_usd,
               max(p.event_date) AS event_date, max(p.known_from) AS known_from,
               CAST(NULL AS DATE) AS known_until, any_value(p.source) AS source,
               min(p.source_file) AS source_file, min(p.source_row) AS source_row
        FROM partb_spending AS p
        JOIN partb_ingredients AS t USING (description)
        WHERE NOT p.withdrawn
        GROUP BY t.ingredient_key, p.year, p.known_from
        """
    )
    map_texts(
        connection,
        "partd_ingredients",
        "SELECT generic_name FROM partd_spending",
        "ingredient_key",
        lambda name: "+".join(ingredients(name)) or None,
    )
    map_firms(connection, "partd_firm", "SELECT manufacturer FROM partd_spending")
    connection.execute(
        """
        CREATE TABLE ingredient_partd_prices AS
        SELECT t.ingredient_key, p.year,
               sum(p.total_spending_usd) / nullif(sum(p.dosage_units), 0) AS price_usd_per_unit,
               sum(p.total_spending_usd) AS spending_usd,
               count(DISTINCT f.firm_id) AS makers,
               max(p.event_date) AS event_date, max(p.known_from) AS known_from,
               CAST(NULL AS DATE) AS known_until, any_value(p.source) AS source,
               min(p.source_file) AS source_file, min(p.source_row) AS source_row
        FROM partd_spending AS p
        JOIN partd_ingredients AS t USING (generic_name)
        LEFT JOIN partd_firm AS f USING (manufacturer)
        WHERE NOT p.withdrawn
        GROUP BY t.ingredient_key, p.year, p.known_from
        """
    )


def _injected(description: str) -> str | None:
    """Return the ingredient key of a Part B description such as 'Injection, x, 1 mg'."""
    parts = [part.strip() for part in description.split(",")]
    if len(parts) < 2 or parts[0].lower() not in {"injection", "inj"}:
        return None
    return "+".join(ingredients(parts[1])) or None
