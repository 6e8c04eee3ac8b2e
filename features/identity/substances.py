"""Active ingredients, as read from a list of substances or from a product name."""

from __future__ import annotations

import re
from functools import lru_cache

from shortcast.features.identity._tables import read_table
from shortcast.features.identity._text import plain, without_brackets

_CACHE = 1 << 17

_UNITS = (
    r"%|mcg|micrograms?|nanograms?|ug|mg|milligrams?|grams?|gm|g|kg|ml|millilitres?|milliliters?|litres?|l"
    r"|meq|mmol|mol|units?|unit|usp units?|iu|i\.u\.|unt|miu|mu|mci|mbq|kbq|ci|hr|hours?|h|mm|cm"
    r"|ppm|million|osm|mosm|actuation|act|dose|puff|spray|vial|amp|bag|tab|cap|kcal|grains?|gr|u"
)
_STRENGTH = re.compile(
    rf"(?<![a-z0-9.])\d[\d,.]*\s*(?:{_UNITS})(?![a-z0-9])"
    rf"(?:\s*(?:/|per)\s*(?:\d[\d,.]*)?\s*(?:{_UNITS})(?![a-z0-9]))*"
)
_RADIONUCLIDE = re.compile(
    r"\b(tc|in|i|lu|sm|tl|xe|rb|ra|ga|cr|co|sr|cu|p|se|fe)[ -]?"
    r"(99m|123|125|127|131|133|111|177|153|201|82|223|67|68|51|57|58|60|89|64|32|75|59)\b"
)
_SPLIT = re.compile(
    r"\s*;\s*|\s*,\s*and\s+|\s+and/or\s+|\s+and\s+|\s+&\s+|\s*/\s*|\s*\+\s*|\s+plus\s+|\s+with\s+"
    r"|,(?!\d)\s*|:\s*"
)
_BIOLOGIC_SUFFIX = re.compile(
    r"^(.*(?:mab|cept|stim|tide|ase|alfa|beta|gine|pro|part|lin|lysin|tecan|dotin|sine|grel|bart"
    r"|mig|leukin|fusp|kin|spase|tin|glargine|tug|motide|sirib|vec|cel|tocog))-[a-z]{4}\b"
)
_NUMBER = re.compile(r"^[\d.,%#:-]+$")
_EDGE = " .,:;-_'\"!?#=<>|\\~^`$@*"
_VEHICLE_PHRASE = re.compile(
    r"\s+in\s+(?:an?\s+)?(?:plastic|water|sterile|\d|sodium chloride|dextrose|normal saline|ns"
    r"|lactated|isotonic|aqueous|nacl|d5w|polyethylene|container|sesame|cottonseed"
    r"|bacteriostatic)\b.*$"
    r"|\s+in\s+0?\.\d.*$"
)
_FREE_OF = re.compile(r"\b(?:sugar|gluten|cfc|alcohol|latex|dye|lactose|preservative)[ -]free\b")
_NUMBER_BELONGS_AFTER = frozenset(
    {"glycol", "dextran", "polysorbate", "poloxamer", "no.", "peg", "vitamin"}
)
# Words about form, route, package and standard; none of them is an active ingredient.
_STOP = frozenset(row["word"] for row in read_table("stop_words", ("word",)))


def _salt_words() -> tuple[frozenset[str], frozenset[str]]:
    salts, dropped = set(), set()
    for row in read_table("salts", ("word", "kind")):
        (dropped if row["kind"] in {"hydrate", "modifier"} else salts).add(row["word"])
    return frozenset(salts), frozenset(dropped)


SALTS, _DROPPED = _salt_words()
_KEPT = frozenset(row["name"] for row in read_table("kept_whole", ("name",)))
_NAMES: dict[str, tuple[str, ...]] = {
    row[key]: tuple(row["ingredients"].split("+"))
    for table, key in (("brands", "brand"), ("synonyms", "name"))
    for row in read_table(table, (key, "ingredients"))
}
# Ingredients of prescription products; tells an ingredient from a brand in free text, no more.
KNOWN = frozenset(row["name"] for row in read_table("ingredient_names", ("name",)))
_LONGEST_KNOWN = 6
MIXTURES: dict[str, frozenset[str]] = {}
for _row in read_table("mixtures", ("ingredient", "class")):
    MIXTURES[_row["class"]] = MIXTURES.get(_row["class"], frozenset()) | {_row["ingredient"]}


@lru_cache(maxsize=_CACHE)
def ingredients(text: str) -> tuple[str, ...]:
    """Active ingredients named in a list or a product name, without their salts.

    Reads ``A; B`` (Drugs@FDA, Orange Book, NDC directory), ``A, B and C``, ``A/B``, ``A with B``;
    drops brackets, strengths, words of form and package, salts, hydrates and biosimilar suffixes;
    turns international names into US adopted names. Collective infusions (amino acids, trace
    elements, multivitamins) become one ingredient.

    Parameters
    ----------
    text : str
        A list of substances or a generic name with or without its form.

    Returns
    -------
    tuple of str
        Lower case, sorted, unique; empty if nothing is left. Reading the result again gives the
        result.
    """
    found = _read_ingredients(text)
    for _ in range(4):
        again = _read_ingredients(" and ".join(found))
        if again == found:
            break
        found = again
    return found


def without_vehicle(text: str) -> str:
    """Plain text without a trailing "in 5% dextrose", "in plastic container" and the like.

    Parameters
    ----------
    text : str
        As `_text.plain` leaves it.

    Returns
    -------
    str
    """
    return _VEHICLE_PHRASE.sub("", text)


