"""Drugs: a set of active ingredients without their salts, and a form group.

Every function here depends on nothing but the text it is given and on the reviewed tables
beside this file. That is on purpose: were a link to lean on names gathered from other records,
a record published later could change what an earlier one means, and yesterday's ranking could
not be made again.

The tables (each row with its reason and source):

``salts.csv``
    words for salts, simple esters, solvates and purity, dropped from a name;
``kept_whole.csv``
    names in which such a word is part of the active substance;
``synonyms.csv``, ``brands.csv``
    other names of an ingredient: international, other spelling, another salt, a brand;
``mixtures.csv``
    ingredients that count as one collective drug when several stand together;
``stop_words.csv``
    words about form, route, package and standard, which name no ingredient;
``aliases.csv``
    names of the FDA shortage list that the rules would read wrongly.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from shortcast.features.identity._tables import read_table

FORM_GROUPS = (
    "injection",
    "oral-solid",
    "oral-liquid",
    "ophthalmic",
    "topical",
    "inhalation",
    "other",
)

# A longer list of ingredients does not make a readable slug.
_MOST_NAMES_IN_SLUG = 8
_CACHE = 1 << 17


@dataclass(frozen=True)
class Drug:
    """The unit of every score.

    Parameters
    ----------
    drug_id : str
        Stable readable slug, ``amoxicillin+clavulanate--oral-solid``.
    ingredients : tuple of str
        Active ingredients without salts, lower case, sorted.
    form_group : str
        One of ``FORM_GROUPS``.
    """

    drug_id: str
    ingredients: tuple[str, ...]
    form_group: str


# --- text ---------------------------------------------------------------------------------------

_MARKS = re.compile(r"[®™©*†‡]|&reg;|&trade;")
_PERCENT_WORDS = re.compile(r"chr\(37\)|(?<=\d)\s*per\b(?!\s*\w)|(?<=\d)per\b", re.IGNORECASE)
_ROUND = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_SPACES = re.compile(r"\s+")


def _plain(text: str) -> str:
    """Lower-case ASCII without marks, accents and doubled spaces."""
    text = _MARKS.sub(" ", text)
    text = _PERCENT_WORDS.sub("%", text)
    text = text.replace("–", "-").replace("—", "-").replace("’", "'").replace("µ", "mc")
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return _SPACES.sub(" ", text).strip()


def _without_brackets(text: str) -> str:
    before = None
    while before != text:
        before, text = text, _ROUND.sub(" ", text)
    return text


# --- form groups --------------------------------------------------------------------------------

_INJECT = re.compile(
    r"inject|\binj\b|injctab|liposomal$|lipid complex|lyophili[sz]ed|\binfusion\b|infus|\bvials?\b"
    r"|\bampou?les?\b|\bampuls?\b|prefilled|pre-filled|\bsyringes?\b|auto-?injector|premix|\bpens?\b"
)
_INJECT_ROUTES = re.compile(
    r"intraven|\biv\b|intramusc|\bim\b|subcut|parenteral|intrathec|epidural|infiltrat|perineur"
    r"|intraderm|intra-?artic|intravasc|intra-?arter|intraspin|intracard|retrobulb|intravitre"
    r"|intracavern|intralesion|block|intracaud|subarach|intraperiton.*inject|submucos|percutan"
    r"|intrasyn|intracoron|hemodial|extracorp|spinal|caudal|perfusion|intracameral|intraocular"
    r"|subconjunct|intravent|periartic|interstit|injection|\bsc\b|intraosseous|subretinal"
)
_OTHER_ROUTES = re.compile(
    r"\botic\b|auricular|\bear\b|nasal|rectal|vagin|urethr|irrigat|intrauter|dental|periodont"
    r"|intravesic|intrapleur|intratrach|endotrach|intraperiton|hemodial|extracorp|implant|ureter"
    r"|gingiv|intrasinal|peritoneal|dialysis|endocerv|pyelocal|intragastric|enteral|nasogast"
    r"|intrabronch|suppositor|enema|pessar|iontophor|tampon|haemofiltration"
)
_TOPICAL = re.compile(
    r"topical|transderm|cutaneous|\bcream|ointment|\blotion|\bgels?\b|shampoo|\bfoam|\bpatch"
    r"|\bpaste\b|\bpledget|\bswab|\bointm|\bsoap|\bcloth|\bscalp|\bskin\b|jelly|\bemollient|liniment"
)
_SOLID = re.compile(
    r"tablet|\btabs?\b|capsul|\bcaps?\b|caplet|lozenge|troche|\bgum\b|chewable|\bwafer|pastille"
    r"|\bpellets?\b|\bgranules?\b|sprinkle|softgel|orally disintegrating|odt\b|\bpills?\b"
    r"|sublingual|\bcomprim|\bgelule|\bbar\b"
)
_LIQUID = re.compile(
    r"syrup|elixir|oral (?:solution|suspension|liquid|concentrate|drops|emulsion|susp|soln)"
    r"|(?:solution|suspension|liquid|drops), oral|for (?:oral )?(?:solution|suspension)|tincture"
    r"|powder,? for (?:oral )?(?:solution|suspension)|(?:solution|suspension) buvable|oral drops"
)
_WEAK_LIQUID = re.compile(r"solution|suspension|liquid|emulsion|concentrate|\bdrops\b|\bsirop\b")
_LIQUID_FORM = re.compile(
    r"solution|suspension|syrup|elixir|liquid|emulsion|concentrate|drops|tincture|\boil\b|rinse"
    r"|mouthwash|soln|susp\b|sirop|extract"
)
_OPHTHALMIC = re.compile(r"ophth|\beye\b|conjunctiv|intraocular|contact lens|intracameral")
_INHALED = re.compile(
    r"inhal|respirat|nebuli[sz]|\baerosol, metered\b|\bdry powder inhaler|evohaler|accuhaler"
    r"|turbuhaler|breezhaler|handihaler|\bhfa\b|\bgas\b"
)
_IMPLANT = re.compile(r"\bimplants?\b|intrauterine (?:device|system)|\bring\b|\biud\b")


@lru_cache(maxsize=_CACHE)
def form_group(dosage_form: str, route: str = "") -> str | None:
    """Form group of a dosage form, as any source words it.

    The form decides before the route where it is plain (a tablet is an oral solid even when
    meant for a suspension; an injectable is an injection wherever it goes), the route before the
    form otherwise.

    Parameters
    ----------
    dosage_form : str
        Orange Book and Drugs@FDA ``TABLET;ORAL``, NDC directory ``INJECTION, SOLUTION``, or a
        whole product name.
    route : str
        Route where the source has it apart; empty otherwise.

    Returns
    -------
    str or None
        One of ``FORM_GROUPS``, None where nothing is recognised.
    """
    form, path = _plain(dosage_form), _plain(route)
    if not path and ";" in form:
        form, _, path = (part.strip() for part in form.partition(";"))
    if path:
        return _form_by_route(form, path) or _form_in_text(form, weak=True)
    return _form_in_text(form, weak=True)


def _form_by_route(form: str, path: str) -> str | None:
    """Form group from a form and a separate route, both plain text."""
    if _IMPLANT.search(form):
        return "other"
    dialysis = re.search(r"intraperiton|hemodial|extracorp|haemodial", path)
    if dialysis and not re.search(r"intraven|intramusc", path):
        return "other"
    if re.search(r"inject|liposomal|lipid complex|^vial|^syringe|lyophili", form):
        return "injection" if "inhalation" not in path or "inject" in form else "inhalation"
    if re.search(r"ophthalm|conjunct", path):
        return "ophthalmic"
    if re.search(r"inhal|respirat", path):
        return "inhalation"
    if re.search(r"tablet|capsule", form) and not re.search(r"vagin|rectal|urethr", path):
        return "oral-solid"
    if _INJECT_ROUTES.search(path) and not re.search(r"dental|transderm|\btopical", path):
        return "injection"
    if _OTHER_ROUTES.search(path):
        return "other"
    if re.search(r"topical|transderm|cutaneous|scalp", path):
        return "topical"
    if re.search(r"oral|sublingual|buccal|mucosal|pharyn|bouche", path):
        if re.search(r"spray|aerosol|paste|ointment|\bgel\b|cream", form):
            return "other"
        if _SOLID.search(form) and not re.search(r"for (?:solution|suspension)", form):
            return "oral-solid"
        if _LIQUID_FORM.search(form):
            return "oral-liquid"
        return "oral-solid"
    return None


def _form_in_text(text: str, *, weak: bool) -> str | None:
    """Form group named in running text; with ``weak`` also from words that are only a hint."""
    if not text:
        return None
    for pattern, group in (
        (_OPHTHALMIC, "ophthalmic"),
        (re.compile(r"inject|\binj\b|lyophili"), "injection"),
        (_IMPLANT, "other"),
        (_INHALED, "inhalation"),
        (_OTHER_ROUTES, "other"),
        (re.compile(r"oral (?:spray|gel|paste)|buccal system"), "other"),
        (re.compile(r"tablet|capsul|caplet"), "oral-solid"),
        (_LIQUID, "oral-liquid"),
        (_TOPICAL, "topical"),
        (_SOLID, "oral-solid"),
    ):
        if pattern.search(text):
            return group
    if not weak:
        return None
    if _INJECT.search(text):
        return "injection"
    if re.search(r"\bbags?\b|sterile", text):
        return "injection"
    if _WEAK_LIQUID.search(text):
        return "oral-liquid"
    if re.search(r"\bkit\b|\bspray\b|\bstrips?\b|\binserts?\b|\bdevice\b", text):
        return "other"
    if re.search(r"\bpowder\b|\bfilm\b|\boral\b", text):
        return "oral-solid"
    return None


# --- ingredients --------------------------------------------------------------------------------

_UNITS = (
    r"%|mcg|micrograms?|ug|mg|milligrams?|grams?|gm|g|kg|ml|millilitres?|milliliters?|litres?|l"
    r"|meq|mmol|mol|units?|unit|usp units?|iu|i\.u\.|unt|miu|mu|mci|mbq|kbq|ci|hr|hours?|h|mm|cm"
    r"|ppm|million|osm|mosm|actuation|act|dose|puff|spray|vial|amp|bag|tab|cap|kcal|u"
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
    r"\s*;\s*|\s+and/or\s+|\s+and\s+|\s+&\s+|\s*/\s*|\s*\+\s*|\s+plus\s+|\s+with\s+|,(?!\d)\s*|:\s*"
)
_VEHICLE = re.compile(
    r"\s+in\s+(?:an?\s+)?(?:plastic|water|sterile|\d|sodium chloride|dextrose|normal saline"
    r"|lactated|isotonic|aqueous|nacl|d5w|polyethylene|container|sesame|cottonseed|bacteriostatic)\b.*$"
    r"|\s+in\s+0?\.\d.*$"
)
_BIOLOGIC_SUFFIX = re.compile(
    r"^(.*(?:mab|cept|stim|tide|ase|alfa|beta|gine|pro|part|lin|lysin|tecan|dotin|sine|grel|bart"
    r"|mig|leukin|fusp|kin|spase|tin|glargine|tug|motide|sirib|vec|cel|tocog))-[a-z]{4}\b"
)
_NUMBER = re.compile(r"^[\d.,%#:-]+$")
_EDGE = " .,:;-_'\"!?#=<>|\\~^`$@*"
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


_SALTS, _DROPPED = _salt_words()
_KEPT = frozenset(row["name"] for row in read_table("kept_whole", ("name",)))
_NAMES: dict[str, tuple[str, ...]] = {
    row[key]: tuple(row["ingredients"].split("+"))
    for table, key in (("brands", "brand"), ("synonyms", "name"))
    for row in read_table(table, (key, "ingredients"))
}
_MIXTURES: dict[str, frozenset[str]] = {}
for _row in read_table("mixtures", ("ingredient", "class")):
    _MIXTURES[_row["class"]] = _MIXTURES.get(_row["class"], frozenset()) | {_row["ingredient"]}


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


def _read_ingredients(text: str) -> tuple[str, ...]:
    plain = _STRENGTH.sub(" ", _RADIONUCLIDE.sub(r"\1-\2", _without_brackets(_plain(text))))
    plain = re.sub(r"[()\[\]{}]", " ", plain)
    names: list[str] = []
    for part in _SPLIT.split(plain):
        words = _content_words(part)
        if not words:
            continue
        # "estrogens, conjugated": a part that only qualifies belongs to the name before it.
        if names and all(word in _QUALIFIERS for word in words):
            names[-1] = f"{names[-1]} {' '.join(words)}"
        else:
            names.append(" ".join(words))
    found = {ingredient for name in names for ingredient in _moieties(name)}
    return tuple(sorted(_collected(found)))


_QUALIFIERS = _DROPPED | {"conjugated", "esterified", "white", "chorionic", "porcine", "salmon"}


def _content_words(part: str) -> list[str]:
    words: list[str] = []
    for raw in part.split():
        word = raw.strip(_EDGE)
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
    if len(words) > 1 and words[-1] in _SALTS and any(word not in _SALTS for word in words[:-1]):
        return " ".join(words[:-1])
    return name


def _collected(found: set[str]) -> set[str]:
    """Replace many ingredients that are prescribed as one mixture by its collective name."""
    amino, vitamin = _MIXTURES["amino-acid"], _MIXTURES["vitamin"]
    if "amino acids" in found or len(found & amino) >= 4:
        return (found - amino - _MIXTURES["electrolyte"]) | {"amino acids"}
    if "multivitamin" in found or len(found & vitamin) >= 4:
        return (found - vitamin - _MIXTURES["mineral"]) | {"multivitamin"}
    trace = _MIXTURES["trace-element"]
    if len(found) >= 3 and found <= trace:
        return {"trace elements"}
    return found


# --- drugs --------------------------------------------------------------------------------------


def drug_id(names: Iterable[str], group: str) -> str:
    """Readable slug of a drug.

    Parameters
    ----------
    names : iterable of str
        Ingredients; order and repetition do not matter.
    group : str
        One of ``FORM_GROUPS``.

    Returns
    -------
    str
        ``cisplatin--injection``. Beyond eight ingredients the first three are named and a short
        hash of all of them follows: ``a+b+c+9-more-1f3a9c--oral-solid``.

    Raises
    ------
    ValueError
        If there is no ingredient with a letter or digit, or the form group is unknown.
    """
    if group not in FORM_GROUPS:
        raise ValueError(f"unknown form group {group!r}: use one of {', '.join(FORM_GROUPS)}.")
    slugs = sorted({slug for name in names if (slug := _slug(name))})
    if not slugs:
        raise ValueError("a drug needs at least one ingredient with a letter or digit.")
    if len(slugs) > _MOST_NAMES_IN_SLUG:
        digest = hashlib.sha256("+".join(slugs).encode()).hexdigest()[:6]
        slugs = [*slugs[:3], f"{len(slugs) - 3}-more-{digest}"]
    return f"{'+'.join(slugs)}--{group}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", _plain(name)).strip("-")


def _drug(names: tuple[str, ...], group: str | None, route: str = "") -> Drug | None:
    if not names or group is None:
        return None
    found = set(names)
    lipid, electrolyte = _MIXTURES["lipid"], _MIXTURES["electrolyte"]
    if group == "injection" and found <= lipid and found & {"soybean oil", "fish oil"}:
        names = ("lipid emulsion",)
    if group == "other" and len(found) >= 3 and found <= electrolyte:
        path = _plain(route)
        if "intraperiton" in path:
            names = ("peritoneal dialysis solution",)
        elif re.search(r"hemodial|extracorp|intraven", path):
            names = ("crrt solution",)
    if not any(_slug(name) for name in names):
        return None
    return Drug(drug_id(names, group), names, group)


@lru_cache(maxsize=_CACHE)
def from_product(substance: str, nonproprietary: str, dosage_form: str, route: str) -> Drug | None:
    """Drug of a product in the NDC directory, Drugs@FDA or the Orange Book.

    Parameters
    ----------
    substance : str
        SUBSTANCENAME, ActiveIngredient or Ingredient, ``;`` between ingredients.
    nonproprietary : str
        NONPROPRIETARYNAME; used where the substance is blank.
    dosage_form : str
        DOSAGEFORMNAME, or ``Form`` and ``DF;Route`` with the route behind the semicolon.
    route : str
        ROUTENAME; empty where the form carries it.

    Returns
    -------
    Drug or None
        None where no ingredient or no form can be read.
    """
    names = ingredients(substance) or ingredients(nonproprietary)
    if not route and ";" in dosage_form:
        dosage_form, _, route = dosage_form.partition(";")
    return _drug(names, form_group(dosage_form, route), route)


def _alias_key(name: str) -> str:
    text = re.sub(r"[,.]+(?!\d)", " ", _without_brackets(_plain(name)))
    text = re.sub(r"\busp\b", " ", text)
    return _SPACES.sub(" ", text).strip()


_ALIASES: dict[str, tuple[tuple[str, ...], str]] = {
    _alias_key(row["name"]): (
        tuple(row["ingredients"].split("+")) if row["ingredients"] else (),
        row["form_group"],
    )
    for row in read_table("aliases", ("name", "ingredients", "form_group"))
}


@lru_cache(maxsize=_CACHE)
def from_generic_name(name: str, presentation: str = "") -> Drug | None:
    """Drug of a row of the FDA shortage list.

    Parameters
    ----------
    name : str
        Generic name, with the dosage form in it (newer rows) or without it (older ones).
    presentation : str
        Presentation; tells the form where the name does not.

    Returns
    -------
    Drug or None
        None where no ingredient or no form can be read, or the row is no drug (a device).
    """
    alias = _ALIASES.get(_alias_key(name))
    if alias is not None:
        return _drug(*alias) if alias[0] else None
    plain = _without_brackets(_plain(name))
    group = (
        _form_in_text(plain, weak=False)
        or _form_in_text(_plain(presentation), weak=False)
        or _form_in_text(plain, weak=True)
        or _form_in_text(_plain(presentation), weak=True)
    )
    return _drug(ingredients(_VEHICLE.sub("", plain)), group)


@lru_cache(maxsize=_CACHE)
def from_canada(ingredient_list: str, dosage_form: str, route: str) -> Drug | None:
    """Drug of a Canadian shortage report.

    Parameters
    ----------
    ingredient_list : str
        Ingredients, ``;`` or spaces between them.
    dosage_form, route : str
        As reported; repeated values are separated by ``;`` or spaces.

    Returns
    -------
    Drug or None
    """
    return _drug(
        ingredients(ingredient_list),
        form_group(dosage_form.replace(";", ","), route.replace(";", ",") or "unknown"),
    )


@lru_cache(maxsize=_CACHE)
def from_uk_product(name: str) -> Drug | None:
    """Drug of a British product name such as ``Aciclovir 400mg tablets``.

    Parameters
    ----------
    name : str
        Product as named in the price concessions.

    Returns
    -------
    Drug or None
    """
    plain = _plain(name)
    return _drug(ingredients(plain), _form_in_text(plain, weak=True))


@lru_cache(maxsize=_CACHE)
def from_recall_text(text: str) -> Drug | None:
    """Drug of a recall's product description; None unless it can be read with confidence.

    Parameters
    ----------
    text : str
        ``product_description`` of an enforcement report.

    Returns
    -------
    Drug or None
    """
    plain = _plain(text)
    head = re.split(r"\d|\brx\b|\bndc\b|,", _without_brackets(plain), maxsplit=1)[0]
    group = _form_in_text(head, weak=False)
    names = ingredients(_VEHICLE.sub("", head))
    if group is None or not names or len(names) > 4:
        return None
    if any(len(name.split()) > 3 for name in names):
        return None
    return _drug(names, group)
