"""What the FDA finds at companies and borders: inspections, letters, refusals, registrations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shortcast.features.simulated.world import World
from shortcast.features.simulated.writers._dirt import (
    MISSPELT,
    TWICE,
    dice,
    how_many,
    misspelt,
    some,
    with_broken,
)
from shortcast.features.simulated.writers._files import (
    as_days,
    csv_lines,
    day_number,
    delimited,
    place,
    write_gzip,
    written,
)
from shortcast.features.simulated.writers._words import Words, year_ends

#: The Data Dashboard hands out this many rows at once, so a file of just so many is refused.
_PAGE_ROWS = 5000
_CLASSES = {
    "NAI": "No Action Indicated (NAI)",
    "VAI": "Voluntary Action Indicated (VAI)",
    "OAI": "Official Action Indicated (OAI)",
}
#: Sections of the regulations that citations name, what they are about, and a finding.
_CITED = (
    (
        "21 CFR 211.22(d)",
        "Duties of the quality unit",
        "Its duties are not in writing, or not met.",
    ),
    ("21 CFR 211.42(c)", "Separate areas", "Areas are not kept apart, so that products may mix."),
    ("21 CFR 211.67(a)", "Cleaning of equipment", "Equipment is not cleaned often enough."),
    ("21 CFR 211.68(b)", "Access to computers", "Anybody can change records, or delete them."),
    ("21 CFR 211.100(a)", "Written procedures", 'There are none for "production", or none in use.'),
    ("21 CFR 211.113(b)", "Sterile products", "What should prevent contamination is not tested."),
    (
        "21 CFR 211.160(b)",
        "Laboratory controls",
        "Specifications are not sound.\nSpecifically, ...",
    ),
    ("21 CFR 211.166(a)", "Stability testing", "There is no program, or it is not followed."),
    ("21 CFR 211.192", "Inquiries into failures", "Batches that failed were not looked into."),
)
#: Citations of an inspection by its class.
_CITATIONS = {"NAI": 0, "VAI": 1, "OAI": 2}
#: The last ends of years for which citations and refusals are written: each file has all of the
#: past, and nothing asks what was known of it when.
_RECENT = 2
#: Charges of import refusals, as numbers.
_CHARGES = ("75", "118", "16,118", "75,508")
#: Refused shipments a year for each foreign application, and for each letter to a foreign plant.
_REFUSED, _REFUSED_AFTER_LETTER = 0.02, 2
_LETTERS = "/inspections-compliance-enforcement-and-criminal-investigations/warning-letters/"
#: Product type, issuing office and subject of letters that are not about drugs.
_NOT_DRUGS = (
    (
        "Devices",
        "Center for Devices and Radiological Health",
        "CGMP/QSR/Medical Devices/Adulterated",
    ),
    (
        "Biologics",
        "Center for Biologics Evaluation and Research (CBER)",
        "Deviations/CFR/Regulations for Human Cells, Tissues & Cellular Products (HCT/Ps)",
    ),
)


def write_inspections(world: World, root: Path, words: Words) -> None:
    """Write the Data Dashboard's inspections, at the end of each year.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    rows = world.reports.inspections
    rng = dice(world, "inspections")
    frame = pd.DataFrame(
        {
            "FEI Number": rows["fei"],
            "Legal Name": _legal_names(world, rows, rng),
            "City": _of_plant(world.catalogue.plants["city"], rows),
            "State": _of_plant(words.plants["state_name"], rows),
            "Country/Area": _of_plant(words.plants["country_name"], rows),
            "Inspection ID": rows["inspection"].astype("str"),
            "Inspection End Date": written(rows["event_date"], "iso"),
            "Classification": rows["classification"],
            "Project Area": "Drug Quality Assurance",
            "Product Type": "Drugs",
        }
    ).astype("str")
    # A row a project area: a second one is mostly milder. And some sites run clinical trials.
    second = frame[some(rng, len(frame), 0.1)].assign(
        **{"Project Area": "Drug Shortage and Unapproved Drugs", "Classification": "NAI"}
    )
    clinical = frame[some(rng, len(frame), 0.02)].assign(
        **{"Project Area": "Bioresearch Monitoring"}
    )
    everything = pd.concat([frame, second, clinical])
    published = as_days(rows["published_at"])[everything.index]
    order = np.argsort(everything["Inspection ID"].to_numpy(dtype=object), kind="stable")
    spelt_out = everything.assign(Classification=everything["Classification"].map(_CLASSES))
    lines = {
        False: np.array(csv_lines(everything), dtype=object),
        True: np.array(csv_lines(spelt_out), dtype=object),
    }
    bad = np.array(csv_lines(everything.assign(Classification="Pending")), dtype=object)
    for day in year_ends(world):
        own = dice(world, "fda_inspections", day)
        style = bool(own.random() < 0.3)
        shown = order[published[order] <= day_number(day)]
        _write(
            root, "fda_inspections", day, "inspections.csv.gz",
            list(frame.columns), lines[style][shown], bad[shown], own,
        )  # fmt: skip


