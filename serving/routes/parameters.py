"""Parameters that several addresses share."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

Horizon = Annotated[
    Literal[3, 6, 12],
    # A query brings text.
    BeforeValidator(lambda value: int(value) if str(value).isdecimal() else value),
    Field(description="Months ahead: 3, 6 or 12", examples=[6]),
]

FormGroup = Annotated[
    Literal[
        "injection", "oral-solid", "oral-liquid", "ophthalmic", "topical", "inhalation", "other"
    ],
    Field(description="Only drugs of this form group", examples=["injection"]),
]

Search = Annotated[
    str,
    Field(
        max_length=200,
        description="Words of the drug's name, in any order and case; all must be found",
        examples=["cisplatin"],
    ),
]

AsOf = Annotated[
    date | None,
    Field(
        description="Answer with the run in force on that day; by default with the newest",
        examples=["2022-05-01"],
    ),
]

OfDrug = Annotated[
    str | None,
    Field(
        max_length=300,
        description="Only what concerns this drug",
        examples=["cisplatin--injection"],
    ),
]
