"""``/v1/products``: from an NDC in any notation to its drug."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import duckdb
from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from shortcast.features.identity.products import AmbiguousNdc, InvalidNdc, Ndc, parse_ndc
from shortcast.monitoring import forecast_log
from shortcast.serving.answers import Envelope, about
from shortcast.serving.fields import DrugId, RankAtSix, ScoreAtSix
from shortcast.serving.problems import Problem, responses
from shortcast.serving.service import Service, ServiceOf
from shortcast.serving.warehouse import WarehouseError

router = APIRouter(tags=["products"])


class Listing(BaseModel):
    """A product as the NDC directory lists it."""

    product_key: Annotated[str, Field(description="Labeler and product, '00093-5382'")]
    drug_id: DrugId
    proprietary_name: Annotated[str | None, Field(description="Brand name")]
    nonproprietary_name: Annotated[str | None, Field(description="Names of its ingredients")]
    labeler_name: Annotated[str | None, Field(description="Company on the label")]
    known_from: Annotated[date | None, Field(description="From when it was publicly listed")]
    known_until: Annotated[date | None, Field(description="Null while it is listed")]


class Product(Envelope):
    """A product and the drug that it is."""

    ndc: Annotated[str, Field(description="As it was read, in segments")]
    ndc_11_digits: Annotated[
        str | None,
        Field(
            description="As bills write it; null for a code without its package",
            examples=["00093538201"],
        ),
    ]
    drug_id: DrugId
    drug_page: Annotated[
        str, Field(description="Path of its page", examples=["/drugs/cisplatin--injection"])
    ]
    listing: Listing
    in_shortage: Annotated[bool | None, Field(description="Null if the run has no such drug")]
    score_6_months: ScoreAtSix
    rank_6_months: RankAtSix


@router.get(
    "/v1/products/{ndc}", summary="A product by its NDC", responses=responses(404, 422, 503)
)
def read_product(
    service: ServiceOf,
    ndc: Annotated[
        str,
        Path(
            max_length=40,
            description="4-4-2, 5-3-2, 5-4-1, 5-4-2 or 6-4-2 digits with hyphens, with or without "
            "the package; or 11 or 12 digits. Ten digits without hyphens are refused",
            examples=["0093-5382-01", "00093538201"],
        ),
    ],
) -> Product:
    """Return the drug that an NDC belongs to, with its risk at 6 months.

    Digits without hyphens that can be cut in several ways are refused, with the candidates.
    """
    try:
        code = parse_ndc(ndc)
    except AmbiguousNdc as error:
        raise Problem(
            422,
            "ambiguous-ndc",
            f"{ndc!r} can stand for more than one product; write it with hyphens.",
            candidates=_candidates(service, error.candidates),
        ) from error
    except InvalidNdc as error:
        raise Problem(422, "bad-ndc", f"{str(error)[0].upper()}{str(error)[1:]}") from error
    try:
        with service.warehouse.cursor() as cursor:
            listing = _find(cursor, code)
    except WarehouseError as error:
        raise Problem(
            503,
            "no-warehouse",
            "Products cannot be looked up, for the warehouse cannot be read; /health says why. "
            "Search by name with /v1/drugs?q=NAME meanwhile.",
        ) from error
    if listing is None:
        raise Problem(
            404,
            "unknown-product",
            f"No product of the universe carries the NDC {code.hyphenated} "
            f"({code.product_key}). Check the digits on the package, or search for the drug's "
            "name with /v1/drugs?q=NAME. Allergenic extracts, homeopathics and compounded "
            "products are left out on purpose.",
        )
    run = service.run()
    drug = forecast_log.read_drug(run.id, listing.drug_id, settings=service.settings)
    forecasts = {f["horizon_months"]: f for f in drug["forecasts"]} if drug else {}
    at_six = forecasts.get(6, {})
    return Product(
        **about(run),
        ndc=code.hyphenated,
        ndc_11_digits=code.ndc11,
        drug_id=listing.drug_id,
        drug_page=f"/drugs/{listing.drug_id}",
        listing=listing,
        in_shortage=drug["in_shortage"] if drug else None,
        score_6_months=at_six.get("score"),
        rank_6_months=at_six.get("rank"),
    )


def find_drug_of(service: Service, text: str) -> str | None:
    """Return the drug of an NDC that a person typed into a search.

    Parameters
    ----------
    service : Service
        The service.
    text : str
        What was typed.

    Returns
    -------
    str or None
        The drug; None if the text is no NDC, is ambiguous, or is no known product.
    """
    try:
        code = parse_ndc(text)
        with service.warehouse.cursor() as cursor:
            listing = _find(cursor, code)
    except (InvalidNdc, WarehouseError):
        return None
    return listing.drug_id if listing else None


def _find(cursor: duckdb.DuckDBPyConnection, code: Ndc) -> Listing | None:
    """Return the newest listing of a product, or None."""
    row = cursor.execute(
        """
        SELECT product_key, drug_id, proprietary_name, nonproprietary_name, labeler_name,
               known_from, known_until
        FROM drug_ndcs
        WHERE product_key = ? AND NOT withdrawn AND drug_id IN (SELECT drug_id FROM drugs)
        ORDER BY known_until IS NULL DESC, known_from DESC
        LIMIT 1
        """,
        [code.product_key],
    ).fetchone()
    if row is None:
        return None
    return Listing(**dict(zip(Listing.model_fields, row, strict=True)))


def _candidates(service: Service, codes: tuple[Ndc, ...]) -> list[dict[str, str | None]]:
    """Return the readings of an ambiguous code, with the drug of those that are products."""
    try:
        with service.warehouse.cursor() as cursor:
            found = [(code, _find(cursor, code)) for code in codes]
    except WarehouseError:
        found = [(code, None) for code in codes]
    return [
        {
            "ndc": code.hyphenated,
            "drug_id": listing.drug_id if listing else None,
            "name": listing.nonproprietary_name if listing else None,
        }
        for code, listing in found
    ]
