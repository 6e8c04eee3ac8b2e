"""The NDC directory as openFDA publishes it: the same listings, with RxNorm's concepts.

What sets it apart from the FDA's own file is the block ``openfda`` of a record: the RxNorm
concepts (``rxcui``), substances and labels that openFDA has matched to the product. It has
tables of its own, so that a product's history never depends on which of the two was taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from shortcast.features.sources._fda_exports import blank_to_null, drop_rows, gather, note_values
from shortcast.features.sources._openfda_releases import read_release, text_of
from shortcast.features.sources.contract import Column, Reading, Source, Table
from shortcast.features.sources.fetching import Fetching, Newest, OpenFda
from shortcast.features.sources.tables import parse_dates

#: The files say YYYYMMDD; other openFDA endpoints have drifted to the other two.
DATE_FORMATS = ("%Y%m%d", "%Y-%m-%d", "%m/%d/%Y")
#: A listing is entered for some years ahead; "3031" stands where no end was meant.
_YEARS_AHEAD = 30
_PRODUCT_NDC = r"\d{4,6}-\w{3,4}"
_PACKAGE_NDC = r"\d{4,6}-\w{3,4}-\w{1,2}"

#: Fields that some product of every release has.
REQUIRED = (
    "product_ndc",
    "product_id",
    "spl_id",
    "product_type",
    "finished",
    "brand_name",
    "generic_name",
    "dosage_form",
    "route",
    "marketing_category",
    "marketing_start_date",
    "labeler_name",
    "active_ingredients",
    "packaging",
)
_TEXT = (
    "product_ndc",
    "product_id",
    "spl_id",
    "product_type",
    "brand_name",
    "brand_name_base",
    "brand_name_suffix",
    "generic_name",
    "dosage_form",
    "route",
    "marketing_category",
    "application_number",
    "labeler_name",
    "pharm_class",
    "dea_schedule",
)
_DATES = ("marketing_start_date", "marketing_end_date", "listing_expiration_date")
#: What is kept of the block ``openfda``, and what it holds.
OPENFDA = {
    "rxcui": "RxNorm concepts of the product, by their numbers",
    "unii": "substance identifiers",
    "nui": "NDF-RT concepts",
    "upc": "bar codes",
    "manufacturer_name": "labelers",
    "spl_set_id": "labels, by a number that stays from version to version",
    "is_original_packager": "True where the labeler packs the product itself",
}

PRODUCTS = Table(
    name="openfda_products",
    description="One product of openFDA's NDC directory",
    columns=(
        Column("product_ndc", "VARCHAR", "labeler and product segments, hyphenated"),
        # The document behind a listing changes with every edit of its label.
        Column("product_id", "VARCHAR", "NDC and label document", volatile=True),
        Column("spl_id", "VARCHAR", "label document", volatile=True),
        Column("product_type", "VARCHAR", "HUMAN PRESCRIPTION DRUG, HUMAN OTC DRUG, VACCINE ..."),
        Column("finished", "BOOLEAN", "False for what is made into other drugs"),
        Column("brand_name", "VARCHAR", "trade name"),
        Column("brand_name_base", "VARCHAR", "trade name without its suffix"),
        Column("brand_name_suffix", "VARCHAR", "suffix of the trade name"),
        Column("generic_name", "VARCHAR", "generic name, ', ' between ingredients"),
        Column("dosage_form", "VARCHAR", "dosage form"),
        Column("route", "VARCHAR", "routes of administration, joined by |"),
        Column("marketing_category", "VARCHAR", "NDA, ANDA, BLA, UNAPPROVED DRUG OTHER ..."),
        Column("application_number", "VARCHAR", "application or monograph, with its prefix"),
        Column("labeler_name", "VARCHAR", "firm whose name stands on the label"),
        Column("active_ingredients", "VARCHAR", "active ingredients, joined by |"),
        Column("active_strengths", "VARCHAR", "their strengths in the same order, joined by |"),
        Column("pharm_class", "VARCHAR", "pharmacologic classes, joined by |"),
        Column("dea_schedule", "VARCHAR", "CI to CV for controlled substances"),
        Column("marketing_start_date", "DATE", "day on which the labeler began to market it"),
        Column("marketing_end_date", "DATE", "day on which marketing ends, if announced"),
        Column("listing_expiration_date", "DATE", "day on which the listing ends if not renewed"),
        *(
            Column(name, "VARCHAR", f"{what}, joined by |", volatile=True)
            for name, what in OPENFDA.items()
        ),
    ),
    key=("product_ndc",),
    is_list=True,
)
PACKAGES = Table(
    name="openfda_packages",
    description="One package of a product of openFDA's NDC directory",
    columns=(
        Column("package_ndc", "VARCHAR", "labeler, product and package segments, hyphenated"),
        Column("product_ndc", "VARCHAR", "labeler and product segments, hyphenated"),
        Column("description", "VARCHAR", "what the package holds"),
        Column("marketing_start_date", "DATE", "day on which the labeler began to market it"),
        Column("marketing_end_date", "DATE", "day on which marketing ends, if announced"),
        Column("is_sample", "BOOLEAN", "a sample package"),
    ),
    key=("package_ndc",),
    is_list=True,
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one release of openFDA's NDC directory.

    Parameters
    ----------
    files : sequence of Path
        All partitions of the release: JSON, zipped or gzipped or plain.
    as_of : date
        Day of the snapshot.

    Returns
    -------
    Reading
        ``openfda_products`` and ``openfda_packages``, known when they are seen.

    Raises
    ------
    SourceError
        If a file is damaged, is not such a release, or a part of the release is missing.
    """
    quarantine: list[pd.DataFrame] = []
    tables: dict[str, list[pd.DataFrame]] = {PRODUCTS.name: [], PACKAGES.name: []}
    for file, records, first in read_release(files, REQUIRED, "drug/ndc"):
        products = _products(file, records, first)
        packages = _packages(file, records, first)
        products = _checked(products, "product_ndc", _PRODUCT_NDC, as_of, quarantine)
        packages = _checked(packages, "package_ndc", _PACKAGE_NDC, as_of, quarantine)
        # What cannot be told from another product has no packages either.
        packages = packages[packages["source_row"].isin(products["source_row"])]
        tables[PRODUCTS.name].append(products)
        tables[PACKAGES.name].append(packages)
    return Reading(
        {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()},
        gather(quarantine),
    )


