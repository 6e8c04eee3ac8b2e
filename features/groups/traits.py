"""Traits: what the drug is, apart from anything that has happened to it.

These change slowly or never. A model of these alone stands in every backtest, to show how much
of a score is no more than 'injections run short'.
"""

from __future__ import annotations

from shortcast.features.asof import AsOf
from shortcast.features.groups.contract import Feature, Group

_APPROVED = "Orange Book and Drugs@FDA"
_NO_LISTING = "no listing in the NDC directory is known for this drug"
_NO_APPROVAL = "no approval date is known for this drug"
_NO_MARKETED = "no marketed application is known for this drug"

#: Form groups whose products must be sterile (21 CFR 200.50 and 200.51 for the latter two;
#: of inhalations only aqueous solutions must, so the group is an upper bound).
STERILE_FORMS = ("injection", "ophthalmic", "inhalation")

FEATURES = (
    Feature(
        "form_group",
        "VARCHAR",
        "form group",
    ),
    Feature(
        "is_injection",
        "BOOLEAN",
        "an injection",
        monotone=1,
    ),
    Feature(
        "is_sterile_form",
        "BOOLEAN",
        "its form is usually made sterile",
    ),
    Feature(
        "ingredients_count",
        "BIGINT",
        "active ingredients",
        unit="count",
    ),
    Feature(
        "controlled_schedule",
        "BIGINT",
        "schedule of controlled substances",
        missing=_NO_LISTING,
        unit="schedule",
    ),
    Feature(
        "is_unapproved",
        "BOOLEAN",
        "some of its products are marketed without approval",
        missing=_NO_LISTING,
    ),
    Feature(
        "is_biologic",
        "BOOLEAN",
        "some of its products are under a biologics licence",
        missing=_NO_LISTING,
    ),
    Feature(
        "is_brand_only",
        "BOOLEAN",
        "sold under new drug applications or biologics licences only, without a generic",
        missing=_NO_MARKETED,
        source=_APPROVED,
    ),
    Feature(
        "routes_count",
        "BIGINT",
        "routes of administration",
        missing=_NO_LISTING,
        unit="count",
    ),
    Feature(
        "class_drugs_count",
        "BIGINT",
        "drugs in its largest pharmacologic class",
        missing="no listing in the NDC directory states an established pharmacologic class",
        unit="count",
    ),
    Feature(
        "oldest_approval_years",
        "DOUBLE",
        "time since its first approval",
        missing=_NO_APPROVAL,
        unit="years",
        source=_APPROVED,
    ),
    Feature(
        "newest_approval_years",
        "DOUBLE",
        "time since its newest approval",
        missing=_NO_APPROVAL,
        unit="years",
        source=_APPROVED,
    ),
)


