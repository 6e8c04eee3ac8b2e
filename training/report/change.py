"""Tables of the page on timing, feature groups, the change of ranks and single onsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from statistics import median
from typing import Any

from shortcast.training.evaluation import TIMINGS
from shortcast.training.report import svg
from shortcast.training.report.cells import (
    Cell,
    Table,
    difference,
    figure,
    number,
    percent,
    value,
)
from shortcast.training.report.models import ordered

_COMPARED = {"ap": "AP", "roc_auc": "ROC AUC", "precision_at_50": "precision at 50"}


def frozen_table(horizons: Mapping[str, Any], champion: str) -> Table:
    """Tabulate live scores against those of the first month."""
    rows: list[list[Cell | str]] = []
    for horizon, found in horizons.items():
        for name in ordered(found["models"], champion):
            if name == "prevalence":
                continue
            frozen = found["models"][name]["frozen"]
            rows.append(
                [
                    f"{horizon} months, {name}",
                    *(figure(frozen, key) for key in ("ap", "precision_at_50")),
                    *(
                        difference(frozen["live_minus_frozen"][key], 4 if key == "ap" else 3)
                        for key in _COMPARED
                    ),
                ]
            )
    header = ["", "AP, frozen", "precision at 50, frozen"]
    header += [f"{title}, live minus frozen" for title in _COMPARED.values()]
    return Table("Live scores against each drug's first score of the window", header, rows)


def timing_table(horizons: Mapping[str, Any], champion: str) -> Table:
    """Tabulate the timing within drugs."""
    rows: list[list[Cell | str]] = []
    for horizon, found in horizons.items():
        for name in ordered(found["models"], champion):
            timing = found["models"][name]["timing"]
            against = timing["auc_of_changes_versus"].get("traits")
            rows.append(
                [
                    f"{horizon} months, {name}",
                    f"{timing['auc_of_changes_drugs']}",
                    *(figure(timing, key) for key in TIMINGS),
                    difference(against) if against else "–",
                ]
            )
    header = ["", "drugs", "by score", "by place in the month", "by change against others"]
    header += ["by change, minus traits"]
    return Table("Timing within drugs; one half is none", header, rows)


def groups_tables(groups: Mapping[str, Any], champion: Mapping[str, Any]) -> list[Table]:
    """Tabulate the champion without each feature group, and on each alone."""
    keys = ("ap_over_prevalence", "roc_auc", "precision_at_50")
    tables = []
    for way, words in (("without", "Without one group"), ("only", "One group alone")):
        rows: list[list[Cell | str]] = [
            ["all groups", "", *(figure(champion, key) for key in keys), "–", "–"]
        ]
        for entry in groups[way].values():
            (against,) = entry["versus"].values()
            rows.append(
                [
                    entry["title"],
                    f"{entry['features']}",
                    *(figure(entry, key) for key in keys),
                    difference(against["ap"], 4),
                    difference(against["roc_auc"]),
                ]
            )
        header = ["", "features", "AP over prevalence", "ROC AUC", "precision at 50"]
        header += ["AP, minus all", "ROC AUC, minus all"]
        tables.append(Table(f"{words}, {groups['horizon_months']} months", header, rows))
    return tables


def groups_figure(groups: Mapping[str, Any]) -> str:
    """Draw what average precision loses without each group."""
    rows = []
    for name, entry in groups["without"].items():
        (against,) = entry["versus"].values()
        rows.append(svg.Whisker(name, against["ap"]["difference"], *against["ap"]["interval"]))
    words = "AP without one group, minus AP with all"
    return (
        f"<figure>{svg.whiskers(words, rows, 4)}"
        f"<figcaption>{words}; left of the line the group is missed</figcaption></figure>"
    )


def rank_changes(found: Mapping[str, Any]) -> dict[str, Any]:
    """Say what the last retraining changed, and tabulate all of them.

    Parameters
    ----------
    found : mapping
        ``rank_changes`` of ``metrics.json``.

    Returns
    -------
    dict
        ``words`` for the last retraining and the usual month, and ``table`` (None where the
        model was trained once).
    """
    size, retrainings = found["list_size"], found["retrainings"]
    words = []
    if retrainings:
        last = retrainings[-1]
        words.append(
            f"At the last retraining, {last['as_of']}, the new model and the one before ranked the "
            f"same {last['drugs']:,} drugs on the same day with a rank correlation of "
            f"{number(last['spearman'])} (Spearman); {last['replaced']} of the first {size} "
            "were others."
        )
    else:
        words.append("The model was trained once in this window.")
    if found["months"]:
        middle = median(month["replaced"] for month in found["months"])
        words.append(
            f"From one month to the next, new records and retrainings together, {middle:g} of "
            f"the first {size} change (median of {len(found['months'])} months)."
        )
    table = Table(
        "The same drugs on the same day, by the model before and after each retraining",
        ["retrained", "drugs", "Spearman", f"others among the first {size}"],
        [
            [c["as_of"], f"{c['drugs']:,}", number(c["spearman"]), f"{c['replaced']}"]
            for c in retrainings
        ],
    )
    return {"words": words, "table": table if retrainings else None}


def missed(onsets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Describe the onsets that stood on no list.

    Parameters
    ----------
    onsets : sequence of mapping
        ``list`` of ``onsets`` of ``metrics.json``.

    Returns
    -------
    list of dict
        ``drug``, ``onset``, ``kind``, ``places``, ``raised`` and ``lowered``, for the page.
    """
    return [
        {
            "drug": onset["drug_id"],
            "onset": onset["onset_date"],
            "kind": "listed before" if onset["previously_listed"] else "never listed",
            "places": (
                f"Best place {onset['best_rank']} ({onset['best_as_of'][:7]}"
                + "".join(f"; {name} {rank}" for name, rank in onset["best_rank_of"].items())
                + f"); last {onset['last_rank']} ({onset['last_as_of'][:7]}), "
                f"score {percent(onset['last_score'])}."
            ),
            "raised": _moved(onset["raised"]),
            "lowered": _moved(onset["lowered"]),
        }
        for onset in onsets
        if not onset["caught"]
    ]


def caught(onsets: Sequence[Mapping[str, Any]]) -> Table:
    """Tabulate the onsets that stood on a list."""
    return Table(
        "Onsets whose drug stood on a list of 50 before",
        ["drug", "onset", "best place", "as of", "kind"],
        [
            [
                onset["drug_id"],
                onset["onset_date"],
                f"{onset['best_rank']}",
                onset["best_as_of"],
                "listed before" if onset["previously_listed"] else "never listed",
            ]
            for onset in onsets
            if onset["caught"]
        ],
    )


def _moved(features: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write what moved a score, with the factor of the odds."""
    return [
        f"{feature['label']}: {value(feature['value'])} (odds × {exp(feature['contribution']):.2g})"
        for feature in features
    ]
