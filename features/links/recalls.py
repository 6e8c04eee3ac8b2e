"""Recalls to drugs and firms.

A recall reaches a drug by an NDC in its text that was listed when the recall became known; else
by the rules that read product descriptions. The ``openfda`` block is left aside: it names what
was listed when the release was made, years after most of its recalls (and of 5,008 recalls that
reached a drug with it, 5,001 do without).
"""

from __future__ import annotations

import duckdb
import pandas as pd

from shortcast.features.identity.drugs import from_recall_text
from shortcast.features.identity.products import find_ndcs
from shortcast.features.identity.recall_text import ingredients_from_text
from shortcast.features.identity.universe import excluded_recall
from shortcast.features.links.mapping import map_drugs, map_firms, map_texts
from shortcast.features.recall_reasons import reason_categories

#: A recall that names more drugs than this is a list of a firm's whole stock, not of drugs.
MAX_DRUGS = 4


def link_recalls(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``drug_recalls`` and ``firm_recalls``.

    Tables
    ------
    drug_recalls
        One row for each recall and drug: ``recall_number``, ``event_id``, ``drug_id``,
        ``method`` (ndc, text), ``firm_id``, ``recalling_firm``,
        ``classification``, ``reasons`` (list, see `shortcast.features.recall_reasons`),
        ``reason_for_recall``, and times.
    ingredient_recalls
        One row for each recall and set of ingredients: ``ingredient_key`` and times.
    firm_recalls
        One row for each recall whose firm is known, with ``firm_id`` and times.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built, with ``drug_ndcs``.
    """
    _map_reasons(connection)
    _map_ndcs(connection)
    map_texts(
        connection,
        "recall_scope",
        "SELECT product_description, recalling_firm, code_info FROM recalls",
        "out_because",
        lambda *texts: excluded_recall(*texts) or "",
    )
    scoped = """
        recalls AS r JOIN recall_scope AS s
          ON s.product_description IS NOT DISTINCT FROM r.product_description
         AND s.recalling_firm IS NOT DISTINCT FROM r.recalling_firm
         AND s.code_info IS NOT DISTINCT FROM r.code_info
         AND s.out_because = ''
    """
    map_drugs(
        connection,
        "recall_text_drug",
        f"SELECT r.product_description FROM {scoped}",
        from_recall_text,
    )
    map_texts(
        connection,
        "recall_ingredients",
        f"SELECT r.product_description FROM {scoped}",
        "ingredient_key",
        lambda text: "+".join(ingredients_from_text(text)) or None,
        lasting=True,
    )
    map_firms(connection, "recall_firm", "SELECT recalling_firm FROM recalls")
    connection.execute(
        f"""
        CREATE TABLE recall_facts AS
        SELECT row_number() OVER (ORDER BY r.source_file, r.source_row, r.known_from) AS recall_row,
               r.recall_number, r.event_id, r.recalling_firm, f.firm_id, r.classification,
               r.product_description, r.code_info, r.reason_for_recall,
               c.reasons, r.event_date, r.known_from, r.known_until,
               r.source, r.source_file, r.source_row
        FROM {scoped}
        LEFT JOIN recall_firm AS f ON f.recalling_firm = r.recalling_firm
        LEFT JOIN recall_reason AS c ON c.reason_for_recall = r.reason_for_recall
        """
    )
    connection.execute(
        f"""
        CREATE TABLE drug_recalls AS
        WITH by_ndc AS (
            SELECT DISTINCT r.recall_row, d.drug_id, 'ndc' AS method
            FROM recall_facts AS r
            JOIN recall_ndc AS k
              ON k.product_description IS NOT DISTINCT FROM r.product_description
             AND k.code_info IS NOT DISTINCT FROM r.code_info
            -- A listing that came later must not take the place of what was known without it.
            JOIN drug_ndcs AS d
              ON d.product_key = k.product_key AND NOT d.withdrawn
             AND d.known_from <= r.known_from
        ),
        by_text AS (
            SELECT r.recall_row, t.drug_id, 'text' AS method
            FROM recall_facts AS r
            JOIN recall_text_drug AS t USING (product_description)
        ),
        -- Each recall is linked by the best method it has.
        chosen AS (
            SELECT *, count(*) OVER (PARTITION BY recall_row) AS drugs
            FROM (
                SELECT * FROM by_ndc
                UNION ALL
                SELECT * FROM by_text WHERE recall_row NOT IN (SELECT recall_row FROM by_ndc)
            )
        )
        SELECT r.recall_number, r.event_id, c.drug_id, c.method, r.firm_id, r.recalling_firm,
               r.classification, r.reasons, r.reason_for_recall, r.product_description,
               r.event_date, r.known_from, r.known_until, r.source, r.source_file, r.source_row
        FROM chosen AS c
        JOIN recall_facts AS r USING (recall_row)
        WHERE c.drugs <= {MAX_DRUGS}
        """
    )
    connection.execute(
        """
        CREATE TABLE ingredient_recalls AS
        SELECT r.recall_number, r.event_id, t.ingredient_key, r.firm_id, r.classification,
               r.reasons, r.event_date, r.known_from, r.known_until,
               r.source, r.source_file, r.source_row
        FROM recall_facts AS r
        JOIN recall_ingredients AS t USING (product_description)
        """
    )
    connection.execute(
        """
        CREATE TABLE firm_recalls AS
        SELECT recall_number, event_id, firm_id, recalling_firm, classification, reasons,
               reason_for_recall, event_date, known_from, known_until,
               source, source_file, source_row
        FROM recall_facts
        WHERE firm_id IS NOT NULL
        """
    )


def _map_reasons(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``recall_reason``: each reason text with its categories."""
    texts = connection.sql(
        "SELECT DISTINCT reason_for_recall FROM recalls WHERE reason_for_recall IS NOT NULL"
    ).df()
    frame = texts.assign(reasons=[sorted(reason_categories(t)) for t in texts["reason_for_recall"]])
    connection.register("reason_frame", frame)
    connection.execute(
        "CREATE TEMP TABLE recall_reason AS SELECT CAST(reason_for_recall AS VARCHAR) AS "
        "reason_for_recall, CAST(reasons AS VARCHAR[]) AS reasons FROM reason_frame"
    )
    connection.unregister("reason_frame")


def _map_ndcs(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``recall_ndc``: the product keys that each recall's text names."""
    texts = connection.sql("SELECT DISTINCT product_description, code_info FROM recalls").df()
    found: list[tuple[int, str]] = []
    plain = texts.fillna("").astype(str)
    for index, (description, code) in enumerate(plain.itertuples(index=False, name=None)):
        in_text = {ndc.product_key for ndc in find_ndcs(f"{description} {code}")}
        found += [(index, key) for key in sorted(in_text)]
    keys_frame = pd.DataFrame(found, columns=["index", "product_key"])
    frame = texts.reset_index().merge(keys_frame, on="index").drop(columns="index")
    connection.register("ndc_frame", frame)
    connection.execute(
        "CREATE TEMP TABLE recall_ndc AS SELECT CAST(product_description AS VARCHAR) AS "
        "product_description, CAST(code_info AS VARCHAR) AS code_info, "
        "CAST(product_key AS VARCHAR) AS product_key FROM ndc_frame"
    )
    connection.unregister("ndc_frame")
