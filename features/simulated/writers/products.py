"""The product lists: NDC directory (the FDA's and openFDA's), Drugs@FDA and Orange Book."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shortcast.features.simulated.world import World
from shortcast.features.simulated.writers._dirt import TWICE, dice, how_many, some, with_broken
from shortcast.features.simulated.writers._files import (
    as_days,
    day_number,
    delimited,
    joined,
    place,
    write_zip,
    written,
)
from shortcast.features.simulated.writers._words import Words, year_ends
from shortcast.features.simulated.writers.shortages import meta

#: Years of records from which a market is long.
_LONG = 12
#: The last ends of years for which openFDA's directory is written: it is long, and like the FDA's.
_RELEASES = 2
_AT_ONCE = 20_000
#: Products without a match in RxNorm, for good, and in one release.
_NO_CONCEPT, _NO_BLOCK = 0.2, 0.03
#: No number of RxNorm's is that high.
_FIRST_CONCEPT = 99_000_000
#: Drugs@FDA changed its tables in 2017.
_NEW_LAYOUT = 2017
_NDC_HEADER = (
    "PRODUCTID\tPRODUCTNDC\tPRODUCTTYPENAME\tPROPRIETARYNAME\tPROPRIETARYNAMESUFFIX\t"
    "NONPROPRIETARYNAME\tDOSAGEFORMNAME\tROUTENAME\tSTARTMARKETINGDATE\tENDMARKETINGDATE\t"
    "MARKETINGCATEGORYNAME\tAPPLICATIONNUMBER\tLABELERNAME\tSUBSTANCENAME\t"
    "ACTIVE_NUMERATOR_STRENGTH\tACTIVE_INGRED_UNIT\tPHARM_CLASSES\tDEASCHEDULE\t"
    "NDC_EXCLUDE_FLAG\tLISTING_RECORD_CERTIFIED_THROUGH"
)
_PACKAGE_HEADER = (
    "PRODUCTID\tPRODUCTNDC\tNDCPACKAGECODE\tPACKAGEDESCRIPTION\tSTARTMARKETINGDATE\t"
    "ENDMARKETINGDATE\tNDC_EXCLUDE_FLAG\tSAMPLE_PACKAGE"
)
_BOOK_HEADER = (
    "Ingredient~DF;Route~Trade_Name~Applicant~Strength~Appl_Type~Appl_No~Product_No~TE_Code~"
    "Approval_Date~RLD~RS~Type~Applicant_Full_Name"
)
_OLD_HEADER = (
    "ApplNo\tProductNo\tForm\tDosage\tProductMktStatus\tTECode\tReferenceDrug\tdrugname\t"
    "activeingred"
)
_NEW_HEADER = (
    "ApplNo\tProductNo\tForm\tStrength\tReferenceDrug\tDrugName\tActiveIngredient\t"
    "ReferenceStandard"
)
_TE_CODES = {"oral-solid": "AB", "injection": "AP", "topical": "AT", "ophthalmic": "AT"}


@dataclass(frozen=True)
class Shelf:
    """Products with their texts and the days that matter; arrays and lists by row.

    Parameters
    ----------
    products : DataFrame
        The catalogue's, with ``listed_name``, ``holder`` and the like.
    approved, left, told : array of int
        Days since 1970: the approval is public, the exit is public, the exit was announced.
    """

    products: pd.DataFrame
    approved: NDArray[np.int64]
    left: NDArray[np.int64]
    told: NDArray[np.int64]

    @classmethod
    def of(cls, world: World, words: Words) -> Shelf:
        """Lay out a market's products."""
        catalogue = world.catalogue
        applications, marketing = catalogue.applications, catalogue.marketing
        products = catalogue.products.reset_index(drop=True)
        application, drug = products["application"].to_numpy(), products["drug"].to_numpy()
        firm = products["firm"].to_numpy()
        notices = world.reports.discontinuations
        approved, left, told = (
            as_days(
                rows.drop_duplicates("application")
                .set_index("application")["published_at"]
                .reindex(applications["application"])
            )
            for rows in (
                marketing[marketing["status"] == "prescription"],
                marketing[marketing["status"] == "discontinued"],
                notices,
            )
        )
        drugs = catalogue.drugs
        name = words.name.iloc[drug].reset_index(drop=True)
        brand = products["brand"]
        texts = pd.DataFrame(
            {
                "nonproprietary": name,
                "trade": brand.where(brand != "", name),
                "substance": words.substance.iloc[drug].to_numpy(),
                "dosage_form": drugs["dosage_form"].iloc[drug].to_numpy(),
                "route": drugs["route"].iloc[drug].to_numpy(),
                "list_form": words.list_form.iloc[drug].to_numpy(),
                "form_group": drugs["form_group"].iloc[drug].to_numpy(),
                "schedule": drugs["schedule"].iloc[drug].to_numpy(),
                "drug_class": drugs["drug_class"].iloc[drug].to_numpy(),
                "labeler": catalogue.firms["full_name"].iloc[firm].to_numpy(),
                "kind": applications["application_type"].iloc[application].to_numpy(),
                "number": applications["application_no"].iloc[application].to_numpy(),
                "approval": applications["approval_date"].iloc[application].to_numpy(),
                # The holder is the maker, also of what others repackage.
                "holder": words.holder.iloc[
                    applications["firm"].iloc[application].to_numpy()
                ].to_numpy(),
                "holder_full": catalogue.firms["full_name"]
                .iloc[applications["firm"].iloc[application].to_numpy()]
                .str.upper()
                .to_numpy(),
                "several": (np.bincount(applications["drug"], minlength=len(drugs)) > 1)[drug],
            }
        )
        return cls(
            pd.concat([products, texts], axis=1),
            approved[application],
            left[application],
            told[application],
        )

    def applied(self) -> Shelf:
        """Return the products of applications, each once: no repackager's, none unapproved."""
        own = (self.products["number"] != "") & ~self.products["is_repackaged"]
        return Shelf(
            self.products[own].reset_index(drop=True),
            self.approved[own],
            self.left[own],
            self.told[own],
        )


