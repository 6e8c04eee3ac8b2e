"""Names of drugs, firms and brands that can be taken for no real one.

Every ingredient ends in a syllable that no international nonproprietary name uses (``-ozzle``,
``-umble`` ...), every firm's name in a word that says it is made up (``Examplia``), every brand in
``-fable``. Names are numbered: the n-th name of a seed is the same however many are made.
"""

from __future__ import annotations

import numpy as np

#: Enough names for this many drugs.
MOST_DRUGS = 60_000
#: Some drugs need a second name: a combination may turn out to be there already.
MOST_NAMES = 2 * MOST_DRUGS

#: Endings of ingredients; no INN stem is among them.
INGREDIENT_ENDINGS = ("ozzle", "umble", "iffle", "addle", "unkle", "oggle")
#: Last words of firms.
FIRM_WORDS = ("Examplia", "Fabulon", "Fictoria", "Imaginia", "Pretendo", "Mockwell", "Nowhera")
BRAND_ENDING = "fable"

_ONSETS = ("b", "br", "c", "cr", "d", "dr", "f", "fl", "g", "gr", "k", "l", "m", "n", "p", "pr")
_ONSETS += ("qu", "r", "s", "st", "t", "tr", "v", "w", "z", "zw")
_VOWELS = ("a", "e", "i", "o", "u")
_CODAS = ("", "l", "n", "r", "m")


def _stems(seed: int, kind: int, count: int, syllables: int) -> list[str]:
    """Distinct stems: a walk through all combinations in an order that the seed decides."""
    size = len(_ONSETS) * len(_VOWELS) * len(_CODAS)
    space = size**syllables
    # A step coprime to the space visits each number once.
    rng = np.random.default_rng([seed, kind])
    start = int(rng.integers(space))
    step = int(rng.integers(space // 3, space // 2))
    while np.gcd(step, space) != 1:
        step += 1
    syllable = [o + v + c for o in _ONSETS for v in _VOWELS for c in _CODAS]
    stems = []
    for number in range(count):
        place = (start + number * step) % space
        parts = []
        for _ in range(syllables):
            place, which = divmod(place, size)
            parts.append(syllable[which])
        stems.append("".join(parts))
    return stems


def ingredient_names(seed: int, count: int) -> list[str]:
    """Names of active ingredients.

    Parameters
    ----------
    seed : int
        Decides the names.
    count : int
        How many.

    Returns
    -------
    list of str
        Lower case, one word each, distinct.
    """
    return _numbered(seed, 1, count, INGREDIENT_ENDINGS, "")


def firm_names(seed: int, count: int) -> list[str]:
    """Names of firms, ``Brindova Examplia``, without a legal form.

    Parameters
    ----------
    seed : int
        Decides the names.
    count : int
        How many.

    Returns
    -------
    list of str
        Distinct, also in their first words.
    """
    return [
        f"{stem.capitalize()} {FIRM_WORDS[number % len(FIRM_WORDS)]}"
        for number, stem in enumerate(_distinct_stems(seed, 2, count))
    ]


def brand_names(seed: int, count: int) -> list[str]:
    """Brand names, ``Corvifable``.

    Parameters
    ----------
    seed : int
        Decides the names.
    count : int
        How many.

    Returns
    -------
    list of str
        Distinct.
    """
    return [f"{stem.capitalize()}{BRAND_ENDING}" for stem in _distinct_stems(seed, 3, count)]


def _numbered(
    seed: int, kind: int, count: int, endings: tuple[str, ...], between: str
) -> list[str]:
    return [
        f"{stem}{between}{endings[number % len(endings)]}"
        for number, stem in enumerate(_distinct_stems(seed, kind, count))
    ]


def _distinct_stems(seed: int, kind: int, count: int) -> list[str]:
    """Stems that differ as text, too: syllables can be cut in more than one way."""
    if count > MOST_NAMES:
        raise ValueError(f"{count} names were asked for: there are at most {MOST_NAMES}.")
    found: dict[str, None] = {}
    wanted = count
    while len(found) < count:
        found = dict.fromkeys(_stems(seed, kind, wanted, 2))
        wanted += max(16, count - len(found)) * 2
    return list(found)[:count]
