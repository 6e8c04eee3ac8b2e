"""Products to drugs and firms: the NDC directory, approvals and the product lists."""

from __future__ import annotations

import duckdb

from shortcast.features.identity.drugs import from_product
from shortcast.features.identity.products import InvalidNdc, parse_ndc
from shortcast.features.identity.universe import excluded_product
from shortcast.features.links.mapping import map_drugs, map_firms, map_texts


def product_key(text: str) -> str | None:
    """Return the labeler and product segments of an NDC in one notation, or None.

    Parameters
    ----------
    text : str
        An NDC in any notation.

    Returns
    -------
    str or None
        Such as ``00093-5382``; None where the text is no NDC or an ambiguous one.
    """
    try:
        return parse_ndc(text).product_key
    except InvalidNdc:
        return None


def link_products(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``drug_ndcs``, ``drug_approvals`` and ``drug_products``.

    Tables
    ------
    drug_ndcs
        NDC listings of human prescription drugs in the universe, with ``product_key``,
        ``drug_id``, ``firm_id`` of the labeler, names, form, ``marketing_category``,
        ``dea_schedule``, ``pharm_classes`` and times.
    drug_approvals
        Approved products with ``drug_id``, ``application_type``, ``application_no``,
        ``product_no``, ``approval_date`` and times.
    drug_products
        States of approved products in the product lists, with ``drug_id``, ``firm_id`` of
        the holder, ``status`` (prescription, otc, discontinued, none), ``left_on`` (from when
        on the lists have told that a product once on prescription has left) and times.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built.
    """
    _link_ndcs(connection)
    _link_applications(connection)


def _link_ndcs(connection: duckdb.DuckDBPyConnection) -> None:
    map_texts(
        connection,
        "ndc_scope",
        """
        SELECT product_type, marketing_category, nonproprietary_name, dosage_form, route
        FROM ndc_products
        """,
        "out_because",
        lambda *texts: excluded_product(*texts) or "",
    )
    scoped = """
        ndc_products AS p
        JOIN ndc_scope AS s
          ON s.product_type IS NOT DISTINCT FROM p.product_type
         AND s.marketing_category IS NOT DISTINCT FROM p.marketing_category
         AND s.nonproprietary_name IS NOT DISTINCT FROM p.nonproprietary_name
         AND s.dosage_form IS NOT DISTINCT FROM p.dosage_form
         AND s.route IS NOT DISTINCT FROM p.route
         AND s.out_because = ''
    """
    map_drugs(
        connection,
        "ndc_drug",
        f"SELECT p.substance_name, p.nonproprietary_name, p.dosage_form, p.route FROM {scoped}",
        from_product,
        lasting=True,
    )
    map_texts(
        connection, "ndc_key", "SELECT product_ndc FROM ndc_products", "product_key", product_key
    )
    map_firms(connection, "ndc_firm", "SELECT labeler_name FROM ndc_products")
    connection.execute(
        f"""
        CREATE TABLE drug_ndcs AS
        SELECT k.product_key, p.product_ndc, d.drug_id, f.firm_id, p.labeler_name,
               p.proprietary_name, p.nonproprietary_name, p.substance_name, p.dosage_form,
               p.route, p.marketing_category, p.application_number, p.start_marketing_date,
               p.dea_schedule, p.pharm_classes,
               p.event_date, p.known_from, p.known_until, p.withdrawn,
               p.source, p.source_file, p.source_row
        FROM {scoped}
        JOIN ndc_drug AS d
          ON d.substance_name IS NOT DISTINCT FROM p.substance_name
         AND d.nonproprietary_name IS NOT DISTINCT FROM p.nonproprietary_name
         AND d.dosage_form IS NOT DISTINCT FROM p.dosage_form
         AND d.route IS NOT DISTINCT FROM p.route
        LEFT JOIN ndc_key AS k ON k.product_ndc = p.product_ndc
        LEFT JOIN ndc_firm AS f ON f.labeler_name = p.labeler_name
        """
    )


def _link_applications(connection: duckdb.DuckDBPyConnection) -> None:
    # A product outside the directory has no nonproprietary name; the ingredient says it all.
    map_drugs(
        connection,
        "approval_drug",
        """
        SELECT ingredient, '' AS nonproprietary, dosage_form, route FROM approvals
        UNION
        SELECT ingredient, '', dosage_form, route FROM orange_book_products
        UNION
        SELECT active_ingredient, '', split_part(form, ';', 1), split_part(form, ';', 2)
        FROM drugsatfda_products
        """,
        from_product,
        lasting=True,
    )
    map_firms(
        connection,
        "holder_firm",
        """
        SELECT sponsor AS holder FROM drugsatfda_products
        UNION
        SELECT coalesce(applicant_full_name, applicant) FROM orange_book_products
        """,
    )
    connection.execute(
        """
        CREATE TABLE drug_approvals AS
        SELECT d.drug_id, a.application_type, a.application_no, a.product_no,
               a.approval_date, a.approved_before_1982,
               a.event_date, a.known_from, a.known_until, a.withdrawn,
               a.source, a.source_file, a.source_row
        FROM approvals AS a
        JOIN approval_drug AS d
          ON d.ingredient IS NOT DISTINCT FROM a.ingredient
         AND d.dosage_form IS NOT DISTINCT FROM a.dosage_form
         AND d.route IS NOT DISTINCT FROM a.route
        """
    )
    connection.execute(
        """
        CREATE TABLE drug_products AS
        WITH listed AS (
            SELECT active_ingredient AS ingredient, split_part(form, ';', 1) AS dosage_form,
                   split_part(form, ';', 2) AS route, sponsor AS holder, application_type,
                   application_no, product_no, drug_name AS trade_name, strength, te_code,
                   marketing_status AS status, event_date, observed_at, known_from, known_until,
                   withdrawn, source, source_file, source_row, occurrence
            FROM drugsatfda_products
            UNION ALL
            SELECT ingredient, dosage_form, route, coalesce(applicant_full_name, applicant),
                   CASE appl_type WHEN 'N' THEN 'NDA' WHEN 'A' THEN 'ANDA' END,
                   application_no, product_no, trade_name, strength, te_code,
                   CASE type WHEN 'RX' THEN 'prescription' WHEN 'OTC' THEN 'otc'
                             WHEN 'DISCN' THEN 'discontinued' END,
                   event_date, observed_at, known_from, known_until,
                   withdrawn, source, source_file, source_row, occurrence
            FROM orange_book_products
        ),
        told AS (
            -- What was told of the product until then, by whichever list: only earlier
            -- versions count, so nothing here looks ahead.
            SELECT *, status = 'prescription' AND NOT withdrawn AS is_marketed,
                   coalesce(bool_or(status = 'prescription' AND NOT withdrawn) OVER earlier, FALSE)
                       AS was_marketed,
                   lag(status = 'prescription' AND NOT withdrawn) OVER whole AS before
            FROM listed
            WINDOW whole AS (PARTITION BY application_no, product_no
                             ORDER BY known_from, observed_at, source, withdrawn, occurrence),
                   earlier AS (PARTITION BY application_no, product_no
                               ORDER BY known_from, observed_at, source, withdrawn, occurrence
                               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        ),
        runs AS (
            SELECT *, count_if(before IS DISTINCT FROM is_marketed) OVER whole AS run
            FROM told
            WINDOW whole AS (PARTITION BY application_no, product_no
                             ORDER BY known_from, observed_at, source, withdrawn, occurrence)
        )
        SELECT d.drug_id, l.application_type, l.application_no, l.product_no, f.firm_id,
               l.holder, l.trade_name, l.strength, l.te_code, l.status,
               -- the day from which the product has been told to have left, without a break
               CASE WHEN l.was_marketed AND NOT l.is_marketed THEN min(l.known_from) OVER (
                   PARTITION BY l.application_no, l.product_no, l.run) END AS left_on,
               l.event_date, l.observed_at, l.known_from, l.known_until, l.withdrawn,
               l.source, l.source_file, l.source_row, l.occurrence
        FROM runs AS l
        JOIN approval_drug AS d
          ON d.ingredient IS NOT DISTINCT FROM l.ingredient
         AND d.dosage_form IS NOT DISTINCT FROM l.dosage_form
         AND d.route IS NOT DISTINCT FROM l.route
        LEFT JOIN holder_firm AS f ON f.holder = l.holder
        """
    )


def make_drugs(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``drugs``: every drug with an approval, an NDC listing or a posting.

    It says what a drug is, which no time changes. Which drugs are on the market on prescription
    is known at a date only (`shortcast.features.market`): here, drugs sold without it count too.

    Columns are ``drug_id``, ``name`` (for readers), ``ingredients`` (list),
    ``ingredient_key`` (joined by '+') and ``form_group``.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built, with all other links.
    """
    connection.execute(
        """
        CREATE TABLE drugs AS
        WITH mapped AS (
            SELECT drug_id, ingredients, ingredient_key, form_group FROM ndc_drug
            UNION
            SELECT drug_id, ingredients, ingredient_key, form_group FROM approval_drug
            UNION
            SELECT drug_id, ingredients, ingredient_key, form_group FROM listing_drug
        ),
        wanted AS (
            SELECT drug_id FROM drug_ndcs
            UNION
            SELECT drug_id FROM drug_products
            UNION
            SELECT drug_id FROM drug_approvals
            UNION
            SELECT drug_id FROM drug_postings
            UNION
            SELECT drug_id FROM drug_html_spells
        )
        SELECT drug_id,
               any_value(array_to_string(ingredients, ' and ') || ', '
                         || replace(form_group, '-', ' ')) AS name,
               any_value(ingredients) AS ingredients,
               any_value(ingredient_key) AS ingredient_key,
               any_value(form_group) AS form_group
        FROM mapped
        WHERE drug_id IN (SELECT drug_id FROM wanted)
        GROUP BY drug_id
        ORDER BY drug_id
        """
    )
