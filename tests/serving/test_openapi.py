"""The description of the API: nothing in it is left for the reader to guess."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI


def _said(schema: dict[str, Any], what: str) -> object:
    """Return what a schema or one of its alternatives says of itself."""
    parts = (schema, *schema.get("anyOf", ()))
    return next((part[what] for part in parts if part.get(what)), None)


def test_every_address_and_parameter_is_described_with_an_example(app: FastAPI) -> None:
    silent = []
    for path, methods in app.openapi()["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert operation["description"], path
            for parameter in operation.get("parameters", []):
                schema = parameter["schema"]
                if not (parameter.get("description") or _said(schema, "description")):
                    silent.append((path, parameter["name"], "description"))
                if not (parameter.get("examples") or _said(schema, "examples")):
                    silent.append((path, parameter["name"], "example"))
    assert silent == []


def test_every_member_of_an_answer_is_described(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    silent = [
        f"{name}.{member}"
        for name, schema in schemas.items()
        for member, described in schema.get("properties", {}).items()
        if not _said(described, "description")
        # A member that is an object of its own is described there.
        and not _said(described, "$ref")
    ]
    assert silent == []
    assert all(schema.get("description") for schema in schemas.values())


def test_a_drug_is_described_with_examples_of_its_figures(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    for member in ("drug_id", "name", "form_group"):
        assert schemas["Drug"]["properties"][member]["examples"]
    for member in ("horizon_months", "score", "rank", "of"):
        assert schemas["Horizon"]["properties"][member]["examples"]
    assert "not" in schemas["Drug"]["properties"]["wording"]["description"]
