"""The coverage of every join: how many rows reach a drug or a firm."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb


@dataclass(frozen=True)
class Join:
    """One join whose coverage is kept.

    Parameters
    ----------
    name : str
        Name of the join.
    description : str
        What is counted, of what.
    query : str
        SQL of one row with ``rows`` and ``matched``.
    floor : float or None
        Share below which monitoring reports a finding.
    """

    name: str
    description: str
    query: str
    floor: float | None = None


#: A firm counts as known when the product lists or the inspections know it under this name.
_KNOWN_FIRMS = """
    SELECT firm_id FROM drug_ndcs UNION SELECT firm_id FROM drug_products
    UNION SELECT firm_id FROM firm_inspections UNION SELECT firm_id FROM firm_sites
"""

JOINS = (
    Join(
        "shortage rows to drugs",
        "Current and Resolved rows of the shortage list that reach a drug with a product",
        """
        SELECT count(*) AS rows, count_if(drug_id IN (
                   SELECT drug_id FROM drug_ndcs
                   UNION SELECT drug_id FROM drug_products)) AS matched
        FROM drug_listing_states
        WHERE status IN ('Current', 'Resolved') AND NOT withdrawn
        """,
        floor=0.98,
    ),
    Join(
        "shortage companies to firms",
        "rows of the shortage list whose company is a firm known from products or sites",
        f"""
        SELECT count(*) AS rows, count_if(firm_id IN ({_KNOWN_FIRMS})) AS matched
        FROM drug_listing_states
        WHERE NOT withdrawn
        """,
        floor=0.95,
    ),
    Join(
        "recalls to drugs",
        "recalls of human prescription drugs that reach a drug of the universe",
        """
        SELECT count(*) AS rows, count_if(recall_row IN (
                   SELECT f.recall_row FROM recall_facts AS f
                   JOIN drug_recalls AS d ON d.source_file = f.source_file
                    AND d.source_row = f.source_row AND d.drug_id IN (SELECT drug_id FROM drugs)
               )) AS matched
        FROM recall_facts
        """,
        floor=0.60,
    ),
    Join(
        "recalls to ingredients or firms",
        "recalls of human prescription drugs that reach a drug, an ingredient or a firm of the "
        "universe",
        f"""
        SELECT count(*) AS rows, count_if(
                   recall_row IN (
                       SELECT f.recall_row FROM recall_facts AS f
                       JOIN drug_recalls AS d ON d.source_file = f.source_file
                        AND d.source_row = f.source_row)
                   OR product_description IN (
                       SELECT product_description FROM recall_ingredients
                       WHERE ingredient_key IN (SELECT ingredient_key FROM drugs))
                   OR firm_id IN ({_KNOWN_FIRMS})) AS matched
        FROM recall_facts
        """,
        floor=0.75,
    ),
    Join(
        "inspections to makers",
        "inspections of drug sites whose firm holds or labels a product of the universe",
        """
        SELECT count(*) AS rows, count_if(firm_id IN (
                   SELECT firm_id FROM drug_ndcs
                   UNION SELECT firm_id FROM drug_products)) AS matched
        FROM firm_inspections
        """,
    ),
    Join(
        "OAI inspections to makers",
        "inspections classified OAI whose firm holds or labels a product of the universe",
        """
        SELECT count(*) AS rows, count_if(firm_id IN (
                   SELECT firm_id FROM drug_ndcs
                   UNION SELECT firm_id FROM drug_products)) AS matched
        FROM firm_inspections
        WHERE classification = 'OAI'
        """,
    ),
    Join(
        "warning letters to makers",
        "warning letters to firms that hold or label a product of the universe",
        """
        SELECT count(*) AS rows, count_if(firm_id IN (
                   SELECT firm_id FROM drug_ndcs
                   UNION SELECT firm_id FROM drug_products)) AS matched
        FROM firm_letters
        """,
    ),
    Join(
        "retail prices to drugs",
        "distinct NDCs of the retail price survey that reach a drug",
        """
        SELECT count(DISTINCT substr(ndc, 1, 9)) AS rows,
               count(DISTINCT CASE WHEN substr(ndc, 1, 5) || '-' || substr(ndc, 6, 4) IN (
                   SELECT product_key FROM drug_ndcs) THEN substr(ndc, 1, 9) END) AS matched
        FROM nadac_prices
        """,
    ),
    Join(
        "drugs with a retail price",
        "drugs of the universe that the retail price survey covers",
        """
        SELECT count(*) AS rows,
               count_if(drug_id IN (SELECT drug_id FROM drug_prices)) AS matched
        FROM drugs
        """,
    ),
    Join(
        "shortages abroad to ingredients",
        "reports from abroad whose ingredients are those of a drug of the universe",
        """
        SELECT (SELECT count(*) FROM canada_reports)
               + (SELECT count(*) FROM uk_concessions) AS rows,
               (SELECT count(*) FROM abroad_reports
                WHERE ingredient_key IN (SELECT ingredient_key FROM drugs)) AS matched
        """,
    ),
)


def measure(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``coverage``, one row a join.

    Columns are ``join_name``, ``description``, ``rows``, ``matched``, ``share``, ``floor``.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built, with all links and ``drugs``.
    """
    connection.execute(
        "CREATE TABLE coverage (join_name VARCHAR, description VARCHAR, rows BIGINT, "
        "matched BIGINT, share DOUBLE, floor DOUBLE)"
    )
    for join in JOINS:
        connection.execute(
            "INSERT INTO coverage SELECT ?, ?, rows, coalesce(matched, 0), "
            "matched / nullif(rows, 0), ? "
            f"FROM ({join.query})",
            [join.name, join.description, join.floor],
        )