def list_days(world: World, months: tuple[int, ...]) -> list[date]:
    """Return the days of a list's snapshots: the eve of the records, and ends of these months.

    A long market has half of them, the last among them: the lists are whole each time, and by far
    the largest files.

    Parameters
    ----------
    world : World
        The market.
    months : tuple of int
        Months of every year, in order.

    Returns
    -------
    list of date
        In order.
    """
    days = {world.starts_on - timedelta(days=1)}
    for year in range(world.starts_on.year, world.ends_on.year):
        days |= {
            date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1) for month in months
        }
    return sorted(days)


def write_ndc(world: World, root: Path, shelf: Shelf) -> None:
    """Write the NDC directory, once a year.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    shelf : Shelf
        Its products.
    """
    p = shelf.products
    size = len(p)
    rng = dice(world, "ndc_directory")
    empty = pd.Series("", index=p.index)
    start, end = written(p["start_marketing"], "compact"), written(p["end_marketing"], "compact")
    identity = p["product_ndc"] + "_" + pd.Series(_documents(size, rng), dtype="str")
    category = p["kind"].where(p["kind"] != "", "UNAPPROVED DRUG OTHER")
    application = (p["kind"] + p["number"]).where(p["kind"] != "", "")
    amount = p["strength"].str.extract(r"^([\d.]+)", expand=False).fillna("1")
    unit = p["strength"].str.replace(r"^[\d.]+ ?", "", regex=True)
    head = [identity, p["product_ndc"], _constant(p, "HUMAN PRESCRIPTION DRUG"), p["trade"], empty]
    head += [p["nonproprietary"], p["dosage_form"], p["route"], start]
    tail = [category, application, p["labeler"], p["substance"], amount, unit]
    tail += [p["drug_class"] + " [EPC]", p["schedule"], _constant(p, "N")]
    rows = {True: joined([*head, end, *tail], "\t"), False: joined([*head, empty, *tail], "\t")}
    package = [identity, p["product_ndc"], p["package_ndc"]]
    package += [p["package"] + " (" + p["package_ndc"] + ")", start]
    flags = [_constant(p, "N"), _constant(p, "N")]
    packs = {
        True: joined([*package, end, *flags], "\t"),
        False: joined([*package, empty, *flags], "\t"),
    }
    since, wrong = as_days(p["start_marketing"]), some(rng, size, 0.002)
    for day in list_days(world, (12,)):
        today = day_number(day)
        own = dice(world, "ndc_directory", day)
        shown = np.flatnonzero((since <= today) & (today < shelf.left))
        announced = shelf.told[shown] <= today
        certified = f"{day.year + 1}1231"
        products = [
            f"{rows[bool(ends)][at]}\t{certified}"
            for at, ends in zip(shown, announced, strict=True)
        ]
        packages = [packs[bool(ends)][at] for at, ends in zip(shown, announced, strict=True)]
        bad = [_without_hyphen(products[at]) for at in _picked(own, len(products))]
        texts = {
            "product.txt": delimited(_NDC_HEADER, with_broken(products, bad, own)),
            "package.txt": delimited(_PACKAGE_HEADER, packages),
        }
        raw = {name: text.encode() for name, text in texts.items()}
        # A few trade names hold a mark in the older encoding, which is no UTF-8.
        marked = [p["trade"].iloc[at] for at in shown[wrong[shown]][:5]]
        for name in dict.fromkeys(marked):
            raw["product.txt"] = raw["product.txt"].replace(
                f"\t{name}\t".encode(), f"\t{name}".encode() + b"\xae\t"
            )
        write_zip(place(root, "ndc_directory", day, "ndctext.zip"), raw)


