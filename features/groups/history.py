"""Shortage history: past and present listings of the drug and of drugs like it.

The history of past shortages is the strongest single public signal of the next one. Spells
follow the outcome's own rule (`shortcast.features.spells`): a listing that begins at least six
months after all earlier ones had ended opens a new spell; here they are built from nothing but
what was known at the as-of date.
"""

from __future__ import annotations

from shortcast.features.asof import AsOf
from shortcast.features.groups.contract import Feature, Group, shortened
from shortcast.features.spells import LONG_AGO, QUIET_MONTHS

_NEVER = "never on the shortage list as far as the records reach"
_NO_MAKER = "no holder of a marketed application is known for this drug"
_NO_CLASS = "no listing in the NDC directory states an established pharmacologic class"

FEATURES = (
    Feature(
        "listings_before",
        "BIGINT",
        "shortages of this drug so far, past and present",
        monotone=1,
        unit="count",
    ),
    Feature(
        "ever_listed",
        "BOOLEAN",
        "has been on the shortage list before",
        monotone=1,
    ),
    Feature(
        "months_since_shortage_end",
        "DOUBLE",
        "time since this drug was last on the shortage list",
        missing=_NEVER,
        unit="months",
        monotone=-1,
    ),
    Feature(
        "months_since_shortage_onset",
        "DOUBLE",
        "time since the last shortage of this drug began",
        missing=f"{_NEVER}, or the list gives no date of posting",
        unit="months",
    ),
    Feature(
        "months_listed_5y",
        "DOUBLE",
        "time on the shortage list in the last five years",
        unit="months",
        monotone=1,
    ),
    Feature(
        "ingredient_forms_short",
        "BIGINT",
        "other forms of the same ingredient in shortage",
        unit="count",
        monotone=1,
    ),
    Feature(
        "ingredient_listings_before",
        "BIGINT",
        "shortages of other forms of the same ingredient so far",
        unit="count",
    ),
    Feature(
        "shared_ingredient_drugs_short",
        "BIGINT",
        "other drugs in shortage that contain one of its ingredients",
        unit="count",
    ),
    Feature(
        "class_short_share",
        "DOUBLE",
        "share of other drugs of the same pharmacologic class in shortage",
        missing=_NO_CLASS,
        unit="share",
        monotone=1,
    ),
    Feature(
        "class_onsets_12m",
        "BIGINT",
        "drugs of the same pharmacologic class with a new shortage in the last 12 months",
        missing=_NO_CLASS,
        unit="count",
    ),
    Feature(
        "form_group_short_share",
        "DOUBLE",
        "share of other drugs of the same form group in shortage",
        missing="no other drug of this form group is marketed",
        unit="share",
    ),
    Feature(
        "makers_other_drugs_short_share",
        "DOUBLE",
        "share of its makers' other drugs in shortage",
        missing=_NO_MAKER,
        unit="share",
        monotone=1,
    ),
    Feature(
        "makers_other_drugs_onsets_12m",
        "BIGINT",
        "new shortages among its makers' other drugs in the last 12 months",
        missing=_NO_MAKER,
        unit="count",
    ),
)


