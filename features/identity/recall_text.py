"""Recalled products, as read from the free text of an enforcement report.

The text is written by the firms, in every style. It is read with precision before coverage: a
drug is named only if every word of the name, other than a leading brand, is understood.
"""

from __future__ import annotations

import re
from functools import lru_cache

from shortcast.features.identity._tables import read_table
from shortcast.features.identity._text import plain, without_brackets
from shortcast.features.identity.forms import form_in_text
from shortcast.features.identity.substances import ingredients, without_vehicle

_CACHE = 1 << 16
_HEAD_LENGTH = 260
_MOST_INGREDIENTS = 6

_KNOWN = frozenset(row["name"] for row in read_table("ingredient_names", ("name",)))
_LONGEST_NAME = max(len(name.split()) for name in _KNOWN)
# What follows tells who made it and how it is packed, no longer what it is.
_TAIL = re.compile(
    r"\b(?:manufactured|mfd|mfg|mfr|distributed|dist|marketed|packaged|repackaged|repacked|relabeled"
    r"|made in|made by|compounded by|prepared by|supplied|ndc|upc|item no|product no|sku)\b|\bfor:"
)
_FORM_WORD = re.compile(
    r"\b(?:tablets?|tabs?|capsules?|caps?|caplets?|softgels?|injections?|injectable|inj|syrup|elixir"
    r"|(?:oral |nasal |ophthalmic |otic |topical |inhalation )?(?:solution|suspension|soln|drops"
    r"|emulsion|powder|concentrate|liquid)|cream|ointment|gel|lotion|foam|shampoo|patch(?:es)?"
    r"|transdermal|suppositor(?:y|ies)|inhal(?:er|ation)|aerosol|spray|lozenges?|vials?|syringes?"
    r"|(?:extended|delayed|sustained|controlled|modified|immediate)[- ]release|for injection"
    r"|orally disintegrating|chewable|granules|sublingual|implant|kit|film|enema|ampu(?:l|le)s?)\b"
)
_IN_BRACKETS = re.compile(r"[(\[]([^()\[\]]+)[)\]]")


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
    form = _FORM_WORD.search(without_brackets(head))
    bare = without_brackets(head)
    region = bare[: form.start()] if form else bare.split(",")[0]
    names = _understood(region) or _from_brackets(head) or _after_brand(region)
    if not names or len(names) > _MOST_INGREDIENTS:
        return (), None
    return names, form_in_text(bare, weak=False) or form_in_text(head, weak=True)


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


def _understood(region: str) -> tuple[str, ...]:
    names = ingredients(without_vehicle(region))
    return names if names and all(name in _KNOWN for name in names) else ()


def _from_brackets(head: str) -> tuple[str, ...]:
    """``Bactroban Cream (mupirocin calcium)``: the generic name behind a brand."""
    for content in _IN_BRACKETS.findall(head):
        if names := _understood(content):
            return names
    return ()


def _after_brand(region: str) -> tuple[str, ...]:
    """``Derma-Smoothe/FS fluocinolone acetonide``: drop unknown words before a known name."""
    words = region.split()
    for start in range(1, min(len(words), 4)):
        if names := _understood(" ".join(words[start:])):
            return names
    return ()
