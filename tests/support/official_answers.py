"""What is asked of an official host, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class Question:
    """A request, with the address in its parts.

    Attributes
    ----------
    method, host, path : str
        Of the official address.
    query : dict of str to str
        Behind the ``?``.
    headers : dict of str to str
        Names in lower case.
    body : bytes
        As sent.
    day : date
        By the server's clock.
    """

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    day: date

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What a host answers.

    Attributes
    ----------
    content : bytes
        The body.
    source : str
        Source whose records it shows; '' for none.
    status : int
        Of HTTP.
    headers : mapping of str to str
        Beside those that every answer has.
    changed_on : date or None
        Where the host tells when a file was last changed: such a file has an entity tag, too,
        and parts of it may be asked for.
    damage : str or None
        What is wrong with the records by plan; None for whatever is wrong with all that the
        source shows on the day.
    """

    content: bytes
    source: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    changed_on: date | None = None
    damage: str | None = None


def as_json(
    content: Any, source: str = "", *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    raw = json.dumps(content).encode()
    return Answer(
        raw, source, status, {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    )
