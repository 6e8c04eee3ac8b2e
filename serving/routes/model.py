"""``/v1/model``: what the champion is, how it was made and how good it was."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from shortcast.features import groups
from shortcast.features.groups.units import UNITS
from shortcast.features.kind import named
from shortcast.serving import quality
from shortcast.serving.answers import Envelope, ModelName, about
from shortcast.serving.champion import ChampionError
from shortcast.serving.fields import CodeVersion, GroupName, RecordsChecksum
from shortcast.serving.problems import Problem, responses
from shortcast.serving.quality import Quality
from shortcast.serving.service import Service, ServiceOf
from shortcast.training.bundle import BundleFeature

router = APIRouter(tags=["model"])


class FeatureItem(BaseModel):
    """A feature of the model."""

    name: Annotated[str, Field(description="Column of the panel", examples=["recalls_12m"])]
    label: Annotated[
        str,
        Field(
            description="What it says",
            examples=["recalls of this drug begun in the last 12 months"],
        ),
    ]
    group: GroupName
    unit: Annotated[
        str,
        Field(
            description="Unit of the column; '' for truth values, categories and features that "
            "are no longer made",
            examples=["count"],
        ),
    ]
    source: Annotated[
        str,
        Field(description="Public record it rests on", examples=["FDA recall reports (openFDA)"]),
    ]


class Champion(Envelope):
    """The model in force."""

    horizons_months: Annotated[list[int], Field(description="Months ahead, ascending")]
    trained_at: Annotated[str, Field(description="When it was trained (UTC)")]
    trained_from: Annotated[date, Field(description="First as-of date of the training rows")]
    trained_through: Annotated[date, Field(description="Last as-of date of the training rows")]
    records_end: Annotated[date, Field(description="Last day that the shortage records reached")]
    records_checksum: RecordsChecksum
    code_version: CodeVersion
    groups: Annotated[dict[str, str], Field(description="Titles of the groups of features")]
    features: Annotated[list[FeatureItem], Field(description="What it looks at")]
    quality: Annotated[
        list[Quality],
        Field(
            description="How good it was in its walk-forward backtest, by horizon, with units, "
            "window and intervals; empty if none was run"
        ),
    ]
    metrics: Annotated[
        dict[str, Any],
        Field(description="Figures of that backtest's window, as in metrics.json, of every model"),
    ]
    card: Annotated[str, Field(description="The model card, Markdown")]


@router.get("/v1/model", summary="The model in force", responses=responses(503))
def read_model(service: ServiceOf) -> Champion:
    """Return the champion's description, its backtest and its model card."""
    return find_model(service)


def find_model(service: Service) -> Champion:
    """Return what the champion tells of itself.

    Raises
    ------
    Problem
        503 if there is none, or it cannot be read.
    """
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
        trained_from=bundle.trained_from,
        trained_through=bundle.trained_through,
        records_end=bundle.records_end,
        records_checksum=bundle.records_checksum,
        code_version=bundle.code_version,
        groups=bundle.groups,
        features=[_feature(feature, bundle.data) for feature in bundle.catalogue],
        quality=quality.of_all_horizons(bundle),
        metrics=bundle.metrics,
        card=service.champion.card(),
    )


def _feature(feature: BundleFeature, data: str) -> FeatureItem:
    """Return a feature of the model with what its declaration says of it."""
    declared = groups.features().get(feature.name)
    group = groups.registry().get(feature.group)
    source = (declared.source if declared else "") or (group.source if group else "")
    return FeatureItem(
        name=feature.name,
        label=feature.label,
        group=feature.group,
        unit=UNITS[declared.unit].title if declared and declared.unit else "",
        source=named(source, data) if source else "",
    )
