"""Tables of a backtest's figures in Markdown, each figure with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_COLUMNS = (
    "ROC AUC",
    "AP over prevalence",
    "precision at 50",
    "events caught at 50",
    "calibration slope",
    "observed over expected",
    "Brier skill",
)
#: Lengths of the monthly list, and those at which onsets are counted.
_LISTS = (25, 50, 100)
_EVENT_LISTS = (50, 100)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out a table.

    Parameters
    ----------
    header : sequence of str
        Column titles.
    rows : sequence of sequence of str
        Cells.

    Returns
    -------
    list of str
        Lines.
    """
    return [
        f"| {' | '.join(header)} |",
        "|" + " --- |" * len(header),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def figures_tables(metrics: Mapping[str, Any]) -> str:
    """Tabulate every model at every horizon.

    Parameters
    ----------
    metrics : mapping
        ``from``, ``to`` and ``horizons``, as `~shortcast.training.train.summary` gives them.

    Returns
    -------
    str
        Markdown.
    """
    lines = [
        f"Walk forward over as-of dates {metrics['from']} to {metrics['to']}: at each date only",
        "what was known then, trained only on outcomes that had matured by then. In brackets the",
        "middle 95 % of a bootstrap by drug; precision and events caught are shares from 0 to 1.",
        "Observed over expected: onsets that came for each that the scores added up to; below 1",
        "the scores were too high. Brier skill: share of the squared error of the prevalence known",
        "at training that the model avoids; 0 is no better.\n",
    ]
    for horizon, found in metrics["horizons"].items():
        rows, positives, onsets = found["rows"], found["positives"], found["events_at_risk"]
        lines += [
            f"\n**{horizon} months**: {rows} drug-months, {positives} of them before an onset",
            f"(prevalence {found['prevalence']:.4f}), {onsets} onsets.\n",
            *markdown_table(
                ("model", *_COLUMNS),
                [
                    (
                        name,
                        figure(model, "roc_auc"),
                        figure(model, "ap_over_prevalence"),
                        figure(model, "precision_at_50"),
                        figure(model["events_at_50"], "recall"),
                        figure(model, "calibration_slope"),
                        figure(model, "observed_over_expected"),
                        figure(model, "brier_skill"),
                    )
                    for name, model in found["models"].items()
                ],
            ),
        ]
    return "\n".join(lines) + "\n"


def lists_tables(horizons: Mapping[str, Any]) -> str:
    """Tabulate what the monthly lists of every model held, at every horizon.

    Parameters
    ----------
    horizons : mapping
        ``horizons`` of ``metrics.json``.

    Returns
    -------
    str
        Markdown: for each horizon a table of precision and recall by drug-month, and one of
        the onsets that stood on a list, with the lead time.
    """
    lines: list[str] = []
    for horizon, found in horizons.items():
        models = found["models"]
        lines += [
            f"\n**{horizon} months**, by drug-month:\n",
            *markdown_table(
                ("model", *(f"{what} at {k}" for k in _LISTS for what in ("precision", "recall"))),
                [
                    (
                        name,
                        *(
                            figure(model, f"{what}_at_{k}")
                            for k in _LISTS
                            for what in ("precision", "recall")
                        ),
                    )
                    for name, model in models.items()
                ],
            ),
            f"\n**{horizon} months**, by onset; lead is the median of the days between the first",
            "list that held the drug and its onset, with the middle half:\n",
            *markdown_table(
                (
                    "model",
                    *(
                        f"{what} at {k}"
                        for k in _EVENT_LISTS
                        for what in ("caught", "share caught", "lead")
                    ),
                ),
                [
                    (
                        name,
                        *(cell for k in _EVENT_LISTS for cell in _caught(model[f"events_at_{k}"])),
                    )
                    for name, model in models.items()
                ],
            ),
        ]
    return "\n".join(lines) + "\n"


def _caught(events: Mapping[str, Any]) -> tuple[str, str, str]:
    """Write how many onsets were caught, their share, and how many days before."""
    lead, (low, high) = events["lead_days_median"], events["lead_days_quartiles"]
    return (
        f"{events['caught']} of {events['events']}",
        figure(events, "recall"),
        "-" if lead is None else f"{lead:.0f} days ({low:.0f} to {high:.0f})",
    )


def figure(figures: Mapping[str, Any], name: str) -> str:
    """Write a figure with its interval.

    Parameters
    ----------
    figures : mapping
        Figures and, by the same name with ``_interval``, their intervals.
    name : str
        Which.

    Returns
    -------
    str
        '0.824 (0.791 to 0.866)'; '-' for one that cannot be worked out.
    """
    value = figures[name]
    if value is None:
        return "-"
    return f"{value:.3f}" + interval(figures.get(f"{name}_interval"))


def interval(ends: Sequence[float | None] | None) -> str:
    """Write an interval in brackets, after a blank; nothing where there is none.

    Parameters
    ----------
    ends : sequence of two float, or None
        Lower and upper end.

    Returns
    -------
    str
    """
    low, high = ends or (None, None)
    return "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
