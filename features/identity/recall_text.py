"""Recalled products, as read from the free text of an enforcement report.

The text is written by the firms, in every style. It is read with precision before coverage: a
drug is named only where every word of its name, other than a leading brand, is understood, and
where the rest of the text names no other ingredient.
"""

from __future__ import annotations

import re
from functools import lru_cache

from shortcast.features.identity._text import plain, without_brackets
from shortcast.features.identity.forms import form_in_text
from shortcast.features.identity.substances import (
    KNOWN,
    MIXTURES,
    SALTS,
    known_ingredients,
    without_vehicle,
)

_CACHE = 1 << 16
_HEAD_LENGTH = 260
_MOST_INGREDIENTS = 6
_MOST_WORDS_IN_BRAND = 3

# What follows tells who made it and how it is packed, no longer what it is.
_TAIL = re.compile(
    r"\b(?:manufactured|mfd|mfg|mfr|mnfct|distributed|dist|marketed|packaged|repackaged|repacked"
    r"|relabeled|made in|made by|compounded by|prepared by|supplied|ndc|upc|item no|product no)\b"
    r"|\bsku\b|\bfor:"
)
_FORM_WORD = re.compile(
    r"\b(?:tablets?|tabs?|capsules?|caps?|caplets?|softgels?|injections?|injectable|inj|syrup|elixir"
    r"|(?:oral |nasal |ophthalmic |otic |topical |inhalation )?(?:solution|suspension|soln|drops"
    r"|emulsion|powder|concentrate|liquid)|cream|ointment|gel|lotion|foam|shampoo|patch(?:es)?"
    r"|transdermal|suppositor(?:y|ies)"
    r"|(?:topical|scalp|body|ear|otic) oil|inhal(?:er|ation)|aerosol|spray|lozenges?|vials?"
    r"|syringes?|for injection|granules|implant|kit|film|enema|ampu(?:l|le)s?)\b"
)
_NAME_GOES_ON = re.compile(r"(?:\band|\bwith|\bplus|[,/&+])\s*$")
_IN_BRACKETS = re.compile(r"[(\[]([^()\[\]]+)[)\]]")
_JOINS = re.compile(r"(?:^|\s)(?:and|with|plus|&|\+)(?:\s|$)|[,;]")
_WORD = re.compile(r"[a-z][a-z-]{4,}")
# Named beside many a drug without being the drug.
_COMPANIONS = MIXTURES["electrolyte"] | {"alcohol", "benzyl alcohol", "water", "mannitol"}
# "30 Tabs per bottle" in what is said of the package.
_COUNTED = re.compile(r"\b\d+[ -]?(?:ct\.? |count )?(?:tab|cap|tablet|capsule|caplet)s?\b")
_DILUENT_ONLY = re.compile(r"^\W*(?:sterile )?diluent\b")


@lru_cache(maxsize=_CACHE)
def read_recall(text: str) -> tuple[tuple[str, ...], str | None]:
    """Ingredients and form group of a recalled product.

    Parameters
    ----------
    text : str
        ``product_description`` of an enforcement report.

    Returns
    -------
    tuple
        Ingredients (empty where the name is not understood) and form group or None.
    """
    head = _head(text)
    bare = without_brackets(head)
    if _DILUENT_ONLY.search(bare):
        return (), None
    region = _name_region(bare)
    names = _understood(region) or _after_brand(region) or _from_brackets(head)
    if not names or len(names) > _MOST_INGREDIENTS or _names_another(head, names):
        return (), None
    group = form_in_text(bare, hints=False) or form_in_text(head, hints=False)
    if group is None:
        hint = form_in_text(head, hints=True)
        # "Solution" alone may be for the mouth, the skin or the eye.
        group = None if hint == "oral-liquid" else hint
    if group is None and _COUNTED.search(plain(text)):
        group = "oral-solid"
    return names, group


def ingredients_from_text(text: str) -> tuple[str, ...]:
    """Ingredients of a recalled product; empty where the name is not understood.

    Parameters
    ----------
    text : str
        ``product_description`` of an enforcement report.

    Returns
    -------
    tuple of str
        Lower case, sorted, without salts.
    """
    return read_recall(text)[0]


def _head(text: str) -> str:
    line = plain(text)
    tail = _TAIL.search(line, 4)
    return (line[: tail.start()] if tail else line)[:_HEAD_LENGTH]


def _name_region(bare: str) -> str:
    """Text before the first form word that ends a name rather than standing inside it."""
    for form in _FORM_WORD.finditer(bare):
        region = bare[: form.start()]
        if region.strip(" ,-") and not _NAME_GOES_ON.search(region):
            return region
    return bare.split(",")[0]


def _understood(region: str) -> tuple[str, ...]:
    region = region.replace(" w/", " with ").replace(" e/r", " er")
    names = known_ingredients(without_vehicle(region))
    if names == ("potassium chloride",):
        # "Potassium chloride in 5% dextrose and 0.45% sodium chloride" is listed with all three.
        return known_ingredients(region.replace(" in ", " and ")) or names
    return names


def _after_brand(region: str) -> tuple[str, ...]:
    """``Derma-Smoothe/FS fluocinolone acetonide``: drop unknown words before a known name."""
    words = region.split()
    for count in range(1, min(len(words), _MOST_WORDS_IN_BRAND + 1)):
        brand = " ".join(words[:count])
        if _JOINS.search(brand) or known_ingredients(words[count - 1]):
            break
        if names := _understood(" ".join(words[count:])):
            return names
    return ()


def _from_brackets(head: str) -> tuple[str, ...]:
    """``Bactroban Cream (mupirocin calcium)``: the generic name behind a brand."""
    for content in _IN_BRACKETS.findall(head):
        if names := _understood(content):
            return names
    return ()


def _names_another(head: str, names: tuple[str, ...]) -> bool:
    """Whether the text names an ingredient beside those found."""
    mentioned = {word for word in _WORD.findall(head) if word in KNOWN}
    understood = {word for name in names for word in name.split()}
    if "thyroid" in understood:
        understood |= {"levothyroxine", "liothyronine"}
    return bool(mentioned - understood - _COMPANIONS - SALTS)
