"""The evaluation of a backtest as a page of Markdown, for people who would cite or doubt it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shortcast.features.kind import records_of, shortage_list, warning
from shortcast.training.tables import (
    figure,
    figures_tables,
    interval,
    lists_tables,
    markdown_table,
)

_TEXT = """\
# How good the estimates are

{simulated}Made by `shortcast backtest --from {start} --to {end}` from {records} that reach
{records_end}; not written by hand. The model that is served is `{champion}`.

At each as-of date a model scores every drug that is not in shortage, from what was known before
that date. It is retrained every {cadence} months, on outcomes that had matured by then: the gap
between training and test is the horizon. Precision and recall are of the list of one month; ties
are broken in the worst order. An onset is a drug newly on the {shortage_list} after at least
six months without; how neighbouring listings join into one shortage is settled in hindsight. The
figures say how well the *list* is foreseen: no cause, and no advice.

What the models are: `prevalence` gives every drug the same risk; `past_listings` counts earlier
shortages; `points` adds up what a pharmacist could on paper; `traits` knows only what a drug is
(form, class, age, schedule); `logistic` is a regression on all features; `lightgbm` is boosted
trees on all features; `blend` is the mean of the two.

{figures}
## What stood on the monthly lists

The drugs ranked first each month. Precision is the share of a list that went into a new shortage
within the horizon; recall by drug-month the share of all such drug-months that stood on it. An
onset is caught if its drug stood on at least one list within the horizon before it; no lead can be
longer than the horizon.

{lists}
## {champion} against the others

Paired differences on the same drugs and months, with the middle 95 % of a bootstrap by drug. An
interval that holds 0 is no difference that these records can show.

{versus}
## Whether the scores say when

Frozen: each drug keeps its score of the first month of the window; what live scores have over
frozen ones is what following the records was worth. Timing: how the score of a drug changed from
another of its months to one before its onset, held against the changes of all drugs without an
onset over the same time: the share of these that rose less, averaged over pairs of months and
drugs. One half is none. Taken by score alone, whatever moves all scores at once passes for timing.

{timing}
## Where it is good and where not

{champion} at {horizon} months; a list of 50 is of such drugs alone.

{strata}
{others}{leaky}"""

_OTHERS = """\
## Notices and ends

A notice of discontinuation is no shortage, and the end of one is not its beginning: each is an
outcome of its own. They are not served; this is what plain baselines make of them.

{table}

"""

_LEAKY = """\
## What a leaky protocol would have claimed

{warning}

The same months at {horizon} months: {rows} drug-months, prevalence {prevalence:.4f}.

{table}
"""

_NOT_RUN = """\
## What a leaky protocol would have claimed

