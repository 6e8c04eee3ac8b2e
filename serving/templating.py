"""Pages from templates; everything that is not markup of ours is escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from shortcast import __version__
from shortcast.features import kind
from shortcast.serving import quality, words

_NO_BREAK = "\N{NO-BREAK SPACE}"

#: Reads the model card; what looks like HTML in it is text.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")

#: Characters of a value that a line must not break.
_SHORT = 12

#: Reasons that move the log-odds by less are named but not shown: odds times 1.05 say nothing.
MOVES = 0.05


class Contributing(Protocol):
    """A reason with its contribution in log-odds."""

    contribution: float


def is_moving(reason: Contributing) -> bool:
    """Return whether a reason moved the estimate enough to be shown.

    Parameters
    ----------
    reason : Contributing
        A reason with its contribution in log-odds.

    Returns
    -------
    bool
    """
    return abs(reason.contribution) >= MOVES


def _moving(reasons: Iterable[Contributing]) -> list[Contributing]:
    return [reason for reason in reasons if is_moving(reason)]


def _code(text: str) -> Markup:
    """Return text with what stands between backticks set as code; all else is escaped."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def _markdown(text: str) -> Markup:
    """Return Markdown as HTML, two levels of headings below its own; HTML in it is escaped."""
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def _tie(text: str) -> str:
    """Return a sentence whose numbers stay with their per cent signs."""
    return text.replace(" %", f"{_NO_BREAK}%")


def _fact(text: str) -> str:
    """Return 'label: value' with a short value kept whole and beside the label's last word."""
    label, colon, value = text.rpartition(": ")
    if not colon or len(value) > _SHORT:
        return _tie(text)
    return f"{label}:{_NO_BREAK}{value.replace(' ', _NO_BREAK)}"


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
        drug_name=words.drug_name,
        count=words.count,
        moving=_moving,
        code=_code,
        markdown=_markdown,
        tie=_tie,
        fact=_fact,
        odds=_unbroken(words.odds),
    )
    environment.globals.update(
        times=words.times,
        months=_unbroken(words.months),
        percent=_unbroken(words.percent),
        ratio=words.ratio,
        tenths=words.tenths,
        share=lambda value: "–" if value is None else f"{100 * value:.1f}{_NO_BREAK}%",
        disclaimer=words.disclaimer,
        short_disclaimer=words.short_disclaimer,
        records_of=kind.records_of,
        shortage_list=kind.shortage_list,
        not_a_cause=words.NOT_A_CAUSE,
        said_of_few=quality.said_of_few,
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
        What the template shows. ``data`` other than 'real' puts up the banner; without it,
        what the service tells of does.
    status_code : int
        HTTP status.
    headers : mapping, optional
        Further headers.
    """
    data = context.get("data") or request.app.state.service.data()
    html = _TEMPLATES.get_template(template).render(
        {"root": request.scope.get("root_path", ""), **context, "data": data}
    )
    # A browser asks again each time; the answer is quick, and a stale risk would mislead.
    return HTMLResponse(html, status_code, {"Cache-Control": "no-cache", **(headers or {})})
