"""Parameters that several addresses share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

Horizon = Annotated[
    Literal[3, 6, 12],
    # A query brings text.
    BeforeValidator(lambda value: int(value) if str(value).isdecimal() else value),
    Field(description="Months ahead: 3, 6 or 12"),
]

FormGroup = Annotated[
    Literal[
        "injection", "oral-solid", "oral-liquid", "ophthalmic", "topical", "inhalation", "other"
    ],
    Field(description="Only drugs of this form group"),
]

Search = Annotated[
    str,
    Field(
        max_length=200,
        description="Words of the drug's name, in any order and case; all must be found",
    ),
]
