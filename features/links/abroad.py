"""Shortages in Canada and the United Kingdom to drugs and ingredients."""

from __future__ import annotations

import duckdb

from shortcast.features.identity.drugs import from_canada, from_uk_product
from shortcast.features.links.mapping import map_drugs


def link_abroad(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``abroad_reports``: shortages abroad by ingredient and, where told, drug.

    Columns are ``country`` (CA, UK), ``kind`` (shortage, discontinuation, concession),
    ``report_id``, ``product`` (as the source writes it), ``drug_id``, ``ingredient_key``,
    ``form_group``, ``event_date`` and times.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built.
    """
    map_drugs(
        connection,
        "canada_drug",
        # The voluntary list states no ingredients, only the common name.
        "SELECT coalesce(ingredients, common_name) AS ingredient_text, dosage_form, route "
        "FROM canada_reports",
        from_canada,
    )
    map_drugs(connection, "uk_drug", "SELECT product FROM uk_concessions", from_uk_product)
    connection.execute(
        """
        CREATE TABLE abroad_reports AS
        SELECT 'CA' AS country, lower(r.report_type) AS kind, r.report_id,
               coalesce(r.brand_name, r.ingredients) AS product, d.drug_id, d.ingredient_key,
               d.form_group, r.event_date, r.known_from, r.known_until,
               r.source, r.source_file, r.source_row
        FROM canada_reports AS r
        JOIN canada_drug AS d
          ON d.ingredient_text IS NOT DISTINCT FROM coalesce(r.ingredients, r.common_name)
         AND d.dosage_form IS NOT DISTINCT FROM r.dosage_form
         AND d.route IS NOT DISTINCT FROM r.route
        WHERE NOT r.withdrawn
        UNION ALL
        SELECT 'UK', 'concession', NULL, c.product, d.drug_id, d.ingredient_key,
               d.form_group, c.event_date, c.known_from, c.known_until,
               c.source, c.source_file, c.source_row
        FROM uk_concessions AS c
        JOIN uk_drug AS d USING (product)
        WHERE NOT c.withdrawn
        """
    )