def query(view: AsOf) -> str:
    """Return the shortage history of each drug and of its neighbours at each date.

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
    A neighbour that shares two classes, or two makers, counts once for each: the shares are
    weighted by how closely drugs are related, and the work stays linear in the panel.
    """
    classes = view.known(
        "drug_ndcs",
        "NOT f.withdrawn AND contains(f.pharm_classes, '[EPC]')",
        "f.drug_id, f.pharm_classes",
    )
    return f"""
    WITH spans AS (
        SELECT DISTINCT as_of, drug_id, coalesce(posted_on, DATE '{LONG_AGO}') AS started,
               CASE WHEN is_current THEN as_of
                    ELSE greatest(ended_on, posted_on) END AS ended
        FROM known_listings
        WHERE drug_id IS NOT NULL
    ),
    walked AS (
        SELECT *, max(ended) OVER (
                   PARTITION BY as_of, drug_id ORDER BY started, ended
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS earlier_end
        FROM spans
    ),
    opened AS (
        SELECT *, earlier_end IS NULL
                  OR started >= earlier_end + INTERVAL {QUIET_MONTHS} MONTH AS opens,
               greatest(started, earlier_end, CAST(as_of - INTERVAL 5 YEAR AS DATE)) AS new_from
        FROM walked
    ),
    own AS (
        SELECT as_of, drug_id, count_if(opens) AS listings_before,
               nullif(max(CASE WHEN opens THEN started END), DATE '{LONG_AGO}') AS last_onset,
               max(ended) AS last_end,
               -- each day counts once: from where earlier listings had ended
               sum(greatest(ended - new_from, 0)) AS days_listed
        FROM opened
        GROUP BY as_of, drug_id
    ),
    base AS (
        SELECT p.as_of, p.drug_id, CAST(p.is_current AS INTEGER) AS short,
               coalesce(o.listings_before, 0) AS listings_before,
               o.last_onset, o.last_end, coalesce(o.days_listed, 0) AS days_listed,
               CAST(coalesce(o.last_onset >= p.as_of - INTERVAL 12 MONTH, FALSE) AS INTEGER)
                   AS recent,
               d.ingredient_key, d.form_group
        FROM panel_drugs AS p
        JOIN drugs AS d USING (drug_id)
        LEFT JOIN own AS o USING (as_of, drug_id)
    ),
    -- Pairs of different drugs with an ingredient in common, though not the same set of them.
    contents AS (
        SELECT drug_id, ingredient_key, unnest(ingredients) AS ingredient FROM drugs
    ),
    relatives AS (
        SELECT DISTINCT a.drug_id, b.drug_id AS other_id
        FROM contents AS a
        JOIN contents AS b USING (ingredient)
        WHERE a.ingredient_key <> b.ingredient_key
    ),
    shared AS (
        SELECT b.as_of, r.drug_id, sum(b.short) AS short
        FROM base AS b
        JOIN relatives AS r ON r.other_id = b.drug_id
        WHERE b.short = 1
        GROUP BY b.as_of, r.drug_id
    ),
    stated AS (
        SELECT DISTINCT as_of, drug_id, pharm_classes FROM {classes}
    ),
    entries AS (
        SELECT as_of, drug_id, trim(unnest(string_split(pharm_classes || ',', '],'))) AS entry
        FROM stated
    ),
    members AS (
        SELECT DISTINCT e.as_of, e.drug_id, e.entry AS class, b.short, b.recent
        FROM entries AS e
        JOIN base AS b USING (as_of, drug_id)
        WHERE ends_with(e.entry, '[EPC')
    ),
    by_class AS (
        SELECT as_of, drug_id, sum(others) AS others, sum(short) AS short, sum(recent) AS recent
        FROM (
            SELECT as_of, drug_id, count(*) OVER class - 1 AS others,
                   sum(short) OVER class - short AS short,
                   sum(recent) OVER class - recent AS recent
            FROM members
            WINDOW class AS (PARTITION BY as_of, class)
        )
        GROUP BY as_of, drug_id
    ),
    by_maker AS (
        SELECT as_of, drug_id, sum(others) AS others, sum(short) AS short, sum(recent) AS recent
        FROM (
            SELECT m.as_of, m.drug_id, count(*) OVER firm - 1 AS others,
                   sum(b.short) OVER firm - b.short AS short,
                   sum(b.recent) OVER firm - b.recent AS recent
            FROM market_makers AS m
            JOIN base AS b USING (as_of, drug_id)
            WINDOW firm AS (PARTITION BY m.as_of, m.firm_id)
        )
        GROUP BY as_of, drug_id
    )
    SELECT b.as_of, b.drug_id,
           b.listings_before,
           b.listings_before > 0 AS ever_listed,
           round((b.as_of - b.last_end) / 30.4375, 2) AS months_since_shortage_end,
           round((b.as_of - b.last_onset) / 30.4375, 2) AS months_since_shortage_onset,
           round(b.days_listed / 30.4375, 2) AS months_listed_5y,
           sum(b.short) OVER ingredient - b.short AS ingredient_forms_short,
           sum(b.listings_before) OVER ingredient - b.listings_before
               AS ingredient_listings_before,
           coalesce(s.short, 0) AS shared_ingredient_drugs_short,
           round(c.short / nullif(c.others, 0), 6) AS class_short_share,
           c.recent AS class_onsets_12m,
           round((sum(b.short) OVER form - b.short) / nullif(count(*) OVER form - 1, 0), 6)
               AS form_group_short_share,
           round(m.short / nullif(m.others, 0), 6) AS makers_other_drugs_short_share,
           m.recent AS makers_other_drugs_onsets_12m
    FROM base AS b
    LEFT JOIN shared AS s USING (as_of, drug_id)
    LEFT JOIN by_class AS c USING (as_of, drug_id)
    LEFT JOIN by_maker AS m USING (as_of, drug_id)
    WINDOW ingredient AS (PARTITION BY b.as_of, b.ingredient_key),
           form AS (PARTITION BY b.as_of, b.form_group)
    """


def evidence(view: AsOf) -> str:
    """Return the listings of each drug, and of other forms of its ingredients, as known.

    Parameters
    ----------
    view : AsOf
        The view.

    Returns
    -------
    str
        SQL with the columns of `shortcast.features.groups.contract.Group.evidence`.
    """
    postings = view.known("drug_postings", "f.posted_as = 'Current'")
    states = view.known("drug_listing_states", "f.status IN ('Current', 'Resolved')")
    pages = view.known("drug_html_spells", "f.status = 'Current'")
    presentation = f"': ' || {shortened('presentation', 90)}"
    return f"""
    WITH listed AS (
        SELECT as_of, drug_id, event_date, known_from,
               concat_ws('', generic_name, ' (', company_name, ') put on the shortage list',
                         {presentation}) AS summary,
               source, source_file, source_row
        FROM {postings}
        UNION ALL
        SELECT as_of, drug_id, coalesce(change_date, event_date), known_from,
               concat_ws('', generic_name, ' (', company_name, ') ', CASE
                   WHEN withdrawn THEN 'no longer on the shortage list'
                   WHEN status = 'Resolved' THEN 'shortage resolved'
                   ELSE 'on the shortage list, ' || lower(coalesce(availability, 'current')) END,
                   {presentation}),
               source, source_file, source_row
        FROM {states}
        UNION ALL
        SELECT as_of, drug_id, first_seen, known_from,
               generic_name || CASE WHEN withdrawn THEN ' no longer' ELSE '' END
                   || ' on the web page of current shortages',
               source, source_file, source_row
        FROM {pages}
    )
    SELECT mine.drug_id, l.as_of, l.event_date, l.known_from, l.summary,
           l.source, l.source_file, l.source_row
    FROM listed AS l
    JOIN drugs AS theirs ON theirs.drug_id = l.drug_id
    JOIN drugs AS mine ON mine.ingredient_key = theirs.ingredient_key
    """


GROUP = Group(
    name="history",
    title="Shortage history",
    features=FEATURES,
    query=query,
    defaults={
        "listings_before": 0,
        "ever_listed": False,
        "months_listed_5y": 0,
        "ingredient_forms_short": 0,
        "ingredient_listings_before": 0,
        "shared_ingredient_drugs_short": 0,
    },
    evidence=evidence,
    source="FDA drug shortage list",
)
