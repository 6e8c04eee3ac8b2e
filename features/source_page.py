"""Sources in words, from their own descriptions: for the documentation and the sources page.

``python -m shortcast.features.source_page`` prints ``docs/data-sources.md``.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator

from shortcast.features.sources import registry
from shortcast.features.sources.contract import Source, Table
from shortcast.features.sources.fetching import Fetching

_HEAD = """\
# Data sources

Made from the sources' own descriptions (`features/sources/`) by
`python -m shortcast.features.source_page > docs/data-sources.md`; a test holds it against them.

Every source is public. `shortcast fetch` asks those that say how below; any can be imported from
files (`shortcast import DIR`, as `SOURCE/DAY/FILE`). What is fetched enters the archive only after
the checks that its description asks for; what fails one lies in quarantine with the reason, and the
last good snapshot stays in force. Sizes and least records hold for the real source alone. A file
in today's layout that lacks a required field, fetched or imported, is refused; earlier layouts and
spellings that the reader knows are read as they are.

"Not confirmed" means that nobody here has seen what the real address answers: what is written of it
comes from its documentation and from the code of others.

"""


def in_words(source: Source) -> list[str]:
    """Say how a source is fetched and what is expected of it.

    Parameters
    ----------
    source : Source
        Its description.

    Returns
    -------
    list of str
        One sentence each; the first says whether it is fetched at all.
    """
    fetching = source.fetching
    if fetching is None:
        return ["It is not fetched, only imported."]
    return [*_way(fetching), *_expected(fetching), *_past(fetching)]


def _way(fetching: Fetching) -> Iterator[str]:
    if fetching.only_history:
        yield "It is brought by `shortcast fetch --history` alone."
        return
    rhythm = "every day" if fetching.every_days == 1 else f"every {fetching.every_days} days"
    yield f"Asked {rhythm} at {fetching.way.address}."
    yield _kind(fetching.way)
    if needs := fetching.needs():
        yield f"{needs[0].upper()}{needs[1:]}."
    for key in fetching.optional_keys:
        yield f"SHORTCAST_{key.upper()} allows more requests."


def _kind(way: object) -> str:
    """Return the first line of what a way says of itself."""
    return (inspect.getdoc(type(way)) or "").splitlines()[0].replace("``", "`")


def _expected(fetching: Fetching) -> Iterator[str]:
    least, most = fetching.size
    yield (
        f"Expected are {_size(least)} to {_size(most)} and at least {fetching.rows:,} records, of "
        f"which at most {_share(fetching.unparsed)} cannot be used."
    )
    if not fetching.only_history:
        yield (
            "From one snapshot to the next, a month apart or less, it may lose "
            f"{_share(fetching.fall)} of its rows and gain {_share(fetching.growth)}."
        )
    if fetching.newest:
        newest = fetching.newest
        yield (
            f"The newest {newest.column} of {newest.table} is at most {newest.within_days} "
            "days old."
        )


def _past(fetching: Fetching) -> Iterator[str]:
    if fetching.history:
        yield f"--history fills the past from {fetching.history.address}."
        yield _kind(fetching.history)
    if fetching.checked_on is None:
        yield "Not confirmed against the real source."
    else:
        yield f"Confirmed against the real source on {fetching.checked_on}."


def _share(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _size(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1_000_000 else f"{size / 1e3:,.0f} kB"


def page() -> str:
    """Return the page of all sources, as Markdown.

    Returns
    -------
    str
    """
    sections = [_section(source) for source in registry().values()]
    return _HEAD + _overview() + "\n".join(sections)


def _overview() -> str:
    """Return a table of all sources, one a line."""
    lines = [
        "| source | what | how it comes | keys | past | confirmed |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for source in registry().values():
        fetching = source.fetching
        link = f"[`{source.name}`](#{_anchor(source)})"
        if fetching is None:
            cells = [link, source.title, "by hand: exported and imported", "", "", ""]
        else:
            rhythm = "day" if fetching.every_days == 1 else f"{fetching.every_days} days"
            way = "fetched once" if fetching.only_history else f"fetched every {rhythm}"
            needed = [f"`SHORTCAST_{key.upper()}`" for key in fetching.keys]
            useful = [f"`SHORTCAST_{key.upper()}` (optional)" for key in fetching.optional_keys]
            past = "`--history`" if fetching.history or fetching.only_history else ""
            seen = f"{fetching.checked_on}" if fetching.checked_on else "no"
            cells = [link, source.title, way, ", ".join(needed + useful), past, seen]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\n"


def _anchor(source: Source) -> str:
    """Return what a heading's link is called: small letters, blanks as hyphens, no other signs."""
    heading = f"{source.title} (`{source.name}`)".lower().replace(" ", "-")
    return "".join(sign for sign in heading if sign.isalnum() or sign in "-_")


def _section(source: Source) -> str:
    rhythm = "day" if source.cadence_days == 1 else f"{source.cadence_days} days"
    published = "once" if source.cadence_days >= 3650 else f"about every {rhythm}"
    lines = [
        f"## {source.title} (`{source.name}`)",
        "",
        f"- **Publisher:** {source.publisher}",
        f"- **Address:** <{source.address}>",
        f"- **Terms:** {source.licence}",
        f"- **Cite as:** {source.citation}",
        f"- **Published:** {published}",
        f"- **Files:** {_names(source.files)}",
        f"- **Required fields:** {_required(source)}",
        f"- **Fetched:** {' '.join(in_words(source))}",
        "",
        *[line for table in source.tables for line in _table(table)],
        "",
        "Caveats:",
        "",
        *[f"- {caveat}" for caveat in source.caveats],
        "",
    ]
    return "\n".join(lines)


def _table(table: Table) -> Iterator[str]:
    kind = "a list of what is in force" if table.is_list else "a record of events"
    known = f" {table.lag_note}" if table.lag_note else ""
    known = known if not known or known.endswith(".") else f"{known}."
    described = table.description[:1].upper() + table.description[1:]
    yield (
        f"- `{table.name}`: {described.rstrip('.')}; {kind}, by "
        f"{_names(table.key)}.{known} Columns: {_names(column.name for column in table.columns)}."
    )


def _required(source: Source) -> str:
    """Return the fields without which a file is refused, by the file that must have them."""
    files = source.required.items()
    return "; ".join(f"in `{of}` {_names(names)}" if of else _names(names) for of, names in files)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.stdout.write(page())
