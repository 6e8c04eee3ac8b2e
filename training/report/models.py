"""Tables and figures of the page that set the models side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shortcast.training.report import svg
from shortcast.training.report.cells import Cell, Table, difference, figure, number, percent

#: Figures of every model and their titles.
_FIGURES = {
    "roc_auc": "ROC AUC",
    "ap_over_prevalence": "AP over prevalence",
    "precision_at_50": "precision at 50",
    "brier_skill": "Brier skill",
    "calibration_slope": "calibration slope",
    "observed_over_expected": "observed over expected",
}
_LISTS = (25, 50, 100)
_EVENT_LISTS = (50, 100)
_COMPARED = {"ap": "AP", "roc_auc": "ROC AUC", "precision_at_50": "precision at 50"}
#: What the champion is held against wherever room is short.
RIVALS = ("points", "traits")


def ordered(models: Mapping[str, Any], champion: str) -> list[str]:
    """Order models: the champion first, then by average precision.

    Parameters
    ----------
    models : mapping
        Figures by model.
    champion : str
        The model that is served.

    Returns
    -------
    list of str
    """
    return sorted(models, key=lambda name: (name != champion, -(models[name].get("ap") or 0.0)))


def figures_table(horizon: str, found: Mapping[str, Any], champion: str) -> Table:
    """Tabulate the main figures of every model at a horizon."""
    models = found["models"]
    header = ["model", "ROC AUC", "AP over prevalence", "precision at 50"]
    header += [f"onsets caught at {size}" for size in _EVENT_LISTS]
    header += ["Brier skill", "calibration slope", "observed over expected"]
    rows = []
    for name in ordered(models, champion):
        model = models[name]
        cells = {key: figure(model, key) for key in _FIGURES}
        caught = [figure(model[f"events_at_{size}"], "recall") for size in _EVENT_LISTS]
        first, last = list(cells.values())[:3], list(cells.values())[3:]
        rows.append([name, *first, *caught, *last])
    return Table(
        f"{horizon} months: {found['rows']:,} drug-months of {found['drugs']:,} drugs, "
        f"{found['positives']} of them before one of {found['events_at_risk']} onsets; "
        f"prevalence {percent(found['prevalence'])}",
        header,
        rows,
        champion,
    )


def versus_table(horizons: Mapping[str, Any], champion: str) -> Table:
    """Tabulate the champion's paired differences at every horizon."""
    rows = [
        [
            f"{horizon} months, against {other}",
            *(difference(found[key], 4 if key == "ap" else 3) for key in _COMPARED),
        ]
        for horizon, entry in horizons.items()
        for other, found in entry["models"][champion]["versus"].items()
    ]
    return Table(
        f"{champion} minus the other, on the same drugs and months",
        ["", *_COMPARED.values()],
        rows,
    )


def versus_figures(horizons: Mapping[str, Any], champion: str) -> list[str]:
    """Draw the champion's differences to its rivals, one figure for each measure."""
    drawn = []
    for key, title in _COMPARED.items():
        rows = [
            svg.Whisker(
                f"{rival}, {horizon} months", found[key]["difference"], *found[key]["interval"]
            )
            for horizon, entry in horizons.items()
            for rival, found in entry["models"][champion]["versus"].items()
            if rival in RIVALS and found[key]["difference"] is not None
        ]
        if rows:
            drawn.append((f"{champion} minus others: {title}", svg.whiskers(title, rows)))
    return [_captioned(words, picture) for words, picture in drawn]


def lists_table(horizon: str, found: Mapping[str, Any], champion: str) -> Table:
    """Tabulate precision and recall of the monthly lists beside their ceilings."""
    names = [f"{what}_at_{size}" for size in _LISTS for what in ("precision", "recall")]
    models = found["models"]
    rows: list[list[Cell | str]] = [
        [name, *(figure(models[name], key) for key in names)] for name in ordered(models, champion)
    ]
    rows.append(["the best possible list", *(Cell(number(found["ceilings"][k])) for k in names)])
    return Table(
        f"{horizon} months, by drug-month",
        ["model", *(name.replace("_", " ") for name in names)],
        rows,
        champion,
    )


def lead_table(horizon: str, found: Mapping[str, Any], champion: str) -> Table:
    """Tabulate how many onsets stood on a list before, and how early."""
    models, rows = found["models"], []
    for name in ordered(models, champion):
        cells: list[Cell | str] = [name]
        for size in _EVENT_LISTS:
            events = models[name][f"events_at_{size}"]
            lead, (low, high) = events["lead_days_median"], events["lead_days_quartiles"]
            cells += [
                f"{events['caught']} of {events['events']}",
                figure(events, "recall"),
                Cell("–") if lead is None else Cell(f"{lead:.0f} days", f"{low:.0f} to {high:.0f}"),
            ]
        rows.append(cells)
    header = ["model"]
    for size in _EVENT_LISTS:
        header += [f"caught at {size}", "share", "median lead"]
    return Table(f"{horizon} months, by onset", header, rows, champion)