def write_openfda_ndc(world: World, root: Path, shelf: Shelf) -> None:
    """Write openFDA's directory: the same listings as JSON, with RxNorm's concepts.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    shelf : Shelf
        Its products.
    """
    p = shelf.products
    rng = dice(world, "openfda_ndc")
    # A concept is a drug in one strength, whoever sells it.
    concept = _FIRST_CONCEPT + pd.factorize(p["drug"].astype("str") + " " + p["strength"])[0]
    listed = p.assign(
        document=_documents(len(p), dice(world, "ndc_directory")),
        began=written(p["start_marketing"], "compact"),
        ends=written(p["end_marketing"], "compact"),
        concept=np.where(some(rng, len(p), _NO_CONCEPT), "", concept.astype("str")),
    )
    since = as_days(p["start_marketing"])
    name = "drug-ndc-0001-of-0001.json"
    for day in year_ends(world)[-_RELEASES:]:
        today = day_number(day)
        own = dice(world, "openfda_ndc", day)
        shown = np.flatnonzero((since <= today) & (today < shelf.left))
        if not len(shown):
            continue
        told = shelf.told[shown] <= today
        bare = some(own, len(shown), _NO_BLOCK)
        run_together = set(_picked(own, len(shown)).tolist())
        lines: list[str] = []
        bad: list[str] = []
        for at, record in enumerate(_openfda_products(listed.iloc[shown])):
            end = record.pop("marketing_end_date", None)
            record["listing_expiration_date"] = f"{day.year + 1}1231"
            if at in run_together:
                bad.append(json.dumps(_run_together(record)))
            if told[at] and end:
                record["marketing_end_date"] = end
            if bare[at]:
                record["openfda"] = {}
            lines.append(json.dumps(record, ensure_ascii=False))
        twice = [lines[at] for at in np.flatnonzero(some(own, len(lines), TWICE))]
        lines = with_broken(lines, [*bad, *twice], own)
        head = json.dumps({"meta": meta(day, len(lines))})[:-1]
        text = f'{head}, "results": [\n' + ",\n".join(lines) + "\n]}"
        write_zip(place(root, "openfda_ndc", day, f"{name}.zip"), {name: text.encode()})


