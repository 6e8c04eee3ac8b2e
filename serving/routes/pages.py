"""The pages: the ranking, one drug with all that is known of its risk, alerts, sources."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from shortcast.database import session
from shortcast.features import groups
from shortcast.monitoring.forecast_log import ForecastRun, is_forecast, run_before
from shortcast.monitoring.scoreboard import ScoredRun, read_scoreboard
from shortcast.serving import lookup, quality
from shortcast.serving.alert_rules import KINDS
from shortcast.serving.answers import MAX_ROWS
from shortcast.serving.evidence import SourceRow
from shortcast.serving.problems import Problem
from shortcast.serving.routes.alerts import AlertFilter, find_alerts
from shortcast.serving.routes.drugs import Drug, DrugFilter, find_drug, find_drugs
from shortcast.serving.routes.model import find_model
from shortcast.serving.routes.products import find_drug_of
from shortcast.serving.routes.rankings import RankingFilter, find_rankings
from shortcast.serving.routes.runs import find_job_runs
from shortcast.serving.routes.sources import find_sources
from shortcast.serving.service import Service, ServiceOf
from shortcast.serving.templating import is_moving, page
from shortcast.serving.words import FORM_GROUPS

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

#: Drugs on one page of the ranking, and drugs in shortage shown beside a search.
PAGE_ROWS = 50
BESIDE_ROWS = 10
#: Age from which on a page says that its forecast is no longer of today: forecasts are made at
#: least once a month, so that an older one means that no new records came.
OLD_DAYS = 45
#: What the states of a source are called.
STATES = {"fresh": "fresh", "late": "late", "stale": "stale", "never": "no snapshot yet"}
#: Job runs shown: those of the last two days.
RUN_ROWS = 10
#: Earlier forecasts shown of one drug.
PAST_ROWS = 13


@router.get("/")
def show_ranking(
    request: Request,
    service: ServiceOf,
    q: Annotated[str, Query(max_length=200)] = "",
    form_group: str = "",
    horizon: str = "6",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """Show the ranking, with a search, a form group and a horizon.

    An NDC in the search leads straight to its drug.
    """
    try:
        run = service.run()
    except Problem as problem:
        return page(request, "empty.html", {"detail": problem.detail}, status_code=problem.status)
    if (drug_id := find_drug_of(service, q)) is not None:
        root = request.scope.get("root_path", "")
        return RedirectResponse(f"{root}/drugs/{quote(drug_id)}", status_code=303)
    chosen = RankingFilter.model_validate(
        {
            # A form sends '' for what was left open, and a hand-typed value must not break it.
            "horizon": horizon if horizon in {str(h) for h in lookup.HORIZONS} else "6",
            "form_group": form_group if form_group in FORM_GROUPS else None,
            "q": q.strip(),
        }
    )
    found = find_rankings(service, run, chosen, PAGE_ROWS, (number - 1) * PAGE_ROWS)
    beside = None
    if chosen.q:
        wanted = DrugFilter(q=chosen.q, form_group=chosen.form_group, in_shortage=True)
        beside = find_drugs(service, run, wanted, BESIDE_ROWS, 0)
    query = {
        "q": chosen.q,
        "form_group": chosen.form_group or "",
        "horizon": str(chosen.horizon),
    }
    kept = {key: value for key, value in query.items() if value}
    return page(
        request,
        "ranking.html",
        {
            **_heading(service, run),
            "found": found,
            "top": service.scored(run, chosen.horizon).top,
            "in_shortage": lookup.in_shortage_count(service.settings, run.id),
            "beside": beside,
            "query": query,
            "form_groups": FORM_GROUPS,
            "horizons": lookup.HORIZONS,
            "page_number": number,
            "pages": -(-found.total // PAGE_ROWS),
            "link": urlencode(kept),
            "verdict": _newest_verdict(service, run.data, chosen.horizon),
        },
    )


@router.get("/drugs/{drug_id}")
def show_drug(
    request: Request, service: ServiceOf, drug_id: Annotated[str, Path(max_length=300)]
) -> HTMLResponse:
    """Show one drug: three horizons, the reasons and their public rows, what was not known."""
    run = service.run()
    drug = find_drug(service, run, drug_id)
    _, past = lookup.past_forecasts(
        service.settings, run.data, drug_id=drug_id, horizon=6, limit=PAST_ROWS
    )
    bundle = service.champion.bundle_or_none()
    return page(
        request,
        "drug.html",
        {
            **_heading(service, run),
            "drug": drug,
            "past": [row for row in past if is_forecast(row["as_of"], row["model_records_end"])],
            "others": _other_evidence(drug),
            "quality": quality.of_all_horizons(bundle),
            "verdict": _newest_verdict(service, run.data, 6),
        },
    )


@router.get("/alerts")
def show_alerts(request: Request, service: ServiceOf, kind: str = "") -> HTMLResponse:
    """Show the alerts that stand, the newest first."""
    run = service.run()
    query = AlertFilter.model_validate({"kind": kind if kind in KINDS else None})
    with session(service.settings, write=False) as reading:
        is_first = run_before(reading, run) is None
    return page(
        request,
        "alerts.html",
        {
            **_heading(service, run),
            "found": find_alerts(service, query, MAX_ROWS, 0),
            "kind": query.kind,
            "kinds": KINDS,
            "first": is_first,
        },
    )


@router.get("/sources")
def show_sources(request: Request, service: ServiceOf) -> HTMLResponse:
    """Show the sources with their freshness, how well the records join, and what was run last."""
    found = find_sources(service)
    runs = find_job_runs(service, RUN_ROWS, 0)
    return page(
        request,
        "sources.html",
        {"data": found.data, "found": found, "states": STATES, "runs": runs},
    )


@router.get("/model")
def show_model(request: Request, service: ServiceOf) -> HTMLResponse:
    """Show what the model is, how good it was, what it looks at and what it cannot know."""
    model = find_model(service)
    by_group = {
        title: [feature for feature in model.features if feature.group == name]
        for name, title in model.groups.items()
    }
    return page(
        request,
        "model.html",
        {
            "data": model.data,
            "model": model,
            "quality": model.quality,
            "by_group": by_group,
            "verdict": _newest_verdict(service, model.data, 6),
        },
    )


def _heading(service: Service, run: ForecastRun) -> dict[str, object]:
    """Return what every page of a forecast says of it."""
    age_days = (service.today() - run.as_of).days
    return {"data": run.data, "run": run, "age_days": age_days if age_days > OLD_DAYS else None}


def _other_evidence(drug: Drug) -> list[tuple[str, list[SourceRow]]]:
    """Return the public rows of groups that the page names no reason for, by their title."""
    registry = groups.registry()
    minor = [reason for reason in drug.reasons if not is_moving(reason)]
    return [
        *((reason.title, reason.evidence) for reason in minor if reason.evidence),
        *(
            (registry[rest.group].title if rest.group in registry else rest.group, rest.evidence)
            for rest in drug.other_evidence
        ),
    ]


def _newest_verdict(service: Service, data: str, horizon: int) -> ScoredRun | None:
    """Return how the newest forecast whose outcomes are known turned out."""
    return next(
        (
            line
            for line in read_scoreboard(service.settings)
            if line.run.data == data and line.horizon_months == horizon
        ),
        None,
    )