def write_citations(world: World, root: Path) -> None:
    """Write what the inspections cited, at the ends of the last years.

    The fields have the names of the Data Dashboard's interface.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    """
    inspections = world.reports.inspections
    rng = dice(world, "citations")
    size = inspections["classification"].map(_CITATIONS).to_numpy(dtype=np.int64)
    rows = inspections.iloc[np.repeat(np.arange(len(inspections)), size)].reset_index(drop=True)
    # One after the other from a place drawn for the inspection: none is cited twice by it.
    nth = np.arange(len(rows)) - np.repeat(np.cumsum(size) - size, size)
    first = rng.integers(len(_CITED), size=len(inspections))
    which = (np.repeat(first, size) + nth) % len(_CITED)
    cited = pd.DataFrame(_CITED, columns=["number", "short", "long"]).iloc[which]
    frame = pd.DataFrame(
        {
            "InspectionID": rows["inspection"].astype("str"),
            "FEINumber": rows["fei"],
            "LegalName": _legal_names(world, rows, rng),
            "InspectionEndDate": written(rows["event_date"], "iso"),
            "ProgramArea": "Drugs",
            "CitationID": pd.Series(1_001 + which, dtype="str"),
            "ActCFRNumber": cited["number"].to_numpy(),
            "ShortDescription": cited["short"].to_numpy(),
            "LongDescription": cited["long"].to_numpy(),
        }
    ).astype("str")
    _write_yearly(
        world, root, "fda_citations", "citations.csv.gz", frame,
        frame.assign(ProgramArea="Devices"), as_days(rows["published_at"]), last=_RECENT,
    )  # fmt: skip


def write_refusals(world: World, root: Path, words: Words) -> None:
    """Write the Data Dashboard's import refusals of drugs, at the ends of the last years.

    Shipments of foreign plants are refused now and then, and more often after a warning letter.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    rng = dice(world, "import refusals")
    rows = _refused(world, rng)
    size = len(rows)
    substance = words.substance.iloc[rows["drug"]].reset_index(drop=True)
    human = ~some(rng, size, 0.02)
    frame = pd.DataFrame(
        {
            "FEINumber": rows["fei"],
            "FirmName": _legal_names(world, rows, rng),
            "City": _of_plant(world.catalogue.plants["city"], rows),
            "CountryName": _of_plant(words.plants["country_name"], rows),
            "DistrictDescription": "Division of Invented Imports",
            "IndustryCodeDescription": np.where(human, "Human Drugs", "Biologics"),
            "ProductCategory": "Drugs and Biologics",
            "ProductCode": "66ZZZ" + (rows["drug"] % 100).astype("str").str.zfill(2),
            "ProductCodeDescription": substance,
            "RefusalDate": written(rows["event_date"], "iso"),
            "ShipmentID": pd.Series(7_000_001 + np.arange(size), dtype="str"),
            # Some lines bear a blank behind the word, as the interface's own example does.
            "FDASampleAnalysis": np.where(some(rng, size, 0.1), "Yes", "No "),
            "PrivateLabAnalysis": "No ",
            "RefusalCharges": np.array(_CHARGES, dtype=object)[
                rng.integers(len(_CHARGES), size=size)
            ],
        }
    ).astype("str")
    _write_yearly(
        world, root, "fda_import_refusals", "import_refusals.csv.gz", frame,
        frame.assign(RefusalDate="-"), as_days(rows["published_at"]), last=_RECENT,
    )  # fmt: skip


def write_actions(world: World, root: Path, words: Words) -> None:
    """Write the Data Dashboard's compliance actions, at the end of each year.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    drugs = world.reports.compliance_actions.assign(product="Drugs")
    others = _other_letters(world).assign(action_type="Warning Letter")
    rows = pd.concat([drugs, others]).sort_values(
        ["event_date", "case"], ascending=False, ignore_index=True
    )
    frame = pd.DataFrame(
        {
            "FEI Number": rows["fei"],
            "Legal Name": _legal_names(world, rows, dice(world, "compliance actions")),
            "State": _of_plant(words.plants["state_name"], rows),
            "Country/Area": _of_plant(words.plants["country_name"], rows),
            "Product Type": rows["product"],
            "Action Taken Date": written(rows["event_date"], "iso"),
            "Action Type": rows["action_type"],
            "Case/Injunction ID": rows["case"].astype("str"),
        }
    ).astype("str")
    undated = frame.assign(**{"Action Taken Date": "-"})
    _write_yearly(
        world, root, "fda_compliance_actions", "compliance_actions.csv", frame, undated,
        as_days(rows["published_at"]),
    )  # fmt: skip