def _openfda_products(listed: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Yield products as openFDA lays them out, some at a time: as objects they are large."""
    for first in range(0, len(listed), _AT_ONCE):
        yield from map(_openfda_product, listed.iloc[first : first + _AT_ONCE].to_dict("records"))


def _openfda_product(row: dict[Hashable, Any]) -> dict[str, object]:
    """Lay out one product."""
    ndc, substances = row["product_ndc"], row["substance"].split("; ")
    record: dict[str, object] = {
        "product_ndc": ndc,
        "product_id": f"{ndc}_{row['document']}",
        "spl_id": row["document"],
        "product_type": "HUMAN PRESCRIPTION DRUG",
        "finished": True,
        "brand_name": row["trade"],
        "brand_name_base": row["trade"],
        "generic_name": row["nonproprietary"],
        "dosage_form": row["dosage_form"],
        "route": [row["route"]],
        "marketing_start_date": row["began"],
        "marketing_category": row["kind"] or "UNAPPROVED DRUG OTHER",
        "labeler_name": row["labeler"],
        "active_ingredients": [
            {"name": substance, "strength": row["strength"]} for substance in substances
        ],
        "pharm_class": [f"{row['drug_class']} [EPC]"],
        "packaging": [
            {
                "package_ndc": row["package_ndc"],
                "description": f"{row['package']} ({row['package_ndc']})",
                "marketing_start_date": row["began"],
                "sample": False,
            }
        ],
        "openfda": {
            "manufacturer_name": [row["labeler"]],
            "spl_set_id": [f"set-{row['document']}"],
            **({"rxcui": [row["concept"]]} if row["concept"] else {}),
            **({} if row["is_repackaged"] else {"is_original_packager": [True]}),
        },
    }
    # A field without a value is left out, as openFDA does.
    if row["kind"]:
        record["application_number"] = f"{row['kind']}{row['number']}"
    if row["schedule"]:
        record["dea_schedule"] = row["schedule"]
    # Told only once it is announced.
    if row["ends"]:
        record["marketing_end_date"] = row["ends"]
    return record


def _run_together(record: dict[str, object]) -> dict[str, object]:
    """Return a product whose number lost its hyphen."""
    return record | {"product_ndc": str(record["product_ndc"]).replace("-", "")}


def write_drugsatfda(world: World, root: Path, shelf: Shelf) -> None:
    """Write Drugs@FDA once a year: the older tables before 2017, the newer ones since.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    shelf : Shelf
        Its products.
    """
    shelf = shelf.applied()
    p = shelf.products
    first = ~p["number"].duplicated()
    code = _te_codes(p)
    reference = p["kind"].map({"NDA": "1"}).fillna("0")
    trade, strength = p["trade"].str.upper(), p["strength"].str.upper()
    approval = written(p["approval"], "iso") + " 00:00:00"
    empty = pd.Series("", index=p.index)
    head = [p["number"], p["product_no"], p["list_form"], strength]
    old = {
        status: joined([*head, _constant(p, status), code, reference, trade, p["substance"]], "\t")
        for status in "13"
    }
    new = joined([*head, reference, trade, p["substance"], reference], "\t")
    letter = p["kind"].str[0] + "    "
    old_applications = joined(
        [p["number"], letter, p["holder"].str.ljust(50), _constant(p, "False\tFalse\tAP\t\t\t")],
        "\t",
    )
    actions = joined([p["number"], _constant(p, "AP\t000\t0"), approval, _constant(p, "N")], "\t")
    applications = joined([p["number"], p["kind"], empty, p["holder"]], "\t")
    states = {s: joined([_constant(p, s), p["number"], p["product_no"]], "\t") for s in "13"}
    codes = joined([p["number"], p["product_no"], _constant(p, "1"), code], "\t")
    submissions = joined(
        [p["number"], empty, _constant(p, "ORIG\t1\tAP"), approval, empty, empty], "\t"
    )
    has_code = (code != "").to_numpy()
    for day in list_days(world, (12,)):
        today = day_number(day)
        rng = dice(world, "drugsatfda", day)
        shown = np.flatnonzero(shelf.approved <= today)
        status = np.where(shelf.left[shown] <= today, "3", "1")
        own = shown[first.to_numpy()[shown]]
        if day.year < _NEW_LAYOUT:
            lines = [old[s][at] for at, s in zip(shown, status, strict=True)]
            bad = [lines[at].replace("\t", "\t\t", 1) for at in _picked(rng, len(lines))]
            texts = {
                "Product.txt": delimited(_OLD_HEADER, with_broken(lines, bad, rng)),
                "application.txt": delimited(
                    "ApplNo\tApplType\tSponsorApplicant\tMostRecentLabelAvailableFlag\t"
                    "CurrentPatentFlag\tActionType\tChemical_Type\tTher_Potential\tOrphan_Code",
                    [old_applications[at] for at in own],
                ),
                "RegActionDate.txt": delimited(
                    "ApplNo\tActionType\tInDocTypeSeqNo\tDuplicateCounter\tActionDate\tDocType",
                    [actions[at] for at in own],
                ),
            }
        else:
            lines = [new[at] for at in shown]
            bad = [lines[at].replace("\t", "\t\t", 1) for at in _picked(rng, len(lines))]
            marketed = zip(shown, status, strict=True)
            coded = shown[has_code[shown] & (status == "1")]
            texts = {
                "Applications.txt": delimited(
                    "ApplNo\tApplType\tApplPublicNotes\tSponsorName",
                    [applications[at] for at in own],
                ),
                "Products.txt": delimited(_NEW_HEADER, with_broken(lines, bad, rng)),
                "MarketingStatus.txt": delimited(
                    "MarketingStatusID\tApplNo\tProductNo", [states[s][at] for at, s in marketed]
                ),
                "TE.txt": delimited(
                    "ApplNo\tProductNo\tMarketingStatusID\tTECode", [codes[at] for at in coded]
                ),
                "Submissions.txt": delimited(
                    "ApplNo\tSubmissionClassCodeID\tSubmissionType\tSubmissionNo\t"
                    "SubmissionStatus\tSubmissionStatusDate\tSubmissionsPublicNotes\t"
                    "ReviewPriority",
                    [submissions[at] for at in own],
                ),
            }
        path = place(root, "drugsatfda", day, "drugsatfda.zip")
        write_zip(path, {name: text.encode() for name, text in texts.items()})


def write_orange_book(world: World, root: Path, shelf: Shelf) -> None:
    """Write the Orange Book twice a year.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    shelf : Shelf
        Its products.
    """
    shelf = shelf.applied()
    p = shelf.products
    code = _te_codes(p)
    days = pd.DatetimeIndex(p["approval"])
    approval = pd.Series(days.strftime("%b ") + days.day.astype(str) + days.strftime(", %Y"))
    approval = approval.where(days >= pd.Timestamp(1982, 1, 1), "Approved Prior to Jan 1, 1982")
    originator = p["kind"] == "NDA"
    yes = pd.Series(np.where(originator, "Yes", "No"), dtype="str")
    lines = {
        kind: joined(
            [
                p["substance"], p["list_form"], p["trade"].str.upper(), p["holder"].str[:20],
                p["strength"].str.upper(), p["kind"].str[0], p["number"], p["product_no"],
                code if kind == "RX" else _constant(p, ""), approval, yes, yes,
                _constant(p, kind), p["holder_full"],
            ],
            "~",
        )
        for kind in ("RX", "DISCN")
    }  # fmt: skip
    order = p.assign(at=np.arange(len(p))).sort_values(["substance", "number", "product_no"])["at"]
    order = order.to_numpy()
    for day in list_days(world, (6, 12)):
        today = day_number(day)
        rng = dice(world, "orange_book", day)
        shown = order[shelf.approved[order] <= today]
        gone = shelf.left[shown] <= today
        rows = [
            lines["DISCN" if is_gone else "RX"][at] for at, is_gone in zip(shown, gone, strict=True)
        ]
        bad = [rows[at].replace("~", "~~", 1) for at in _picked(rng, len(rows))]
        text = delimited(_BOOK_HEADER, with_broken(rows, bad, rng))
        write_zip(place(root, "orange_book", day, "EOBZIP.zip"), {"products.txt": text.encode()})


def _constant(frame: pd.DataFrame, text: str) -> pd.Series:
    return pd.Series(text, index=frame.index, dtype="str")


def _te_codes(p: pd.DataFrame) -> pd.Series:
    code = p["form_group"].map(_TE_CODES).fillna("AA").astype("str")
    return code.where(p["several"], "")


def _documents(size: int, rng: np.random.Generator) -> list[str]:
    return [f"{number:012x}" for number in rng.integers(1 << 47, size=size)]


def _picked(rng: np.random.Generator, size: int) -> NDArray[np.int64]:
    """Rows that also stand in the file as broken ones."""
    return rng.integers(size, size=how_many(rng, size, 0.0005)) if size else np.zeros(0, np.int64)


def _without_hyphen(line: str) -> str:
    cells = line.split("\t")
    cells[1] = cells[1].replace("-", "")
    return "\t".join(cells)
