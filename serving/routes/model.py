"""``/v1/model``: what the champion is, how it was made and how good it was."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from shortcast.serving.answers import Envelope, ModelName, about
from shortcast.serving.champion import ChampionError
from shortcast.serving.problems import Problem, responses
from shortcast.serving.service import ServiceOf

router = APIRouter(tags=["model"])


class FeatureItem(BaseModel):
    """A feature of the model."""

    name: str
    label: str
    group: str


class Champion(Envelope):
    """The model in force."""

    horizons_months: list[int]
    trained_at: str
    trained_through: Annotated[date, Field(description="Last as-of date of the training rows")]
    records_checksum: str
    code_version: str
    groups: dict[str, str]
    features: list[FeatureItem]
    metrics: Annotated[
        dict[str, Any], Field(description="Of its walk-forward backtest, as in metrics.json")
    ]
    card: Annotated[str, Field(description="The model card, Markdown")]


@router.get("/v1/model", summary="The model in force", responses=responses(503))
def read_model(service: ServiceOf) -> Champion:
    """Return the champion's description, its backtest and its model card."""
    try:
        bundle = service.champion.bundle()
    except ChampionError as error:
        detail = str(error).replace(str(service.settings.home), "SHORTCAST_HOME")
        raise Problem(503, "no-model", detail) from error
    run = service.find_run()
    same = run is not None and run.model_version == bundle.version and run.data == bundle.data
    envelope = about(run) if run is not None and same else {"as_of": None}
    return Champion(
        **{
            **envelope,
            "data": bundle.data,
            "model": ModelName(name=bundle.name, version=bundle.version),
        },
        horizons_months=list(bundle.horizons),
        trained_at=bundle.trained_at,
        trained_through=bundle.trained_through,
        records_checksum=bundle.records_checksum,
        code_version=bundle.code_version,
        groups=bundle.groups,
        features=[FeatureItem(**vars(feature)) for feature in bundle.catalogue],
        metrics=bundle.metrics,
        card=service.champion.card(),
    )
