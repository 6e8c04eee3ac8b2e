"""The page: what is said, and the tables and figures in their order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shortcast.features.kind import records_of, shortage_list, warning
from shortcast.training.report import change, models
from shortcast.training.report.cells import Cell

_HERE = Path(__file__).parent


def report_page(metrics: Mapping[str, Any]) -> str:
    """Write the page of a backtest.

    Parameters
    ----------
    metrics : mapping
        As in ``metrics.json``; the page rests on nothing else.

    Returns
    -------
    str
        HTML that needs no other file, no script and no network. Made-up records are named in its
        title and at its top.
    """
    champion, horizons = metrics["champion"], metrics["horizons"]
    main = "6" if "6" in horizons else next(iter(horizons))
    found, protocol, data = horizons[main], metrics["protocol"], metrics["data"]
    onsets = metrics["onsets"]
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["cell"] = lambda cell: isinstance(cell, Cell)
    groups = metrics.get("groups")
    return environment.get_template("report.html").render(
        style=Markup((_HERE / "report.css").read_text(encoding="utf-8")),
        warning=warning(data),
        records=records_of(data),
        shortage_list=shortage_list(data),
        champion=champion,
        protocol=protocol,
        main=main,
        found=found,
        horizons=horizons,
        figures=[models.figures_table(h, entry, champion) for h, entry in horizons.items()],
        versus_figures=_drawn(models.versus_figures(horizons, champion)),
        versus=models.versus_table(horizons, champion),
        lists=[
            table
            for h, entry in horizons.items()
            for table in (
                models.lists_table(h, entry, champion),
                models.lead_table(h, entry, champion),
            )
        ],
        lead=_drawn([models.lead_figure(h, e, champion) for h, e in horizons.items()]),
        reliability=_drawn(models.reliability_figures(horizons, champion)),
        years=[(h, models.years_table(e, champion)) for h, e in horizons.items()],
        strata=[(h, models.strata_table(e, champion)) for h, e in horizons.items()],
        frozen=change.frozen_table(horizons, champion),
        timing=change.timing_table(horizons, champion),
        groups=change.groups_tables(groups, found["models"][champion]) if groups else [],
        groups_figure=_drawn([change.groups_figure(groups)]) if groups else [],
        ranks=change.rank_changes(metrics["rank_changes"]),
        onsets_horizon=onsets["horizon_months"],
        missed=change.missed(onsets["list"]),
        caught=change.caught(onsets["list"]),
        others=models.others_table(metrics["other_outcomes"]),
        leaky=models.leaky_table(metrics) if "leaky_random_split" in metrics else None,
        leaky_warning=metrics.get("leaky_random_split", {}).get("warning", ""),
    )


def _drawn(pictures: list[str]) -> list[Markup]:
    """Mark figures as HTML of our own; their words are escaped where they are drawn."""
    return [Markup(picture) for picture in pictures]