def _products(file: str, records: Sequence[dict[str, Any]], first: int) -> pd.DataFrame:
    """Lay products out as text columns, numbered from ``first``."""
    columns = {name: [text_of(record.get(name)) for record in records] for name in _TEXT + _DATES}
    parts = [list(_dicts(record.get("active_ingredients"))) for record in records]
    for column, field in (("active_ingredients", "name"), ("active_strengths", "strength")):
        columns[column] = [text_of([part.get(field) or "" for part in own]) for own in parts]
    blocks = [block if isinstance(block := r.get("openfda"), dict) else {} for r in records]
    columns |= {name: [text_of(block.get(name)) for block in blocks] for name in OPENFDA}
    frame = pd.DataFrame(columns, dtype="str")
    frame["finished"] = _yes_or_no([record.get("finished") for record in records])
    frame["source_file"], frame["source_row"] = file, range(first, first + len(frame))
    return frame


def _packages(file: str, records: Sequence[dict[str, Any]], first: int) -> pd.DataFrame:
    """Lay the products' packages out as text columns, with the numbers of their products."""
    rows = [
        (number, text_of(record.get("product_ndc")), package)
        for number, record in enumerate(records, start=first)
        for package in _dicts(record.get("packaging"))
    ]
    fields = ("package_ndc", "description", "marketing_start_date", "marketing_end_date")
    frame = pd.DataFrame(
        {name: [text_of(package.get(name)) for *_, package in rows] for name in fields},
        dtype="str",
    )
    frame["product_ndc"] = pd.Series([ndc for _, ndc, _ in rows], dtype="str")
    frame["is_sample"] = _yes_or_no([package.get("sample") for *_, package in rows])
    frame["source_file"] = pd.Series(file, index=frame.index, dtype="str")
    frame["source_row"] = pd.Series([number for number, *_ in rows], dtype="int64")
    return frame


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield what a list holds of named fields."""
    yield from (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def _yes_or_no(values: Sequence[Any]) -> pd.Series:
    """Return JSON's true and false, null for anything else."""
    known = [value if isinstance(value, bool) else None for value in values]
    return pd.Series(known, dtype="boolean")


def _checked(
    frame: pd.DataFrame, ndc: str, pattern: str, as_of: date, quarantine: list[pd.DataFrame]
) -> pd.DataFrame:
    """Type the rows; reject those without a proper NDC, and empty dates that cannot be."""
    wrong = ~frame[ndc].str.fullmatch(pattern)
    frame, entries = drop_rows(frame, wrong, ndc, frame[ndc], "is no hyphenated NDC")
    quarantine.append(entries)
    ahead = date(as_of.year + _YEARS_AHEAD, 12, 31)
    reason = f"is no date between 1900 and {ahead.year}; it is left empty and the row kept"
    for name in _DATES:
        if name in frame:
            days, bad = parse_dates(frame[name], DATE_FORMATS, latest=ahead)
            # 1 January 1900 stands where the day is not known.
            bad |= days == pd.Timestamp(1900, 1, 1)
            quarantine.append(note_values(frame, bad, name, frame[name], reason))
            frame[name] = days.mask(bad)
    for name in frame.columns.difference(["source_file"]):
        if frame[name].dtype == "str":
            frame[name] = blank_to_null(frame[name])
    frame["event_date"] = frame["marketing_start_date"]
    return frame


SOURCE = Source(
    name="openfda_ndc",
    title="openFDA National Drug Code directory",
    publisher="US Food and Drug Administration, openFDA",
    address="https://open.fda.gov/apis/drug/ndc/",
    licence="CC0 1.0",
    citation="US Food and Drug Administration. openFDA: National Drug Code Directory.",
    cadence_days=7,
    files=("*.json", "*.json.zip", "*.json.gz"),
    tables=(PRODUCTS, PACKAGES),
    read=read,
    required={"": REQUIRED},
    caveats=(
        "No feature and no link rests on it yet: it is kept for RxNorm's concepts (rxcui).",
        "The openfda block needs an exact match; it vanishes from records and comes back.",
        "A product may have several concepts; which is that of its own strength is not told.",
        (
            "Products that left the market vanish from it, and rows count as known when they "
            "are first seen: nothing is said of the time before the first snapshot."
        ),
        "A labeler is not a manufacturer: repackagers and relabelers are labelers too.",
        "openFDA asks not to rely on it for decisions on medical care.",
        "It is renewed daily, and taken once a week: it is large, and lists what the FDA's does.",
        "How many records a release holds and how large it is could not be confirmed.",
    ),
    fetching=Fetching(
        way=OpenFda(
            "https://api.fda.gov/download.json",
            noun="drug",
            endpoint="ndc",
            sort="product_ndc",
        ),
        size=(5_000_000, 300_000_000),
        rows=80_000,
        fall=0.1,
        newest=Newest("openfda_products", "marketing_start_date", within_days=60),
        every_days=7,
        per_minute=240,
        per_day=1000,
        optional_keys=("openfda_key",),
    ),
)
