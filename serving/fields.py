"""Members that several answers share, each described once, with an example."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

DrugId = Annotated[
    str,
    Field(
        description="The drug: its active ingredients and its form group",
        examples=["cisplatin--injection"],
    ),
]
DrugName = Annotated[
    str, Field(description="What the drug is called", examples=["cisplatin, injection"])
]
FormGroupName = Annotated[str, Field(description="Its form group", examples=["injection"])]
HorizonMonths = Annotated[int, Field(description="Months ahead", examples=[6])]
Score = Annotated[
    float,
    Field(
        description="Estimated probability of a new shortage within the horizon, 0 to 1",
        examples=[0.041],
    ),
]
Rank = Annotated[int, Field(description="1 is the highest risk", examples=[17])]
ScoreAtSix = Annotated[
    float | None,
    Field(
        description="Estimated probability of a new shortage within 6 months, 0 to 1; null for a "
        "drug in shortage",
        examples=[0.041],
    ),
]
RankAtSix = Annotated[
    int | None,
    Field(
        description="Rank at 6 months, 1 is the highest risk; null for a drug in shortage",
        examples=[17],
    ),
]
RunId = Annotated[int, Field(description="Number of the run in the forecast log", examples=[12])]
RunAsOf = Annotated[
    date,
    Field(description="The run rests on what was known before this day", examples=["2022-05-01"]),
]
RunMadeAt = Annotated[
    datetime,
    Field(description="When the run was written (UTC)", examples=["2022-05-01T05:00:00Z"]),
]
ModelVersion = Annotated[str, Field(description="Version in the model registry", examples=["3"])]
GroupName = Annotated[str, Field(description="Name of the group of facts", examples=["history"])]
GroupTitle = Annotated[
    str, Field(description="What the group is called", examples=["Shortage history"])
]
RecordsChecksum = Annotated[str, Field(description="Checksum of the records that it was made from")]
CodeVersion = Annotated[str, Field(description="Version of shortcast", examples=["0.1.0"])]
Citation = Annotated[str, Field(description="A line to cite it by")]
Wording = Annotated[str, Field(description="What the reasons are, and what they are not")]
