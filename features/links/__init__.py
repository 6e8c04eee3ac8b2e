"""From facts as the sources write them to facts about drugs and firms.

Every link is a function of a row's own text, of the reviewed tables in
`shortcast.features.identity`, or of an NDC looked up among the listings known by then. A
linked row is visible only from the day on which both sides were known, so no link depends on
what became known later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from shortcast.features.links import abroad, conduct, coverage, listings, prices, products, recalls
from shortcast.features.steps import Steps

__all__ = ["STEPS", "Link", "make_links"]


@dataclass(frozen=True)
class Link:
    """One step of the linking.

    Attributes
    ----------
    name : str
        What is linked.
    run : callable
        Creates its tables on a connection.
    needs : tuple of str
        Tables that it reads.
    """

    name: str
    run: Callable[[duckdb.DuckDBPyConnection], None]
    needs: tuple[str, ...]


_PRODUCTS = ("ndc_products", "approvals", "orange_book_products", "drugsatfda_products")
_LISTINGS = ("shortage_postings", "shortage_listings", "shortage_html_spells", "snapshots")
_CONDUCT = ("inspections", "warning_letters", "compliance_actions", "establishments")
_PRICES = ("nadac_prices", "partb_spending", "partd_spending")
_ABROAD = ("canada_reports", "uk_concessions")

STEPS = (
    Link("products", products.link_products, _PRODUCTS),
    Link("shortage listings", listings.link_listings, _LISTINGS),
    Link("recalls", recalls.link_recalls, ("recalls", "drug_ndcs")),
    Link("inspections and letters", conduct.link_conduct, _CONDUCT),
    Link("prices", prices.link_prices, (*_PRICES, "drug_ndcs")),
    Link("shortages abroad", abroad.link_abroad, _ABROAD),
    Link(
        "the universe of drugs",
        products.make_drugs,
        (
            *("ndc_drug", "approval_drug", "listing_drug", "drug_ndcs", "drug_products"),
            *("drug_approvals", "drug_postings", "drug_html_spells"),
        ),
    ),
    Link(
        "coverage",
        coverage.measure,
        (
            *("drugs", "drug_ndcs", "drug_products", "drug_listing_states", "recall_facts"),
            *("drug_recalls", "recall_ingredients", "firm_inspections", "firm_sites"),
            *("firm_letters", "nadac_prices", "drug_prices", "abroad_reports", *_ABROAD),
        ),
    ),
)


def make_links(
    connection: duckdb.DuckDBPyConnection,
    *,
    steps: Steps,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Create all link tables, the table of drugs, and the coverage of every join.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built, with all fact tables.
    steps : Steps
        Makes them, or takes them over.
    progress : callable
        Told each step.
    """
    for link in STEPS:

        def run(link: Link = link) -> None:
            progress(f"links: {link.name}")
            before = _tables(connection)
            link.run(connection)
            # Joins and groups give their rows in any order, but the same records make the same
            # warehouse, down to the order of its rows.
            for table in sorted(_tables(connection) - before):
                connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM {table} ORDER BY ALL")

        steps.make(f"links: {link.name}", run, needs=link.needs)


def _tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the names of the lasting tables of the warehouse being built."""
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() "
        "WHERE NOT temporary AND database_name = current_database()"
    ).fetchall()
    return {name for (name,) in rows}
