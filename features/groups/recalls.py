"""Recalls: of the drug, of its ingredients in other forms, and of its makers' other products.

openFDA's recalls begin with the reports of June 2012. A recall event may name many products;
events are counted, not the recall numbers that each product of an event gets. Windows go by the
day a recall was begun, which its first report fixes; a recall counts only once it was reported,
at the median 55 days later.
"""

from __future__ import annotations

from shortcast.features.asof import AsOf
from shortcast.features.groups.contract import Feature, Group, shortened
from shortcast.features.groups.firms import drug_firms
from shortcast.features.groups.reach import reached

_NOT_REACHED = "the recall reports do not reach over these months"
_NEVER = "no recall of this drug since the reports begin (June 2012)"
_NO_MAKER = "no holder of a marketed application is known for this drug"
_NO_LABELER = "no labeler of this drug other than its makers is known"

#: Events of a drug's makers that its evidence shows.
FIRM_EVENTS = 5

#: Reasons that count by themselves, and how a reader would say them.
REASONS = {
    "sterility": "doubt about sterility",
    "particulates": "particles",
    "cgmp": "manufacturing practice (CGMP)",
    "impurities": "impurities",
}

FEATURES = (
    Feature(
        "recalls_12m",
        "BIGINT",
        "recalls of this drug begun in the last 12 months",
        missing=_NOT_REACHED,
        unit="count",
    ),
    Feature(
        "recalls_36m",
        "BIGINT",
        "recalls of this drug begun in the last 36 months",
        missing=_NOT_REACHED,
        unit="count",
    ),
    Feature(
        "recalls_class1_36m",
        "BIGINT",
        "Class I recalls of this drug begun in the last 36 months",
        missing=_NOT_REACHED,
        unit="count",
    ),
    Feature(
        "recalls_class2_36m",
        "BIGINT",
        "Class II recalls of this drug begun in the last 36 months",
        missing=_NOT_REACHED,
        unit="count",
    ),
    *(
        Feature(
            f"recalls_{reason}_36m",
            "BIGINT",
            f"recalls of this drug for {words} begun in the last 36 months",
            missing=_NOT_REACHED,
            unit="count",
        )
        for reason, words in REASONS.items()
    ),
    Feature(
        "months_since_recall",
        "DOUBLE",
        "time since the last recall of this drug began",
        missing=f"{_NEVER}, or {_NOT_REACHED}",
        unit="months",
    ),
    Feature(
        "ingredient_recalls_12m",
        "BIGINT",
        "other recalls of the same ingredient begun in the last 12 months",
        missing=_NOT_REACHED,
        unit="count",
    ),
    Feature(
        "ingredient_recalls_36m",
        "BIGINT",
        "other recalls of the same ingredient begun in the last 36 months",
        missing=_NOT_REACHED,
        unit="count",
    ),
    Feature(
        "firm_recalls_12m",
        "BIGINT",
        "recalls of other products by its makers (companies) begun in the last 12 months",
        missing=f"{_NO_MAKER}, or {_NOT_REACHED}",
        unit="count",
    ),
    Feature(
        "firm_recalls_36m",
        "BIGINT",
        "recalls of other products by its makers (companies) begun in the last 36 months",
        missing=f"{_NO_MAKER}, or {_NOT_REACHED}",
        unit="count",
    ),
    Feature(
        "firm_recalls_class1_36m",
        "BIGINT",
        "Class I recalls of other products by its makers (companies) begun in the last 36 months",
        missing=f"{_NO_MAKER}, or {_NOT_REACHED}",
        unit="count",
    ),
    Feature(
        "firm_recalls_class2_36m",
        "BIGINT",
        "Class II recalls of other products by its makers (companies) begun in the last 36 months",
        missing=f"{_NO_MAKER}, or {_NOT_REACHED}",
        unit="count",
    ),
    *(
        Feature(
            f"firm_recalls_{reason}_36m",
            "BIGINT",
            f"recalls of other products by its makers (companies) for {words} begun in the "
            "last 36 months",
            missing=f"{_NO_MAKER}, or {_NOT_REACHED}",
            unit="count",
        )
        for reason, words in REASONS.items()
    ),
    Feature(
        "firm_recall_share_12m",
        "DOUBLE",
        "share of its approved products held by companies that began a recall of any product in "
        "the last 12 months",
        missing=f"{_NO_MAKER}, or {_NOT_REACHED}",
        unit="share",
    ),
    Feature(
        "firm_labeler_recalls_12m",
        "BIGINT",
        "recalls of other products by its labelers that are not its makers (companies) "
        "begun in the last 12 months",
        missing=f"{_NO_LABELER}, or {_NOT_REACHED}",
        unit="count",
    ),
)