def lead_figure(horizon: str, found: Mapping[str, Any], champion: str) -> str:
    """Draw which share of the onsets stood on the list of 50, by months ahead."""
    series = []
    for name in (champion, *RIVALS):
        if name not in found["models"]:
            continue
        ahead = found["models"][name]["events_at_50"]["months_ahead"]
        points = tuple(
            svg.Point(entry["months"], entry["listed"] / entry["events"]) for entry in ahead
        )
        series.append(svg.Series(name, points))
    words = f"Share of the onsets on the list of 50, by months ahead ({horizon} months)"
    axes = ("months before the onset, towards it", "share of the onsets")
    return _captioned(words, svg.lines(words, series, axes, backwards=True))


def reliability_figures(horizons: Mapping[str, Any], champion: str) -> list[str]:
    """Draw what was forecast against what came, at each horizon."""
    drawn = []
    for horizon, found in horizons.items():
        series = [
            svg.Series(
                name,
                tuple(
                    svg.Point(b["expected"], b["observed"], *(b["interval"] if own else ()))
                    for b in found["models"][name]["reliability"]
                ),
            )
            for name, own in ((champion, True), ("points", False))
            if name in found["models"]
        ]
        words = f"{horizon} months, tenths of the drug-months from the lowest scores to the highest"
        drawn.append(_captioned(words, svg.reliability(words, series)))
    return drawn


def years_table(found: Mapping[str, Any], champion: str) -> Table:
    """Tabulate the years of the window."""
    return _parts_table(
        "By year of the as-of date",
        ((year, entry, entry["models"]) for year, entry in found["years"].items()),
        champion,
    )


def strata_table(found: Mapping[str, Any], champion: str) -> Table:
    """Tabulate the strata; each has lists of its own."""
    titles = {
        "previously_listed": {"yes": "listed before", "no": "never listed"},
        "injection": {"yes": "injections", "no": "other forms"},
        "single_source": {"yes": "one maker", "no": "more makers"},
    }
    models = found["models"]
    parts = []
    for stratum, sides in models[champion]["strata"].items():
        for side in sides:
            words = titles.get(stratum, {}).get(side, f"{stratum.replace('_', ' ')}: {side}")
            inside = {name: model["strata"][stratum][side] for name, model in models.items()}
            parts.append((words, inside[champion], inside))
    return _parts_table("By kind of drug; a list of 50 is one of that kind alone", parts, champion)


def _parts_table(
    caption: str, parts: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]], champion: str
) -> Table:
    """Tabulate parts of the rows: the champion, and its differences to the rivals."""
    rows: list[list[Cell | str]] = []
    for words, counts, models in parts:
        own = models[champion]
        cells: list[Cell | str] = [words, f"{counts['rows']:,}", f"{counts['positives']}"]
        if not counts["positives"]:
            rows.append([*cells, *("–" for _ in range(4 + 2 * len(RIVALS)))])
            continue
        keys = ("roc_auc", "ap_over_prevalence", "precision_at_50", "observed_over_expected")
        cells += [figure(own, key) for key in keys]
        for rival in RIVALS:
            against = own["versus"].get(rival)
            cells += [difference(against["ap"]) if against else "–"]
            cells += [difference(against["precision_at_50"]) if against else "–"]
        rows.append(cells)
    header = ["", "drug-months", "before an onset", "ROC AUC", "AP over prevalence"]
    header += ["precision at 50", "observed over expected"]
    for rival in RIVALS:
        header += [f"AP minus {rival}", f"precision at 50 minus {rival}"]
    return Table(caption, header, rows)


def others_table(outcomes: Mapping[str, Any]) -> Table:
    """Tabulate what baselines make of the outcomes that are no shortage."""
    rows: list[list[Cell | str]] = [
        [
            f"{outcome}, {horizon} months, {name}",
            f"{counts['rows']:,}",
            f"{counts['positives']}",
            *(figure(model, key) for key in ("roc_auc", "ap_over_prevalence", "brier_skill")),
        ]
        for outcome, found in outcomes.items()
        for horizon, counts in found["horizons"].items()
        for name, model in counts.get("models", {}).items()
    ]
    header = ["", "drug-months", "before the event", "ROC AUC", "AP over prevalence", "Brier skill"]
    return Table("Outcomes of their own", header, rows)


def leaky_table(metrics: Mapping[str, Any]) -> Table:
    """Put the leaky figures beside the honest ones."""
    leaky, champion = metrics["leaky_random_split"], metrics["champion"]
    horizon = str(leaky["horizon_months"])
    names = ("roc_auc", "ap_over_prevalence", "precision_at_50")
    honest = metrics["horizons"][horizon]["models"][champion]
    rows: list[list[Cell | str]] = [
        [f"{champion}, walk forward", *(figure(honest, name) for name in names)]
    ]
    for model, figures in leaky["models"].items():
        rows.append([f"{model}, random split", *(figure(figures, name) for name in names)])
    return Table(
        f"{horizon} months, the same drug-months", ["", *list(_FIGURES.values())[:3]], rows
    )


def _captioned(words: str, picture: str) -> str:
    """Put words beneath a figure."""
    return f"<figure>{picture}<figcaption>{words}</figcaption></figure>"
