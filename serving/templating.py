"""Pages from templates; everything that is not markup of ours is escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from shortcast import __version__
from shortcast.serving import words

_NO_BREAK = "\N{NO-BREAK SPACE}"


def _unbroken(say: Callable[..., str]) -> Callable[..., str]:
    """Return a function whose words stay on one line."""
    return lambda *args: say(*args).replace(" ", _NO_BREAK)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("shortcast.serving"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=_unbroken(words.percent),
        one_in=words.one_in,
        day=_unbroken(words.day),
        form_group=words.form_group,
        count=words.count,
        odds=_unbroken(words.odds),
    )
    environment.globals.update(
        times=words.times,
        months=_unbroken(words.months),
        disclaimer=words.DISCLAIMER,
        not_a_cause=words.NOT_A_CAUSE,
        simulated_warning=words.SIMULATED,
        version=__version__,
    )
    return environment


_TEMPLATES = _environment()


def page(
    request: Request,
    template: str,
    context: Mapping[str, Any],
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Return a page.

    Parameters
    ----------
    request : Request
        The request that it answers; links follow the path it is mounted under.
    template : str
        Name of the template.
    context : mapping
        What the template shows. ``data`` other than 'real' puts up the banner.
    status_code : int
        HTTP status.
    headers : mapping, optional
        Further headers.
    """
    html = _TEMPLATES.get_template(template).render(
        {"root": request.scope.get("root_path", ""), "data": "real", **context}
    )
    # A browser asks again each time; the answer is quick, and a stale risk would mislead.
    return HTMLResponse(html, status_code, {"Cache-Control": "no-cache", **(headers or {})})
