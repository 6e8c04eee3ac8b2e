"""What is left out of the universe of drugs, and why.

The universe is what the shortage list of the FDA's Center for Drug Evaluation and Research is
about: prescription and unapproved marketed drugs for people. Allergen extracts, homeopathics and
compounders' products never appear on that list; kept in, they would be thousands of certain
negatives that flatter every score.
"""

from __future__ import annotations

import re
from functools import lru_cache

_PRODUCT_TYPES = {
    "human otc drug": "sold over the counter only",
    "non-standardized allergenic": "allergen extract",
    "standardized allergenic": "allergen extract",
    "plasma derivative": "blood product, not on the list of drug shortages",
    "vaccine": "vaccine, not on the list of drug shortages",
    "cellular therapy": "cellular therapy, not on the list of drug shortages",
    "licensed minimally manipulated cells": "cellular therapy, not on the list of drug shortages",
    "bulk ingredient": "bulk ingredient",
    "drug for further processing": "bulk ingredient",
    "human compounded drug label": "compounder's product",
    "outsourcing facility": "compounder's product",
}
_CATEGORIES = {
    "unapproved homeopathic": "homeopathic",
    "unapproved medical gas": "medical gas",
    "approved medical gas": "medical gas",
    "otc monograph final": "sold over the counter only",
    "otc monograph not final": "sold over the counter only",
    "otc monograph drug": "sold over the counter only",
    "standardized allergenic": "allergen extract",
    "non-standardized allergenic": "allergen extract",
    "outsourcing facility": "compounder's product",
    "bulk ingredient": "bulk ingredient",
    "cosmetic": "cosmetic",
    "dietary supplement": "food supplement",
    "medical food": "medical food",
    "export only": "not marketed in the United States",
}
_ALLERGEN = re.compile(
    r"\bpollen\b|\ballergen|\bdander\b|\bfeathers?\b|\bepitheli|\bmold\b|house dust"
    r"|dermatophagoides"
)


@lru_cache(maxsize=1 << 16)
def excluded_product(
    product_type: str, marketing_category: str, nonproprietary: str = ""
) -> str | None:
    """Why a product of the NDC directory is out of the universe.

    Parameters
    ----------
    product_type, marketing_category : str
        PRODUCTTYPENAME and MARKETINGCATEGORYNAME.
    nonproprietary : str
        NONPROPRIETARYNAME or substance; betrays allergen extracts filed as prescription drugs.

    Returns
    -------
    str or None
        The reason in words; None if the product belongs to the universe.
    """
    kind = product_type.strip().lower()
    category = marketing_category.strip().lower()
    for words, reason in _PRODUCT_TYPES.items():
        if kind.startswith(words):
            return reason
    for words, reason in _CATEGORIES.items():
        if category.startswith(words):
            return reason
    if category in ("bla", "") and _ALLERGEN.search(nonproprietary.lower()):
        return "allergen extract"
    return None


_RECALL_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r"homeopath|\b\d+\s?x\b.*\b\d+\s?x\b|\b\d{1,3}c\b,", "homeopathic"),
        (
            r"veterinar|\bfor (?:dogs|cats|horses|animal)|\bcanine\b|\bfeline\b|\bequine\b",
            "for animals",
        ),
        (r"compounded by|compounding|\bcompound(?:er|ed)\b|\bbud\b", "compounder's product"),
        (
            r"hand saniti[sz]er|sunscreen|\bspf\b|toothpaste|mouthwash|shampoo.*dandruff",
            "cosmetic or hygiene product",
        ),
        (r"dietary supplement|\bsupplement\b|male enhancement|weight loss", "food supplement"),
        (
            r"active pharmaceutical ingredient|\bbulk (?:drug|powder|api)|\bdrums?\b",
            "bulk ingredient",
        ),
        (
            r"medical (?:air|oxygen)|oxygen,? (?:compressed|usp|refrigerated)"
            r"|nitrogen,? (?:usp|nf)",
            "medical gas",
        ),
        (r"\botc\b|over.the.counter", "sold over the counter only"),
    )
)
_COMPOUNDING_FIRM = re.compile(r"compound|pharmacy\b|apothecar|pharmedium|sterile services|rx\b")


@lru_cache(maxsize=1 << 16)
def excluded_recall(description: str, firm: str = "", lots: str = "") -> str | None:
    """Why a recalled product is out of the universe.

    Parameters
    ----------
    description : str
        ``product_description``.
    firm : str
        ``recalling_firm``.
    lots : str
        ``code_info``; "BUD" (beyond-use date) betrays a compounder.

    Returns
    -------
    str or None
        The reason in words; None if nothing speaks against the universe.
    """
    text = f"{description} {lots}".lower()
    for pattern, reason in _RECALL_RULES:
        if pattern.search(text):
            return reason
    if _COMPOUNDING_FIRM.search(firm.lower()):
        return "compounder's product"
    return None