@lru_cache(maxsize=_CACHE)
def known_ingredients(text: str) -> tuple[str, ...]:
    """Active ingredients of a text every word of which is understood.

    Unlike ``ingredients`` it parts names that stand side by side without a separator, and refuses
    a text with a word that belongs to no ingredient of ``ingredient_names.csv``.

    Parameters
    ----------
    text : str
        A list of substances, or the part of a product's name that comes before its form.

    Returns
    -------
    tuple of str
        As ``ingredients``; empty if a word is not understood.
    """
    found: set[str] = set()
    for name in _names_in(text):
        parts = _side_by_side(name)
        if not parts:
            return ()
        found.update(parts)
    collected = tuple(sorted(_collected(found)))
    # A salt alone ("calcium" left over from a misspelt drug) names no drug.
    if len(collected) == 1 and collected[0] in SALTS:
        return ()
    return collected


def _side_by_side(name: str) -> tuple[str, ...]:
    """Ingredients of words without a separator between them; empty if a word is left over."""
    whole = _moieties(name)
    if whole and all(ingredient in KNOWN for ingredient in whole):
        return whole
    words, found = name.split(), []
    while words:
        for length in range(min(len(words), _LONGEST_KNOWN), 0, -1):
            part = _moieties(" ".join(words[:length]))
            if part and all(ingredient in KNOWN for ingredient in part):
                found.extend(part)
                words = words[length:]
                break
        else:
            return ()
    return tuple(found)


def _read_ingredients(text: str) -> tuple[str, ...]:
    found = {ingredient for name in _names_in(text) for ingredient in _moieties(name)}
    return tuple(sorted(_collected(found)))


def _names_in(text: str) -> list[str]:
    """Names between the separators, reduced to the words that may name an ingredient."""
    line = without_brackets(plain(text)).replace(" alfa/beta", " alfa")
    line = _FREE_OF.sub(" ", line)
    line = _STRENGTH.sub(" ", _RADIONUCLIDE.sub(r"\1-\2", line))
    line = re.sub(r"[()\[\]{}]", " ", line)
    names: list[str] = []
    for part in _SPLIT.split(line):
        words = _content_words(part)
        if not words:
            continue
        # "estrogens, conjugated": a part that only qualifies belongs to the name before it.
        if names and all(word in _QUALIFIERS for word in words):
            names[-1] = f"{names[-1]} {' '.join(words)}"
        else:
            names.append(" ".join(words))
    return names


_QUALIFIERS = _DROPPED | {"conjugated", "esterified", "white", "chorionic", "porcine"}
_QUALIFIERS |= {"salmon", "ovine", "bovine", "a", "b"}


def _content_words(part: str) -> list[str]:
    words: list[str] = []
    for raw in part.split():
        # "dl-" and "d-" qualify; without the hyphen a "d" would be a vitamin's name.
        word = "" if raw in {"d-", "l-", "dl-"} else raw.strip(_EDGE)
        if not word or word in _STOP:
            continue
        if _NUMBER.match(word) and not (words and words[-1] in _NUMBER_BELONGS_AFTER):
            continue
        words.append(word)
    return words


@lru_cache(maxsize=_CACHE)
def _moieties(name: str) -> tuple[str, ...]:
    """Ingredients behind one name; usually one."""
    for _ in range(8):
        if name in _KEPT:
            return (name,)
        if name in _NAMES:
            return _NAMES[name]
        shorter = _less_by_one_rule(name)
        if shorter == name:
            break
        name = shorter
    return (name,) if re.search(r"[a-z]{2}", name) else ()


def _less_by_one_rule(name: str) -> str:
    """Return the name after the first rule that shortens it, or the name as it was."""
    if match := _BIOLOGIC_SUFFIX.match(name):
        return match.group(1)
    words = name.split()
    kept = [word for word in words if word not in _DROPPED]
    if kept and len(kept) < len(words):
        return " ".join(kept)
    if words[0] in {"technetium", "tc-99m"} and len(words) > 1:
        return " ".join(words[1:])
    if len(words) > 1 and words[-1] == "f-18":
        return " ".join(words[:-1])
    if re.match(r"^(?:l|dl|d,l)-[a-z]{4}", name):
        return name.split("-", 1)[1]
    # A salt word goes only while something that is not a salt word remains before it: "sodium
    # chloride" is a drug, "losartan potassium" is losartan.
    if len(words) > 1 and words[-1] in SALTS and any(word not in SALTS for word in words[:-1]):
        return " ".join(words[:-1])
    return name


def _collected(found: set[str]) -> set[str]:
    """Replace many ingredients that are prescribed as one mixture by its collective name."""
    amino, vitamin = MIXTURES["amino-acid"], MIXTURES["vitamin"]
    if "amino acids" in found or len(found & amino) >= 4:
        return (found - amino - MIXTURES["electrolyte"]) | {"amino acids"}
    if "multivitamin" in found or len(found & vitamin) >= 4:
        return (found - vitamin - MIXTURES["mineral"]) | {"multivitamin"}
    if "ethinyl estradiol" in found:
        # Iron in a contraceptive pack fills the days without hormone.
        found = found - {"ferrous fumarate"}
    trace = MIXTURES["trace-element"]
    if len(found) >= 3 and found <= trace:
        return {"trace elements"}
    return found