Not worked out in this run; `--random-split` adds it.
"""


def evaluation_page(metrics: Mapping[str, Any]) -> str:
    """Write the page.

    Parameters
    ----------
    metrics : mapping
        As in ``metrics.json``.

    Returns
    -------
    str
        Markdown.
    """
    protocol, champion = metrics["protocol"], metrics["champion"]
    horizon = "6" if "6" in metrics["horizons"] else next(iter(metrics["horizons"]))
    said = warning(metrics["data"])
    window = {"from": protocol["from"], "to": protocol["to"], "horizons": metrics["horizons"]}
    return _TEXT.format(
        simulated=f"**{said}**\n\n" if said else "",
        records=records_of(metrics["data"]),
        shortage_list=shortage_list(metrics["data"]),
        start=protocol["from"][:7],
        end=protocol["to"][:7],
        records_end=protocol["records_end"],
        champion=champion,
        cadence=protocol["retrain_every_months"],
        horizon=horizon,
        figures=figures_tables(window),
        lists=lists_tables(metrics["horizons"]),
        versus="\n".join(_versus(metrics["horizons"], champion)) + "\n",
        timing="\n".join(_timing(metrics["horizons"])) + "\n",
        strata="\n".join(_strata(metrics["horizons"][horizon]["models"][champion])) + "\n",
        others=_others(metrics.get("other_outcomes", {})),
        leaky=_leaky(metrics, horizon),
    )


def _versus(horizons: Mapping[str, Any], champion: str) -> list[str]:
    """Tabulate the paired differences."""
    rows = []
    for horizon, found in horizons.items():
        for other, figures in found["models"][champion]["versus"].items():
            differences = (figures[name] for name in ("ap", "roc_auc", "precision_at_50"))
            cells = [f"{d['difference']:+.3f}{interval(d['interval'])}" for d in differences]
            rows.append((f"{horizon} months", other, *cells))
    return markdown_table(("horizon", "against", "AP", "ROC AUC", "precision at 50"), rows)


def _timing(horizons: Mapping[str, Any]) -> list[str]:
    """Tabulate live scores against frozen ones, and the timing within drugs."""
    rows = [
        (
            f"{horizon} months",
            name,
            *(
                f"{d['difference']:+.3f}{interval(d['interval'])}"
                for d in (model["frozen"]["live_minus_frozen"][key] for key in ("ap", "roc_auc"))
            ),
            f"{model['timing']['auc_of_changes_drugs']}",
            figure(model["timing"], "auc_of_changes"),
            figure(model["timing"], "auc"),
        )
        for horizon, found in horizons.items()
        for name, model in found["models"].items()
    ]
    header = ("horizon", "model", "AP, live minus frozen", "ROC AUC, live minus frozen")
    return markdown_table((*header, "drugs", "timing", "by score alone"), rows)


def _strata(model: Mapping[str, Any]) -> list[str]:
    """Tabulate the strata."""
    rows = [
        (
            f"{stratum.replace('_', ' ')}: {answer}",
            f"{figures['rows']}",
            f"{figures['positives']}",
            figure(figures, "roc_auc"),
            figure(figures, "ap_over_prevalence"),
            figure(figures, "precision_at_50"),
            figure(figures, "observed_over_expected"),
        )
        for stratum, answers in model["strata"].items()
        for answer, figures in answers.items()
        if figures["positives"]
    ]
    header = (
        "drugs",
        "drug-months",
        "before an onset",
        "ROC AUC",
        "AP over prevalence",
        "precision at 50",
        "observed over expected",
    )
    return markdown_table(header, rows)


def _others(outcomes: Mapping[str, Any]) -> str:
    """Tabulate the other outcomes; nothing where none was worked out."""
    rows = [
        (
            outcome,
            f"{horizon} months",
            name,
            f"{counts['rows']}",
            f"{counts['positives']}",
            *(figure(figures, key) for key in ("roc_auc", "ap_over_prevalence", "brier_skill")),
        )
        for outcome, found in outcomes.items()
        for horizon, counts in found["horizons"].items()
        for name, figures in counts.get("models", {}).items()
    ]
    if not rows:
        return ""
    header = ("outcome", "horizon", "model", "drug-months", "before the event", "ROC AUC")
    header += ("AP over prevalence", "Brier skill")
    return _OTHERS.format(table="\n".join(markdown_table(header, rows)))


def _leaky(metrics: Mapping[str, Any], horizon: str) -> str:
    """Put the leaky figures beside the honest ones, under the warning."""
    if "leaky_random_split" not in metrics:
        return _NOT_RUN
    leaky = metrics["leaky_random_split"]
    honest = metrics["horizons"][str(leaky["horizon_months"])]["models"][metrics["champion"]]
    names = ("roc_auc", "ap_over_prevalence", "precision_at_50")
    rows = [
        (f"{metrics['champion']}, walk forward", *(f"{honest[name]:.3f}" for name in names)),
        *(
            (f"{model}, random split", *(f"{figures[name]:.3f}" for name in names))
            for model, figures in leaky["models"].items()
        ),
    ]
    return _LEAKY.format(
        warning=leaky["warning"],
        horizon=leaky["horizon_months"],
        rows=leaky["rows"],
        prevalence=leaky["prevalence"],
        table="\n".join(
            markdown_table(("", "ROC AUC", "AP over prevalence", "precision at 50"), rows)
        ),
    )
