"""Shortage listings to drugs and firms."""

from __future__ import annotations

import duckdb

from shortcast.features.identity.drugs import from_generic_name
from shortcast.features.links.mapping import map_drugs, map_firms

_TIMES = (
    "event_date, observed_at, known_from, known_until, withdrawn, source, source_file, "
    "source_row, occurrence"
)


def link_listings(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``drug_postings``, ``drug_listing_states``, ``drug_html_spells`` and others.

    Tables
    ------
    drug_postings
        Presentations put on the shortage list, with ``drug_id``, ``firm_id`` and times.
    drug_listing_states
        States of listings: status, availability, reason, and times. ``drug_id`` is null
        where the name leads to no drug.
    drug_html_spells
        Entries of the older HTML list.
    drug_discontinuations
        Notices of discontinuation, one for each listing that says so.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built.
    """
    map_drugs(
        connection,
        "listing_drug",
        """
        SELECT generic_name, presentation FROM shortage_postings
        UNION SELECT generic_name, presentation FROM shortage_listings
        UNION SELECT generic_name, '' FROM shortage_html_spells
        """,
        from_generic_name,
        lasting=True,
    )
    map_firms(
        connection,
        "listing_firm",
        "SELECT company_name FROM shortage_postings "
        "UNION SELECT company_name FROM shortage_listings",
    )
    connection.execute(
        f"""
        CREATE TABLE drug_postings AS
        SELECT d.drug_id, f.firm_id, p.generic_name, p.company_name, p.presentation,
               p.posted_as, p.{_TIMES.replace(", ", ", p.")}
        FROM shortage_postings AS p
        JOIN listing_drug AS d USING (generic_name, presentation)
        LEFT JOIN listing_firm AS f USING (company_name)
        """
    )
    connection.execute(
        f"""
        CREATE TABLE drug_listing_states AS
        SELECT d.drug_id, f.firm_id, s.generic_name, s.company_name, s.presentation, s.status,
               s.availability, s.reason_category, s.therapeutic_category, s.update_type,
               s.initial_posting_date, s.change_date, s.update_date, s.discontinued_date,
               s.{_TIMES.replace(", ", ", s.")}
        FROM shortage_listings AS s
        LEFT JOIN listing_drug AS d USING (generic_name, presentation)
        LEFT JOIN listing_firm AS f USING (company_name)
        """
    )
    connection.execute(
        f"""
        CREATE TABLE drug_html_spells AS
        -- Where captures of the CSV list begin, the older HTML list has said its last: the CSV
        -- shows the same list.
        WITH takes_over AS (
            SELECT min(as_of) AS day FROM snapshots
            WHERE source = 'fda_shortages' AND state = 'accepted'
        ),
        ended AS (
            SELECT h.* REPLACE (
                CASE WHEN known_from >= day THEN known_from  -- at no date visible
                     WHEN NOT withdrawn THEN least(known_until, day)
                     ELSE known_until END AS known_until)
            FROM shortage_html_spells AS h, takes_over
            -- An older entry that became known later still serves the outcomes.
            WHERE known_from < day OR day IS NULL OR (first_seen < day AND NOT withdrawn)
        ),
        versions AS (
            SELECT * FROM ended
            UNION ALL
            SELECT ended.* REPLACE (known_until AS known_from, NULL AS known_until,
                                   TRUE AS withdrawn)
            FROM ended, takes_over
            WHERE NOT withdrawn AND known_from < day AND known_until = day
        )
        SELECT d.drug_id, h.generic_name, h.status, h.first_seen, h.last_seen,
               h.{_TIMES.replace(", ", ", h.")}
        FROM versions AS h
        JOIN listing_drug AS d ON d.generic_name = h.generic_name AND d.presentation = ''
        """
    )
    connection.execute(
        """
        CREATE TABLE drug_discontinuations AS
        SELECT drug_id, firm_id, generic_name, company_name, presentation,
               coalesce(discontinued_date, change_date, update_date, known_from) AS event_date,
               known_from, CAST(NULL AS DATE) AS known_until, source, source_file, source_row
        FROM drug_listing_states
        WHERE status = 'To Be Discontinued' AND NOT withdrawn
        QUALIFY row_number() OVER (
            PARTITION BY source, generic_name, company_name, presentation, occurrence
            ORDER BY known_from) = 1
        UNION ALL
        SELECT drug_id, firm_id, generic_name, company_name, presentation, event_date,
               known_from, NULL, source, source_file, source_row
        FROM drug_postings
        WHERE posted_as = 'To Be Discontinued'
        """
    )