#: What is told of an event, from all its rows.
_KINDS = {
    "n12": "event_date >= as_of - INTERVAL 12 MONTH",
    "n36": "TRUE",
    "class1": "classification = 'Class I'",
    "class2": "classification = 'Class II'",
    **{reason: f"list_contains(reasons, '{reason}')" for reason in REASONS},
}
_TOLD = ", ".join(f"coalesce(bool_or({told}), FALSE) AS {name}" for name, told in _KINDS.items())
_COUNTS = ", ".join(f"count_if({name}) AS {name}" for name in _KINDS)

_EVENT = "coalesce(f.event_id, f.recall_number) AS event_id, f.event_date"


def query(view: AsOf) -> str:
    """Return recalls of each drug, of its ingredients and by its makers at each date.

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
    The recalls of makers are those of each maker without the events that are linked to the
    drug itself, summed over makers.
    """
    recent = "f.event_date >= d.as_of - INTERVAL 36 MONTH"
    what = f"{_EVENT}, f.classification, f.reasons"
    own = view.known("drug_recalls", recent, f"f.drug_id, {what}")
    ever = view.known("drug_recalls", columns="f.drug_id, f.event_date")
    ingredient = view.known("ingredient_recalls", recent, f"f.ingredient_key, {_EVENT}")
    firm = view.known("firm_recalls", recent, f"f.firm_id, {what}")
    reach_12 = reached(view, "firm_recalls", back_months=12)
    reach_36 = reached(view, "firm_recalls", back_months=36)
    sums = ",\n".join(
        f"CAST(sum(CASE WHEN s.products > 0 THEN coalesce(f.{n}, 0) - coalesce(m.{n}, 0) END) "
        f"AS BIGINT) AS {n}"
        for n in _KINDS
    )
    long_ones = ",\n".join(
        f"CASE WHEN r36.as_of IS NOT NULL THEN coalesce(o.{n}, 0) END AS recalls_{n}_36m,\n"
        f"CASE WHEN r36.as_of IS NOT NULL THEN b.{n} END AS firm_recalls_{n}_36m"
        for n in _KINDS
        if n not in {"n12", "n36"}
    )
    return f"""
    WITH own_events AS (
        SELECT as_of, drug_id, event_id, {_TOLD}
        FROM {own}
        GROUP BY as_of, drug_id, event_id
    ),
    own AS (
        SELECT as_of, drug_id, {_COUNTS}
        FROM own_events
        GROUP BY as_of, drug_id
    ),
    last_ones AS (
        SELECT as_of, drug_id, max(event_date) AS last_on FROM {ever} GROUP BY as_of, drug_id
    ),
    of_ingredient AS (
        SELECT as_of, ingredient_key,
               count(DISTINCT CASE WHEN n12 THEN event_id END) AS n12,
               count(DISTINCT event_id) AS n36
        FROM (
            SELECT as_of, ingredient_key, event_id, {_KINDS["n12"]} AS n12 FROM {ingredient}
            UNION ALL
            SELECT as_of, ingredient_key, event_id, n12
            FROM own_events
            JOIN drugs USING (drug_id)
        )
        GROUP BY as_of, ingredient_key
    ),
    firm_events AS (
        SELECT as_of, firm_id, event_id, {_TOLD}
        FROM {firm}
        GROUP BY as_of, firm_id, event_id
    ),
    by_firm AS (
        SELECT as_of, firm_id, {_COUNTS}
        FROM firm_events
        GROUP BY as_of, firm_id
    ),
    -- What of each firm's recalls concerns the drug itself.
    mine AS (
        SELECT f.as_of, o.drug_id, f.firm_id, {_COUNTS.replace("count_if(", "count_if(f.")}
        FROM firm_events AS f
        JOIN own_events AS o USING (as_of, event_id)
        GROUP BY f.as_of, o.drug_id, f.firm_id
    ),
    by_makers AS (
        SELECT s.as_of, s.drug_id,
               {sums},
               round(CAST(sum(CASE WHEN f.n12 > 0 THEN s.products ELSE 0 END) AS BIGINT)
                     / nullif(CAST(sum(s.products) AS BIGINT), 0), 6) AS share_12m,
               CAST(sum(CASE WHEN s.products = 0 THEN coalesce(f.n12, 0) - coalesce(m.n12, 0)
                        END) AS BIGINT) AS labelers_n12
        FROM {drug_firms(view)} AS s
        LEFT JOIN by_firm AS f USING (as_of, firm_id)
        LEFT JOIN mine AS m USING (as_of, drug_id, firm_id)
        GROUP BY s.as_of, s.drug_id
    )
    SELECT p.as_of, p.drug_id,
           CASE WHEN r12.as_of IS NOT NULL THEN coalesce(o.n12, 0) END AS recalls_12m,
           CASE WHEN r36.as_of IS NOT NULL THEN coalesce(o.n36, 0) END AS recalls_36m,
           CASE WHEN r12.as_of IS NOT NULL
                THEN round((p.as_of - l.last_on) / 30.4375, 2) END AS months_since_recall,
           CASE WHEN r12.as_of IS NOT NULL
                THEN coalesce(i.n12, 0) - coalesce(o.n12, 0) END AS ingredient_recalls_12m,
           CASE WHEN r36.as_of IS NOT NULL
                THEN coalesce(i.n36, 0) - coalesce(o.n36, 0) END AS ingredient_recalls_36m,
           CASE WHEN r12.as_of IS NOT NULL THEN b.n12 END AS firm_recalls_12m,
           CASE WHEN r36.as_of IS NOT NULL THEN b.n36 END AS firm_recalls_36m,
           CASE WHEN r12.as_of IS NOT NULL THEN b.share_12m END AS firm_recall_share_12m,
           CASE WHEN r12.as_of IS NOT NULL THEN b.labelers_n12 END AS firm_labeler_recalls_12m,
           {long_ones}
    FROM panel_drugs AS p
    JOIN drugs AS d USING (drug_id)
    LEFT JOIN own AS o USING (as_of, drug_id)
    LEFT JOIN last_ones AS l USING (as_of, drug_id)
    LEFT JOIN of_ingredient AS i USING (as_of, ingredient_key)
    LEFT JOIN by_makers AS b USING (as_of, drug_id)
    LEFT JOIN {reach_12} AS r12 USING (as_of)
    LEFT JOIN {reach_36} AS r36 USING (as_of)
    """


