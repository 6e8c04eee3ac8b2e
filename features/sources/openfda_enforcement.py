"""Drug recalls as the FDA reports them: the openFDA copy of its weekly enforcement reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from shortcast.features.sources._fda_exports import (
    blank_to_null,
    date_reason,
    drop_rows,
    gather,
    note_values,
)
from shortcast.features.sources._openfda_releases import read_release, text_of
from shortcast.features.sources.contract import Column, Reading, Source, Table
from shortcast.features.sources.fetching import Fetching, Newest, OpenFda
from shortcast.features.sources.tables import parse_dates

#: The field reference says YYYYMMDD, and so the files have it; the other openFDA endpoints
#: have drifted to the other two.
DATE_FORMATS = ("%Y%m%d", "%Y-%m-%d", "%m/%d/%Y")

REQUIRED = (
    "recall_number",
    "event_id",
    "recalling_firm",
    "classification",
    "product_type",
    "product_description",
    "reason_for_recall",
    "recall_initiation_date",
    "report_date",
    "status",
)
TEXT = (
    *REQUIRED,
    "address_1",
    "address_2",
    "city",
    "state",
    "postal_code",
    "country",
    "code_info",
    "more_code_info",
    "product_quantity",
    "distribution_pattern",
    "voluntary_mandated",
    "initial_firm_notification",
    "center_classification_date",
    "termination_date",
)
#: Our column, the key in the openfda block, and what it holds.
OPENFDA = (
    ("product_ndc", "product_ndc", "NDCs (labeler-product) that openFDA matched"),
    ("package_ndc", "package_ndc", "NDCs of packages that openFDA matched"),
    ("brand_name", "brand_name", "brand names"),
    ("generic_name", "generic_name", "generic names"),
    ("substance_name", "substance_name", "active ingredients"),
    ("route", "route", "routes of administration"),
    ("application_number", "application_number", "applications, such as ANDA076543"),
    ("manufacturer_name", "manufacturer_name", "labelers"),
    ("openfda_product_type", "product_type", "kind of listing, such as HUMAN PRESCRIPTION DRUG"),
    ("rxcui", "rxcui", "RxNorm concepts"),
    ("unii", "unii", "substance identifiers"),
    ("pharm_class_epc", "pharm_class_epc", "established pharmacologic classes"),
    ("original_packager_product_ndc", "original_packager_product_ndc", "NDCs repackaged from"),
)

RECALLS = Table(
    name="recalls",
    description="One recalled product of an enforcement report, as published.",
    columns=(
        Column("recall_number", "VARCHAR", "number given at classification; null before it"),
        Column("event_id", "VARCHAR", "number of the recall event, shared by its products"),
        Column("recalling_firm", "VARCHAR", "firm that recalls"),
        Column("address_1", "VARCHAR", "street of the recalling firm"),
        Column("address_2", "VARCHAR", "second line of the address"),
        Column("city", "VARCHAR", "city of the recalling firm"),
        Column("state", "VARCHAR", "US state of the recalling firm, two letters"),
        Column("postal_code", "VARCHAR", "postal code of the recalling firm"),
        Column("country", "VARCHAR", "country of the recalling firm"),
        Column("classification", "VARCHAR", "Class I (gravest), II, III, or Not Yet Classified"),
        Column("product_description", "VARCHAR", "product, in the firm's words; may hold NDCs"),
        Column("code_info", "VARCHAR", "lots and expiry dates; may hold NDCs"),
        Column("more_code_info", "VARCHAR", "the rest of code_info"),
        Column("reason_for_recall", "VARCHAR", "reason, in the firm's words"),
        Column("product_quantity", "VARCHAR", "quantity recalled, in words"),
        Column("distribution_pattern", "VARCHAR", "where it was sold, in words"),
        Column("voluntary_mandated", "VARCHAR", "who asked for the recall"),
        Column("initial_firm_notification", "VARCHAR", "how the firm told its customers"),
        Column("recall_initiation_date", "DATE", "day the firm began to tell its customers"),
        Column("center_classification_date", "DATE", "day the FDA classified the recall"),
        Column("report_date", "DATE", "day of the enforcement report"),
        Column("product_type", "VARCHAR", "Drugs"),
        *(
            Column(name, "VARCHAR", f"{what}, joined by |", volatile=True)
            for name, _, what in OPENFDA
        ),
    ),
    key=("event_id", "recall_number"),
)

STATES = Table(
    name="recall_states",
    description="How far a recall was when a snapshot was taken.",
    columns=(
        Column("recall_number", "VARCHAR", "number of the recall"),
        Column("event_id", "VARCHAR", "number of the recall event"),
        Column("status", "VARCHAR", "Ongoing, Completed or Terminated"),
        Column("termination_date", "DATE", "day the FDA ended the recall"),
    ),
    key=("event_id", "recall_number"),
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one release of the enforcement reports.

    Parameters
    ----------
    files : sequence of Path
        All partitions of the release: JSON, zipped or gzipped or plain.
    as_of : date
        Day of the snapshot.

    Returns
    -------
    Reading
        ``recalls``, public from the report's day, or from the day of classification where
        that came later: the report then said "Not Yet Classified", and only a later release
        has the class. ``recall_states`` holds what changes afterwards without a date of its
        own, known when it is seen.

    Raises
    ------
    SourceError
        If a file is damaged, is not such a release, or a part of the release is missing.
    """
    quarantine: list[pd.DataFrame] = []
    tables: dict[str, list[pd.DataFrame]] = {RECALLS.name: [], STATES.name: []}
    for file, records, first in read_release(files, REQUIRED, "drug/enforcement"):
        recalls, states = _read_part(_frame(file, records, first), as_of, quarantine)
        tables[RECALLS.name].append(recalls)
        tables[STATES.name].append(states)
    return Reading(
        {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()},
        gather(quarantine),
    )


