"""``/docs``: the OpenAPI description as a plain page.

FastAPI's own page loads its scripts from elsewhere; this one is made from the same
description, needs no script, and works without a network.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from shortcast.serving.problems import KINDS
from shortcast.serving.templating import page

router = APIRouter(include_in_schema=False)


@router.get("/docs", response_class=HTMLResponse)
def read_docs(request: Request) -> HTMLResponse:
    """Show every address with its parameters and the form of its answer."""
    description = request.app.openapi()
    schemas = description.get("components", {}).get("schemas", {})
    operations = [
        _operation(path, operation)
        for path, methods in description["paths"].items()
        for operation in methods.values()
    ]
    return page(
        request,
        "docs.html",
        {
            "info": description["info"],
            "operations": operations,
            "schemas": {name: _fields(schema) for name, schema in sorted(schemas.items())},
            "kinds": KINDS,
        },
    )


def _operation(path: str, operation: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of one address."""
    answer = operation["responses"].get("200", {}).get("content", {})
    return {
        "path": path,
        "id": operation["operationId"],
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "tag": operation.get("tags", [""])[0],
        "parameters": [
            {
                "name": parameter["name"],
                "where": parameter["in"],
                "required": parameter.get("required", False),
                "type": _type(parameter["schema"]),
                "default": parameter["schema"].get("default"),
                "description": _description(parameter) or _description(parameter["schema"]),
                "example": _example(parameter),
            }
            for parameter in operation.get("parameters", [])
        ],
        "answers": [
            {"media_type": media_type.split(";")[0], "type": _type(content.get("schema", {}))}
            for media_type, content in answer.items()
        ],
        "problems": [status for status in operation["responses"] if status != "200"],
    }


def _fields(schema: dict[str, Any]) -> list[dict[str, str]]:
    """Return the members of an object."""
    return [
        {
            "name": name,
            "type": _type(member),
            "description": _description(member),
        }
        for name, member in schema.get("properties", {}).items()
    ]


def _description(schema: dict[str, Any]) -> str:
    """Return what a schema says of itself, or else what one of its alternatives says."""
    found = (part.get("description", "") for part in (schema, *schema.get("anyOf", ())))
    return next(filter(None, found), "")


def _example(parameter: dict[str, Any]) -> str | None:
    """Return the first example of a parameter as a query writes it; None where it has none."""
    schema = parameter["schema"]
    found = (part.get("examples") or () for part in (schema, *schema.get("anyOf", ())))
    first = next((examples[0] for examples in found if examples), None)
    return str(first).lower() if isinstance(first, bool) else None if first is None else str(first)


def _type(schema: dict[str, Any]) -> str:
    """Return the type of a schema in words."""
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[-1]
    if "anyOf" in schema:
        # What is left out is null; saying so at every parameter only tires the reader.
        return " or ".join(_type(part) for part in schema["anyOf"] if part.get("type") != "null")
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    name = schema.get("type", "any")
    return f"{name} ({schema['format']})" if "format" in schema else name
