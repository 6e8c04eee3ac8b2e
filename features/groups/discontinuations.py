"""Discontinuation notices on the shortage list ('To Be Discontinued').

Such a notice is not a shortage; it says that a maker stops. It may be public long before the
last stock is sold. The older web page, which counts until captures of the CSV list begin, names
neither company nor presentation: there a notice is one generic name.
"""

from __future__ import annotations

from shortcast.features.asof import AsOf
from shortcast.features.groups.contract import Feature, Group, shortened

#: Months over which notices are counted.
WINDOW_MONTHS = 24

#: With fewer drugs named in that time, the records hold no notices yet: captures of the CSV list
#: begin in 2019 and show a handful that are older than 2018.
MIN_DRUGS = 10

_NOT_YET = "the records hold no discontinuation notices for that time yet"

FEATURES = (
    Feature(
        "discontinuations_24m",
        "BIGINT",
        "makers that gave notice in the last 24 months of discontinuing this drug",
        missing=_NOT_YET,
        unit="count",
    ),
    Feature(
        "discontinued_presentations_24m",
        "BIGINT",
        "presentations (packages) of this drug in discontinuation notices of the last 24 months",
        missing=_NOT_YET,
        unit="count",
    ),
    Feature(
        "ingredient_discontinuations_24m",
        "BIGINT",
        "discontinuation notices of the last 24 months about other forms of the same ingredient",
        missing=_NOT_YET,
        unit="count",
    ),
    Feature(
        "makers_discontinuations_24m",
        "BIGINT",
        "discontinuation notices of the last 24 months by its makers about their other drugs",
        missing=_NOT_YET,
        unit="count",
    ),
)


def query(view: AsOf) -> str:
    """Return counts of the notices that became known in the 24 months before each date.

    Parameters
    ----------
    view : AsOf
        The view; `shortcast.features.panel.prepare` has made its tables.

    Returns
    -------
    str
        SQL with ``drug_id``, ``as_of`` and the features. Of the features that count makers
        or notices, a notice is one company and drug.
    """
    window = f"f.known_from >= d.as_of - INTERVAL {WINDOW_MONTHS} MONTH"
    listed = view.known(
        "drug_discontinuations", window, "f.drug_id, f.firm_id, f.company_name, f.presentation"
    )
    paged = view.known(
        "drug_html_spells",
        f"f.status = 'To Be Discontinued' AND f.first_seen >= d.as_of - INTERVAL {WINDOW_MONTHS} "
        "MONTH",
        "f.drug_id, f.generic_name",
    )
    return f"""
    WITH listed AS (
        SELECT * FROM {listed} WHERE drug_id IS NOT NULL
    ),
    named AS (
        SELECT as_of, drug_id, count(DISTINCT company_name) AS notices,
               count(DISTINCT presentation) AS presentations
        FROM listed
        GROUP BY as_of, drug_id
        UNION ALL
        SELECT as_of, drug_id, count(DISTINCT generic_name), 0
        FROM {paged}
        GROUP BY as_of, drug_id
    ),
    own AS (
        -- Both lists show the same notices: the longer count, not the sum.
        SELECT as_of, drug_id, max(notices) AS notices, max(presentations) AS presentations
        FROM named
        GROUP BY as_of, drug_id
    ),
    available AS (
        SELECT as_of FROM own GROUP BY as_of HAVING count(*) >= {MIN_DRUGS}
    ),
    available_by_firm AS (
        SELECT as_of FROM listed GROUP BY as_of HAVING count(DISTINCT drug_id) >= {MIN_DRUGS}
    ),
    by_ingredient AS (
        SELECT as_of, ingredient_key, sum(notices) AS notices
        FROM own
        JOIN drugs USING (drug_id)
        GROUP BY as_of, ingredient_key
    ),
    by_firm AS (
        SELECT as_of, firm_id, count(DISTINCT drug_id) AS notices,
               list(DISTINCT drug_id) AS drugs
        FROM listed
        WHERE firm_id IS NOT NULL
        GROUP BY as_of, firm_id
    ),
    by_maker AS (
        SELECT m.as_of, m.drug_id,
               sum(f.notices - CAST(list_contains(f.drugs, m.drug_id) AS INTEGER)) AS notices
        FROM market_makers AS m
        JOIN by_firm AS f USING (as_of, firm_id)
        GROUP BY m.as_of, m.drug_id
    )
    SELECT p.as_of, p.drug_id,
           coalesce(o.notices, 0) AS discontinuations_24m,
           CASE WHEN f.as_of IS NOT NULL THEN coalesce(o.presentations, 0) END
               AS discontinued_presentations_24m,
           coalesce(i.notices, 0) - coalesce(o.notices, 0) AS ingredient_discontinuations_24m,
           CASE WHEN f.as_of IS NOT NULL THEN coalesce(m.notices, 0) END
               AS makers_discontinuations_24m
    FROM panel_drugs AS p
    JOIN available USING (as_of)
    LEFT JOIN available_by_firm AS f USING (as_of)
    JOIN drugs AS d USING (drug_id)
    LEFT JOIN own AS o USING (as_of, drug_id)
    LEFT JOIN by_ingredient AS i USING (as_of, ingredient_key)
    LEFT JOIN by_maker AS m USING (as_of, drug_id)
    """


def evidence(view: AsOf) -> str:
    """Return the notices of discontinuation for each drug and its other forms, as known.

    Parameters
    ----------
    view : AsOf
        The view.

    Returns
    -------
    str
        SQL with the columns of `shortcast.features.groups.contract.Group.evidence`.
    """
    listed = view.known("drug_discontinuations")
    paged = view.known("drug_html_spells", "f.status = 'To Be Discontinued' AND NOT f.withdrawn")
    return f"""
    WITH notices AS (
        SELECT as_of, drug_id, event_date, known_from,
               concat_ws('', generic_name, ' (', company_name, ') to be discontinued',
                         ': ' || {shortened("presentation", 90)}) AS summary,
               source, source_file, source_row
        FROM {listed}
        UNION ALL
        SELECT as_of, drug_id, first_seen, known_from,
               generic_name || ' on the web page of drugs to be discontinued',
               source, source_file, source_row
        FROM {paged}
    )
    SELECT mine.drug_id, n.as_of, n.event_date, n.known_from, n.summary,
           n.source, n.source_file, n.source_row
    FROM notices AS n
    JOIN drugs AS theirs ON theirs.drug_id = n.drug_id
    JOIN drugs AS mine ON mine.ingredient_key = theirs.ingredient_key
    """


GROUP = Group(
    name="discontinuations",
    title="Discontinuation notices",
    features=FEATURES,
    query=query,
    defaults={},
    evidence=evidence,
    source="FDA drug shortage list, notices of discontinuation",
)