def query(view: AsOf) -> str:
    """Return the traits of each drug as known at each date.

    Parameters
    ----------
    view : AsOf
        The view; `shortcast.features.panel.prepare` has made its tables.

    Returns
    -------
    str
        SQL with ``drug_id``, ``as_of`` and the features; years are days / 365.25.

    Notes
    -----
    The Orange Book says of the oldest approvals only that they precede 1982; they count as
    of the last day of 1981.
    """
    listings = view.known(
        "drug_ndcs",
        "NOT f.withdrawn",
        "f.drug_id, f.marketing_category, f.dea_schedule, f.route, f.pharm_classes",
    )
    approvals = view.known(
        "drug_approvals",
        "NOT f.withdrawn",
        "f.drug_id, coalesce(f.approval_date, CASE WHEN f.approved_before_1982 "
        "THEN DATE '1981-12-31' END) AS approved_on",
    )
    sterile = ", ".join(f"'{form}'" for form in STERILE_FORMS)
    return f"""
    WITH listings AS (
        SELECT DISTINCT * FROM {listings}
    ),
    listed AS (
        SELECT as_of, drug_id,
               -- the strictest schedule of its products
               coalesce(min(CASE dea_schedule WHEN 'CI' THEN 1 WHEN 'CII' THEN 2
                                WHEN 'CIII' THEN 3 WHEN 'CIV' THEN 4 WHEN 'CV' THEN 5 END), 0)
                   AS controlled_schedule,
               -- imports admitted during a shortage say nothing of the drug itself
               bool_or(coalesce(marketing_category LIKE 'UNAPPROVED%'
                                AND marketing_category NOT LIKE '%SHORTAGE%', FALSE))
                   AS is_unapproved,
               bool_or(coalesce(marketing_category = 'BLA', FALSE)) AS is_biologic
        FROM listings
        GROUP BY as_of, drug_id
    ),
    routes AS (
        SELECT as_of, drug_id, count(DISTINCT route) AS routes_count
        FROM (
            SELECT as_of, drug_id, trim(unnest(string_split(route, ';'))) AS route
            FROM (SELECT DISTINCT as_of, drug_id, route FROM listings WHERE route IS NOT NULL)
        )
        GROUP BY as_of, drug_id
    ),
    entries AS (
        SELECT as_of, drug_id, trim(unnest(string_split(pharm_classes || ',', '],'))) AS entry
        FROM (
            SELECT DISTINCT as_of, drug_id, pharm_classes FROM listings
            WHERE contains(pharm_classes, '[EPC]')
        )
    ),
    classes AS (
        SELECT as_of, drug_id, max(drugs) AS class_drugs_count
        FROM (
            SELECT as_of, drug_id, count(*) OVER (PARTITION BY as_of, entry) AS drugs
            FROM (SELECT DISTINCT * FROM entries WHERE ends_with(entry, '[EPC'))
        )
        GROUP BY as_of, drug_id
    ),
    approved AS (
        SELECT as_of, drug_id, min(approved_on) AS oldest, max(approved_on) AS newest
        FROM {approvals}
        WHERE approved_on IS NOT NULL
        GROUP BY as_of, drug_id
    ),
    marketed AS (
        SELECT as_of, drug_id, NOT bool_or(application_type = 'ANDA') AS is_brand_only
        FROM market_products
        WHERE is_marketed AND application_type IS NOT NULL
        GROUP BY as_of, drug_id
    )
    SELECT p.as_of, p.drug_id, d.form_group,
           d.form_group = 'injection' AS is_injection,
           d.form_group IN ({sterile}) AS is_sterile_form,
           len(d.ingredients) AS ingredients_count,
           l.controlled_schedule, l.is_unapproved, l.is_biologic,
           m.is_brand_only, r.routes_count, c.class_drugs_count,
           round((p.as_of - a.oldest) / 365.25, 2) AS oldest_approval_years,
           round((p.as_of - a.newest) / 365.25, 2) AS newest_approval_years
    FROM panel_drugs AS p
    JOIN drugs AS d USING (drug_id)
    LEFT JOIN listed AS l USING (as_of, drug_id)
    LEFT JOIN routes AS r USING (as_of, drug_id)
    LEFT JOIN classes AS c USING (as_of, drug_id)
    LEFT JOIN approved AS a USING (as_of, drug_id)
    LEFT JOIN marketed AS m USING (as_of, drug_id)
    """


def evidence(view: AsOf) -> str:
    """Return the directory listings that each drug's traits rest on.

    Parameters
    ----------
    view : AsOf
        The view.

    Returns
    -------
    str
        SQL with the columns of `shortcast.features.groups.contract.Group.evidence`.
    """
    listings = view.known("drug_ndcs", "NOT f.withdrawn")
    return f"""
    SELECT drug_id, as_of, event_date, known_from,
           concat_ws(', ', 'NDC ' || product_ndc, labeler_name, lower(dosage_form),
                     lower(route), marketing_category, 'schedule ' || dea_schedule) AS summary,
           -- One unapproved product among many makes the drug count as unapproved.
           coalesce(marketing_category LIKE 'UNAPPROVED%'
                    AND marketing_category NOT LIKE '%SHORTAGE%', FALSE) AS is_telling,
           source, source_file, source_row
    FROM {listings}
    """


GROUP = Group(
    name="traits",
    title="What the drug is",
    features=FEATURES,
    query=query,
    defaults={},
    evidence=evidence,
    source="NDC directory",
)