def write_letters(world: World, root: Path) -> None:
    """Write the FDA's list of warning letters, at the end of each year.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    """
    drugs = world.reports.warning_letters.assign(
        office="Center for Drug Evaluation and Research (CDER)",
        subject="CGMP/Finished Pharmaceuticals/Adulterated",
    )
    rows = pd.concat([drugs, _other_letters(world)]).sort_values(
        ["published_at", "case"], ascending=False, ignore_index=True
    )
    company = _legal_names(world, rows, dice(world, "warning letters"))
    slug = company.str.lower().str.replace(r"[^a-z0-9]+", "-", regex=True).str.strip("-")
    letter = written(rows["event_date"], "padded")
    frame = pd.DataFrame(
        {
            "url": _LETTERS + slug + "-" + rows["case"].astype("str") + "-"
            + letter.str.replace("/", ""),
            "posted_date": written(rows["published_at"], "padded"),
            "letter_date": letter,
            "company": company,
            "issuing_office": rows["office"],
            "subject": rows["subject"],
        }
    ).astype("str")  # fmt: skip
    undated = frame.assign(posted_date="")
    _write_yearly(
        world, root, "fda_warning_letters", "warning_letters.csv", frame, undated,
        as_days(rows["published_at"]),
    )  # fmt: skip


def write_483s(world: World, root: Path) -> None:
    """Write the list of published forms 483, at the end of each year.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    """
    rows = world.reports.published_483s.sort_values(
        ["published_at", "inspection"], ascending=False, ignore_index=True
    )
    number = rows["inspection"].astype("str")
    frame = pd.DataFrame(
        {
            "Record Date": written(rows["event_date"], "iso"),
            "FEI Number": rows["fei"],
            "Legal Name": _legal_names(world, rows, dice(world, "forms 483")),
            "Record Type": "483",
            "Date Posted": written(rows["published_at"], "iso"),
            "Download": "https://example.invalid/media/" + number + "/download",
            "Record ID": number,
        }
    ).astype("str")
    undated = frame.assign(**{"Date Posted": "-"})
    _write_yearly(
        world, root, "fda_published_483s", "fda_483s.csv", frame, undated,
        as_days(rows["published_at"]),
    )  # fmt: skip


def write_establishments(world: World, root: Path, words: Words) -> None:
    """Write the registrations of establishments, at the end of each year.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    plants, firms = world.catalogue.plants, world.catalogue.firms
    rng = dice(world, "establishments")
    size = len(plants)
    house = pd.Series(rng.integers(1, 400, size), dtype="str")
    state = words.plants["state_name"] + " (" + plants["state"] + ") 00000"
    region = state.where(plants["state"] != "", "- 00000")
    country = words.plants["country_name"] + " (" + plants["country"] + ")"
    registrant = firms["full_name"].iloc[plants["firm"]].reset_index(drop=True)
    frame = pd.DataFrame(
        {
            # Two in a hundred sites have no number.
            "FEI_NUMBER": plants["fei"].where(~some(rng, size, 0.02), "0000000000"),
            "DUNS_NUMBER": plants["duns"],
            "FIRM_NAME": misspelt(plants["name"], some(rng, size, MISSPELT), rng),
            "ADDRESS": house + " Invented Road, " + plants["city"] + ", " + region + ", " + country,
            "EXPIRATION_DATE": "12/31/",
            "OPERATIONS": np.where(plants["is_sterile"], "ANALYSIS; MANUFACTURE", "MANUFACTURE"),
            "REGISTRANT_NAME": registrant,
            "REGISTRANT_DUNS": plants["duns"],
            "EXCLUSION_FLAG": "N",
        }
    ).astype("str")
    for year in range(world.starts_on.year, world.ends_on.year):
        day = date(year, 12, 31)
        own = dice(world, "fda_establishments", day)
        there = frame[~some(own, size, 0.004)].assign(EXPIRATION_DATE=f"12/31/{year}")
        nameless = np.array(csv_lines(there.assign(FIRM_NAME="")), dtype=object)
        _write(
            root, "fda_establishments", day, "drls_reg.csv.gz",
            list(frame.columns), np.array(csv_lines(there), dtype=object), nameless, own,
        )  # fmt: skip


def _refused(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Refused shipments of what was approved and not given up by then, oldest first."""
    catalogue = world.catalogue
    plants, applications = catalogue.plants, catalogue.applications
    foreign = (plants["country"] != "USA").to_numpy()
    abroad = applications[foreign[applications["plant"]]]
    begin = pd.Timestamp(world.starts_on) - pd.DateOffset(months=world.parameters.burn_in_months)
    days = (pd.Timestamp(world.ends_on) - begin).days
    count = int(rng.poisson(_REFUSED * len(abroad) * days / 365)) if len(abroad) else 0
    by_chance = abroad.iloc[rng.integers(max(len(abroad), 1), size=count)].assign(
        event_date=begin + pd.to_timedelta(rng.integers(days, size=count), unit="D")
    )
    letters = world.reports.warning_letters[["plant", "event_date"]]
    letters = letters.loc[letters.index.repeat(_REFUSED_AFTER_LETTER)]
    after = letters["event_date"] + pd.to_timedelta(rng.integers(30, 365, len(letters)), unit="D")
    of_plant = abroad.drop_duplicates("plant")
    by_letter = letters.assign(event_date=after).merge(of_plant, on="plant")
    rows = pd.concat([by_chance, by_letter], ignore_index=True)
    there = (rows["approval_date"] < rows["event_date"]) & ~(rows["left_on"] <= rows["event_date"])
    rows = rows[there].sort_values(["event_date", "application"], ignore_index=True)
    plant = rows["plant"].to_numpy(dtype=np.int64)
    return rows.assign(
        firm=plants["firm"].to_numpy()[plant],
        fei=plants["fei"].to_numpy()[plant],
        published_at=rows["event_date"]
        + pd.to_timedelta(rng.integers(10, 61, len(rows)), unit="D"),
    )