def evidence(view: AsOf) -> str:
    """Return the recalls of each drug, and the newest few of its makers' other recalls.

    Parameters
    ----------
    view : AsOf
        The view.

    Returns
    -------
    str
        SQL with the columns of `shortcast.features.groups.contract.Group.evidence`. A large
        company recalls something every month, so of its events of the last 12 months only
        `FIRM_EVENTS` stand here, one row each.
    """
    own = view.known("drug_recalls")
    firm = view.known("firm_recalls", "f.event_date >= d.as_of - INTERVAL 12 MONTH")
    told = (
        "concat_ws(', ', '{what} ' || recall_number, classification, 'begun ' || event_date, "
        f"recalling_firm, {shortened('reason_for_recall', 160)}{{more}}) AS summary"
    )
    product = f", 'product: ' || {shortened('product_description', 100)}"
    return f"""
    WITH own AS (
        SELECT * FROM {own}
    ),
    others AS (
        SELECT m.drug_id, f.*, coalesce(f.event_id, f.recall_number) AS event
        FROM {firm} AS f
        JOIN market_makers AS m USING (as_of, firm_id)
        ANTI JOIN own AS o
          ON o.as_of = f.as_of AND o.drug_id = m.drug_id
         AND coalesce(o.event_id, o.recall_number) = coalesce(f.event_id, f.recall_number)
        QUALIFY row_number() OVER (
            PARTITION BY f.as_of, m.drug_id, event ORDER BY f.known_from DESC, f.recall_number) = 1
    ),
    newest AS (
        SELECT * FROM others
        QUALIFY row_number() OVER (
            PARTITION BY as_of, drug_id
            ORDER BY known_from DESC, event_date DESC, recall_number) <= {FIRM_EVENTS}
    )
    SELECT drug_id, as_of, event_date, known_from, {told.format(what="Recall", more=product)},
           source, source_file, source_row
    FROM own
    UNION ALL
    SELECT drug_id, as_of, event_date, known_from,
           {told.format(what="Recall of another product by a maker:", more="")},
           source, source_file, source_row
    FROM newest
    """


GROUP = Group(
    name="recalls",
    title="Recalls",
    features=FEATURES,
    query=query,
    defaults={},
    evidence=evidence,
    source="FDA recall reports (openFDA)",
)
