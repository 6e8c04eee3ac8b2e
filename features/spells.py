"""Shortage spells: in hindsight for outcomes, and as known at a date for features.

Rules (design, section 5):

* An **onset** is a drug's first ``Current`` listing after at least six months without one.
* A notice of discontinuation is not a shortage; it is an outcome of its own.
* The ends of spells lie between captures: ``end_date_earliest`` is the last day on which the
  list is known to have shown the drug as ``Current``, ``end_date_latest`` the first on which
  it is known not to have. A resolution that the list dates itself has both on that day.
* Absence counts as an end only after two captures in a row.
"""

from __future__ import annotations

import duckdb

from shortcast.features.asof import AsOf

#: Months without a current listing after which a new one is an onset.
QUIET_MONTHS = 6

#: Tables that the outcome tables are made from.
NEEDS = (
    *("snapshots", "drug_postings", "drug_listing_states", "drug_html_spells"),
    "drug_discontinuations",
)

#: Stands for the unknown start of a listing whose posting date the list does not give; such a
#: listing was there before, so its start is no onset.
LONG_AGO = "1900-01-01"


def make_spells(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the outcome tables from all that the archive knows.

    These tables look back from the end of the records. They are read for outcomes only;
    no feature may read them.

    Tables
    ------
    shortage_spells
        ``drug_id``, ``onset_date``, ``known_from`` (when the onset was public),
        ``end_date_earliest``, ``end_date_latest`` (null while it lasts), ``first_ever``.
    discontinuations
        ``drug_id``, ``event_date``, ``firm_id``, ``known_from``: notices that a maker
        discontinues.
    records_reach
        One row, ``records_end``: the last day that the shortage records reach.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built, with the link tables.
    """
    connection.execute(
        f"""
        CREATE TABLE shortage_spells AS
        WITH captures AS (
            SELECT source, as_of, row_number() OVER (PARTITION BY source ORDER BY as_of) AS number
            FROM snapshots
            WHERE state = 'accepted'
        ),
        -- What each capture showed of each listing, from the versions of the list.
        states AS (
            SELECT *, lead(known_from) OVER listing AS next_from
            FROM drug_listing_states
            WINDOW listing AS (
                PARTITION BY source, generic_name, company_name, presentation, occurrence
                ORDER BY known_from, withdrawn)
        ),
        -- Absence in one capture alone is a flicker, or not yet an end: it is passed over.
        lasting AS (
            SELECT *
            FROM states AS s
            WHERE NOT withdrawn
               OR (SELECT count(*) FROM captures AS c
                   WHERE c.source = s.source AND c.as_of >= s.known_from
                     AND (s.next_from IS NULL OR c.as_of < s.next_from)) >= 2
        ),
        followed AS (
            SELECT *, lead(known_from) OVER listing AS ended_from,
                   CASE WHEN lead(status) OVER listing = 'Resolved'
                             AND NOT lead(withdrawn) OVER listing
                        THEN lead(change_date) OVER listing END AS resolved_on
            FROM lasting
            WINDOW listing AS (
                PARTITION BY source, generic_name, company_name, presentation, occurrence
                ORDER BY known_from, withdrawn)
        ),
        shown AS (
            SELECT *, greatest(known_from, (
                       SELECT max(c.as_of) FROM captures AS c
                       WHERE c.source = f.source
                         AND (f.next_from IS NULL OR c.as_of < f.next_from))) AS last_shown
            FROM followed AS f
        ),
        current_spans AS (
            SELECT drug_id, coalesce(initial_posting_date, DATE '{LONG_AGO}') AS started,
                   last_shown,
                   -- a resolution counts from the day that the list gives, if it can be
                   CASE WHEN resolved_on < ended_from THEN greatest(resolved_on, last_shown)
                        ELSE ended_from END AS not_shown
            FROM shown
            WHERE status = 'Current' AND NOT withdrawn
            UNION ALL
            -- A resolved listing was current from its posting to the first that is known of its
            -- resolution; that it is still listed, or again, says nothing more.
            SELECT drug_id, initial_posting_date, resolved, resolved
            FROM (
                SELECT drug_id, initial_posting_date,
                       min(coalesce(change_date, known_from)) AS resolved
                FROM shown
                WHERE status = 'Resolved' AND NOT withdrawn AND initial_posting_date IS NOT NULL
                GROUP BY drug_id, initial_posting_date, source, generic_name, company_name,
                         presentation, occurrence
            )
            WHERE initial_posting_date <= resolved
            UNION ALL
            -- The HTML list is followed until captures of the CSV list begin, as features do:
            -- it gives the first and the last page of an entry, and hides what lay between.
            SELECT drug_id, first_seen, least(last_seen, takes_over),
                   least(greatest(known_until, last_seen), takes_over)
            FROM drug_html_spells,
                 (SELECT min(as_of) AS takes_over FROM captures WHERE source = 'fda_shortages')
            WHERE status = 'Current' AND NOT withdrawn
        ),
        -- Walk through a drug's spans by their start; a span that begins less than six
        -- months after all earlier ones had ended belongs to the same spell.
        walked AS (
            SELECT *, max(coalesce(not_shown, DATE '9999-12-31')) OVER (
                       PARTITION BY drug_id ORDER BY started, not_shown NULLS LAST
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS earlier_end
            FROM current_spans
            WHERE drug_id IS NOT NULL AND started IS NOT NULL
        ),
        marked AS (
            SELECT *, count_if(earlier_end IS NULL
                               OR started >= earlier_end + INTERVAL {QUIET_MONTHS} MONTH) OVER (
                       PARTITION BY drug_id ORDER BY started, not_shown NULLS LAST) AS spell
            FROM walked
        ),
        spells AS (
            SELECT drug_id, spell, min(started) AS onset_date,
                   max(last_shown) AS end_date_earliest,
                   CASE WHEN bool_or(not_shown IS NULL) THEN NULL ELSE max(not_shown) END
                       AS end_date_latest
            FROM marked
            GROUP BY drug_id, spell
        ),
        announced AS (
            SELECT drug_id, event_date, min(known_from) AS known_from
            FROM (
                SELECT drug_id, event_date, known_from FROM drug_postings
                WHERE posted_as = 'Current'
                UNION ALL
                SELECT drug_id, first_seen, first_seen FROM drug_html_spells WHERE NOT withdrawn
            )
            GROUP BY drug_id, event_date
        )
        SELECT s.drug_id, s.onset_date, coalesce(a.known_from, s.onset_date) AS known_from,
               s.end_date_earliest, s.end_date_latest, s.spell = 1 AS first_ever
        FROM spells AS s
        LEFT JOIN announced AS a ON a.drug_id = s.drug_id AND a.event_date = s.onset_date
        WHERE s.onset_date > DATE '{LONG_AGO}'
        ORDER BY onset_date, drug_id
        """
    )
    connection.execute(
        """
        CREATE TABLE discontinuations AS
        SELECT drug_id, event_date, firm_id, min(known_from) AS known_from
        FROM drug_discontinuations
        WHERE drug_id IS NOT NULL AND event_date IS NOT NULL
        GROUP BY drug_id, event_date, firm_id
        ORDER BY event_date, drug_id, firm_id
        """
    )
    connection.execute(
        """
        CREATE TABLE records_reach AS
        SELECT max(as_of) AS records_end
        FROM snapshots
        WHERE state = 'accepted' AND source = 'fda_shortages'
        """
    )


def known_listings(view: AsOf) -> str:
    """Return SQL of the listings on the shortage list, as known at each as-of date.

    A posting counts as current until a state of the same listing says otherwise: resolved,
    discontinued, or gone from the list.

    Parameters
    ----------
    view : AsOf
        The view.

    Returns
    -------
    str
        SQL in parentheses with ``as_of``, ``drug_id``, ``firm_id``, ``posted_on``,
        ``is_current`` and ``ended_on`` (the day of the change that the list gives for its end,
        else when the end became known; null while current).
    """
    postings = view.known("drug_postings", "f.posted_as = 'Current'")
    states = view.known("drug_listing_states")
    html = view.known("drug_html_spells", "f.status = 'Current'")
    return f"""(
        SELECT p.as_of, p.drug_id, p.firm_id, p.event_date AS posted_on,
               bool_or(coalesce(s.status = 'Current' AND NOT s.withdrawn
                                -- posted again since: this posting is over
                                AND NOT coalesce(s.initial_posting_date > p.event_date, FALSE),
                                s.status IS NULL)) AS is_current,
               -- a resolved row leaves the list long after it was resolved: the day it gives
               CASE WHEN NOT is_current THEN max(
                   CASE WHEN s.status = 'Current' THEN s.known_from
                        ELSE least(coalesce(s.change_date, s.update_date), s.known_from) END)
               END AS ended_on
        FROM {postings} AS p
        LEFT JOIN {states} AS s
          ON s.as_of = p.as_of AND s.source = p.source AND s.generic_name = p.generic_name
         AND s.company_name = p.company_name AND s.presentation = p.presentation
        GROUP BY p.as_of, p.drug_id, p.firm_id, p.event_date, p.source, p.generic_name,
                 p.company_name, p.presentation
        UNION ALL
        SELECT as_of, drug_id, NULL, first_seen, NOT withdrawn,
               CASE WHEN withdrawn THEN known_from END
        FROM {html}
    )"""