def _other_letters(world: World) -> pd.DataFrame:
    """Warning letters about what else the companies make: two a month, and none about a drug.

    The lists are of all product types. Of drugs alone a small market has one letter a year: the
    lists would fall silent, and what they do not tell could not be told from nothing to tell.
    """
    rng = dice(world, "letters not about drugs")
    first = world.starts_on - pd.DateOffset(months=world.parameters.burn_in_months)
    months = pd.date_range(first, world.ends_on, freq="MS", inclusive="left").repeat(2)
    size, plants = len(months), world.catalogue.plants
    plant, kind = rng.integers(len(plants), size=size), rng.integers(len(_NOT_DRUGS), size=size)
    about = pd.DataFrame(_NOT_DRUGS, columns=["product", "office", "subject"]).iloc[kind]
    day = pd.Series(months + pd.to_timedelta(rng.integers(28, size=size), unit="D"))
    return about.reset_index(drop=True).assign(
        case=500_001 + np.arange(size, dtype=np.int32),
        plant=plant,
        firm=plants["firm"].to_numpy()[plant],
        fei=plants["fei"].to_numpy()[plant],
        event_date=day,
        published_at=day + pd.to_timedelta(rng.integers(3, 31, size), unit="D"),
    )


def _legal_names(world: World, rows: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """Firms' names: some in capitals, some with two letters swapped."""
    names = world.catalogue.firms["full_name"].iloc[rows["firm"]].reset_index(drop=True)
    names = names.where(~some(rng, len(names), 0.2), names.str.upper())
    return misspelt(names, some(rng, len(names), MISSPELT), rng)


def _of_plant(texts: pd.Series, rows: pd.DataFrame) -> pd.Series:
    return texts.iloc[rows["plant"]].reset_index(drop=True)


def _write_yearly(
    world: World,
    root: Path,
    source: str,
    name: str,
    frame: pd.DataFrame,
    broken: pd.DataFrame,
    published: NDArray[np.int64],
    *,
    last: int = 0,
) -> None:
    """Write at the end of each year, or of so many last ones, what was public by then."""
    lines = np.array(csv_lines(frame), dtype=object)
    bad = np.array(csv_lines(broken), dtype=object)
    for day in year_ends(world)[-last:]:
        shown = published <= day_number(day)
        rng = dice(world, source, day)
        _write(root, source, day, name, list(frame.columns), lines[shown], bad[shown], rng)


def _write(
    root: Path,
    source: str,
    day: date,
    name: str,
    header: Sequence[str],
    lines: NDArray[np.object_],
    bad: NDArray[np.object_],
    rng: np.random.Generator,
) -> None:
    """Write one file, some rows of which stand twice and some of which are broken."""
    if not len(lines):
        return
    twice = lines[some(rng, len(lines), TWICE)]
    broken = bad[rng.integers(len(bad), size=how_many(rng, len(bad)))]
    rows = with_broken(list(lines), [*twice, *broken], rng)
    if len(rows) == _PAGE_ROWS:
        rows.append(rows[-1])
    text = delimited(",".join(header), rows, "\n")
    raw = text.encode("utf-8-sig" if rng.random() < 0.3 else "utf-8")
    path = place(root, source, day, name)
    if name.endswith(".gz"):
        write_gzip(path, raw)
    else:
        path.write_bytes(raw)