def _frame(file: str, records: Sequence[dict[str, Any]], first: int) -> pd.DataFrame:
    """Lay records out as text columns, numbered from ``first``; a list becomes one text with |."""
    frame = pd.DataFrame(
        {name: [text_of(record.get(name)) for record in records] for name in TEXT}, dtype=str
    )
    blocks = [block if isinstance(block := r.get("openfda"), dict) else {} for r in records]
    for name, field, _ in OPENFDA:
        frame[name] = pd.Series([text_of(block.get(field)) for block in blocks], dtype=str)
    frame["source_file"], frame["source_row"] = file, range(first, first + len(frame))
    return frame


def _read_part(
    frame: pd.DataFrame, as_of: date, quarantine: list[pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Type one file's records and split them into what is fixed and what changes."""
    other = frame["product_type"].str.casefold() != "drugs"
    frame, entries = drop_rows(
        frame, other, "product_type", frame["product_type"], "not a recall of drugs"
    )
    quarantine.append(entries)
    unnamed = frame["event_id"] == ""
    frame, entries = drop_rows(frame, unnamed, "event_id", "", "no number of the recall event")
    quarantine.append(entries)
    reported, bad = parse_dates(frame["report_date"], DATE_FORMATS, latest=as_of)
    frame, entries = drop_rows(
        frame.assign(report_date=reported),
        bad | reported.isna(),
        "report_date",
        frame["report_date"],
        date_reason(as_of),
    )
    quarantine.append(entries)
    unclear = pd.Series(data=False, index=frame.index)
    for name in ("recall_initiation_date", "center_classification_date", "termination_date"):
        parsed, bad = parse_dates(frame[name], DATE_FORMATS, latest=as_of)
        reason = f"{date_reason(as_of)}; the value is left empty"
        quarantine.append(note_values(frame, bad, name, frame[name], reason))
        frame[name] = parsed
        if name == "center_classification_date":
            unclear = bad

    dated = {"recall_initiation_date", "center_classification_date", "report_date"}
    for name in [*TEXT, *(name for name, _, _ in OPENFDA)]:
        if name not in dated | {"termination_date"}:
            frame[name] = blank_to_null(frame[name])
    # The same phrase in two spellings, changed from one release to the next on old rows.
    frame["voluntary_mandated"] = frame["voluntary_mandated"].str.replace("Initiated", "initiated")
    frame["event_date"] = frame["recall_initiation_date"]
    # With a date of classification that cannot be read, nobody can say when the class came out.
    public = frame[["report_date", "center_classification_date"]].max(axis="columns")
    frame["published_at"] = public.mask(unclear)

    lineage = ["source_file", "source_row"]
    recalls = [column.name for column in RECALLS.columns]
    states = [column.name for column in STATES.columns]
    return (
        frame[[*recalls, "event_date", "published_at", *lineage]],
        frame[[*states, *lineage]],
    )


SOURCE = Source(
    name="openfda_enforcement",
    title="openFDA drug enforcement reports (recalls)",
    publisher="US Food and Drug Administration, openFDA",
    address="https://open.fda.gov/apis/drug/enforcement/",
    licence="CC0 1.0",
    citation="US Food and Drug Administration. openFDA: Drug Recall Enforcement Reports.",
    cadence_days=7,
    files=("*.json", "*.json.zip", "*.json.gz"),
    tables=(RECALLS, STATES),
    read=read,
    required={"": REQUIRED},
    caveats=(
        (
            "Public from the report's day, a median of 55 days after the recall began; using "
            "the day it began would leak the future."
        ),
        (
            "410 of the 15,542 records of August 2023 were classified after the report that "
            "first showed them; they count as public from the classification."
        ),
        (
            "The FDA says that the status is not updated after publication and that the data "
            "should not be used to alert the public or to track a recall."
        ),
        (
            "openFDA's NDCs and names are matched against the products listed today and vanish "
            "with them: use them to tell which drug it is, never whether there are any."
        ),
        "The records begin in June 2012.",
        "An inverted question mark in the text stands for a sign that the source lost.",
    ),
    fetching=Fetching(
        way=OpenFda(
            "https://api.fda.gov/download.json",
            noun="drug",
            endpoint="enforcement",
            sort="report_date",
        ),
        size=(3_000_000, 60_000_000),
        rows=15_000,
        fall=0.02,
        newest=Newest("recalls", "report_date", within_days=30),
        per_minute=240,
        per_day=1000,
        optional_keys=("openfda_key",),
    ),
)
