"""What is left out of the universe of drugs, and why.

The universe is what the shortage list of the FDA's Center for Drug Evaluation and Research is
about: prescription and unapproved marketed drugs for people. Allergen extracts, homeopathics and
compounders' products never appear on that list; kept in, they would be thousands of certain
negatives that flatter every score.

The rules stand in ``product_exclusions.csv`` (values of the NDC directory) and
``recall_exclusions.csv`` (patterns in the text of a recall or the name of its firm).
"""

from __future__ import annotations

import re
from functools import lru_cache

from shortcast.features.identity._tables import read_table

_CACHE = 1 << 16

_BY_FIELD: dict[str, list[tuple[str, str]]] = {"type": [], "category": [], "name": []}
for _row in read_table("product_exclusions", ("field", "value", "exclusion")):
    _BY_FIELD[_row["field"]].append((_row["value"], _row["exclusion"]))
_ALLERGEN = re.compile("|".join(value for value, _ in _BY_FIELD["name"]))
# Allergens and skin tests are the only licensed products given this way.
_INTO_THE_SKIN = re.compile(r"intradermal|percutaneous")
# Kits that put a marketed drug in a box with an antiseptic, a cream or a cup.
_CONVENIENCE = re.compile(
    r"povid[io]ne|povidone|isopropyl|dimethicone|menthol|capsaicin|camphor|methyl salicylate"
    r"|emollient|moisturi[sz]|octinoxate|avobenzone|convenience|collection|compliance|\bcombo\b"
    r"|bandage|cleanser|\bwash\b|\bwipe|kenalog|mar[i]?caine|depo-?medrol|inflammation"
)
_GAS = re.compile(r"^(?:oxygen|nitrogen|helium|carbon dioxide|(?:medical )?air)\b")

_BY_TEXT: dict[str, list[tuple[re.Pattern[str], str]]] = {"text": [], "firm": []}
for _row in read_table("recall_exclusions", ("where", "pattern", "exclusion")):
    _BY_TEXT[_row["where"]].append((re.compile(_row["pattern"]), _row["exclusion"]))


@lru_cache(maxsize=_CACHE)
def excluded_product(
    product_type: str,
    marketing_category: str,
    name: str = "",
    dosage_form: str = "",
    route: str = "",
) -> str | None:
    """Why a product of the NDC directory is out of the universe.

    Parameters
    ----------
    product_type, marketing_category : str
        PRODUCTTYPENAME and MARKETINGCATEGORYNAME.
    name : str
        NONPROPRIETARYNAME, with or without SUBSTANCENAME; betrays allergen extracts, gases and
        convenience kits filed as prescription drugs.
    dosage_form, route : str
        DOSAGEFORMNAME and ROUTENAME.

    Returns
    -------
    str or None
        The reason in words; None if the product belongs to the universe.
    """
    kind, category = product_type.strip().lower(), marketing_category.strip().lower()
    for field, value in (("type", kind), ("category", category)):
        for start, exclusion in _BY_FIELD[field]:
            if value.startswith(start):
                return exclusion
    text, form = name.strip().lower(), dosage_form.strip().lower()
    if category in ("bla", "") and (
        _ALLERGEN.search(text) or _INTO_THE_SKIN.search(route.strip().lower())
    ):
        return "allergen extract"
    if form == "gas" and _GAS.search(text):
        return "medical gas"
    if form == "kit" and _CONVENIENCE.search(text):
        return "convenience kit"
    return None


@lru_cache(maxsize=_CACHE)
def excluded_recall(description: str, firm: str = "", lots: str = "") -> str | None:
    """Why a recalled product is out of the universe.

    Parameters
    ----------
    description : str
        ``product_description``.
    firm : str
        ``recalling_firm``.
    lots : str
        ``code_info``; a beyond-use date ("BUD") betrays a compounder.

    Returns
    -------
    str or None
        The reason in words; None if nothing speaks against the universe.
    """
    for where, value in (("text", f"{description} {lots}".lower()), ("firm", firm.lower())):
        for pattern, exclusion in _BY_TEXT[where]:
            if pattern.search(value):
                return exclusion
    return None
