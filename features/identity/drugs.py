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
``kits.csv``
    the form group of kits whose route is not told;
``proper_names.csv``
    substances behind several drugs that only the nonproprietary name tells apart;
``aliases.csv``
    names of the FDA shortage list that the rules would read wrongly;
``ingredient_names.csv``
    ingredients by which a name is told from a brand in free text, and nothing more.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from shortcast.features.identity._tables import IdentityError, read_table
from shortcast.features.identity._text import plain, without_brackets
from shortcast.features.identity.forms import FORM_GROUPS, form_group, form_in_text
from shortcast.features.identity.recall_text import read_recall
from shortcast.features.identity.substances import (
    KNOWN,
    MIXTURES,
    ingredients,
    known_ingredients,
    without_vehicle,
)

# A longer list of ingredients does not make a readable slug.
_MOST_NAMES_IN_SLUG = 8
_FEWEST_IN_DIALYSIS = 3
_VEHICLES = frozenset({"dextrose", "sodium chloride", "water"})
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


_KITS = {row["ingredient"]: row["form_group"] for row in read_table("kits", ("ingredient",))}
_PROPER_NAME_TELLS = frozenset(
    row["substance"] for row in read_table("proper_names", ("substance",))
)


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
    IdentityError
        If there is no ingredient with a letter or digit, or the form group is unknown.
    """
    if group not in FORM_GROUPS:
        raise IdentityError(f"unknown form group {group!r}: use one of {', '.join(FORM_GROUPS)}.")
    slugs = sorted({slug for name in names if (slug := _slug(name))})
    if not slugs:
        raise IdentityError("a drug needs at least one ingredient with a letter or digit.")
    if len(slugs) > _MOST_NAMES_IN_SLUG:
        digest = hashlib.sha256("+".join(slugs).encode()).hexdigest()[:6]
        slugs = [*slugs[:3], f"{len(slugs) - 3}-more-{digest}"]
    return f"{'+'.join(slugs)}--{group}"


@lru_cache(maxsize=_CACHE)
def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", plain(name)).strip("-")


def _drug(names: tuple[str, ...], group: str | None, route: str = "") -> Drug | None:
    if not names or group is None:
        return None
    found = set(names)
    lipid, electrolyte = MIXTURES["lipid"], MIXTURES["electrolyte"]
    if group == "injection" and found <= lipid and found != {"glycerin"}:
        found = {"lipid emulsion"}
    elif group == "injection" and not found <= electrolyte:
        # Premixed bags: some sources name the vehicle, others do not.
        found -= _VEHICLES
    elif found <= electrolyte and {"sodium bicarbonate", "magnesium chloride"} <= found:
        # Only solutions of two chambers keep these together: those for haemofiltration.
        found, group = {"crrt solution"}, "injection"
    elif (
        found <= electrolyte and len(found) >= _FEWEST_IN_DIALYSIS and "intraperit" in plain(route)
    ):
        found, group = {"peritoneal dialysis solution"}, "other"
    if not any(_slug(name) for name in found):
        return None
    names = tuple(sorted(found))
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
    names = ingredients(substance)
    proper = ingredients(nonproprietary)
    if not names or (proper and "+".join(names) in _PROPER_NAME_TELLS):
        names = proper
    if not route and ";" in dosage_form:
        dosage_form, _, route = dosage_form.partition(";")
    if "for injection" in substance.lower():
        return _drug(names, "injection")
    group = form_group(dosage_form, route)
    if group in (None, "other") or route.strip().lower() in ("", "oral"):
        group = _form_of_kit(dosage_form.lower(), names) or group
    return _drug(names, group, route)


def _form_of_kit(form: str, names: tuple[str, ...]) -> str | None:
    """Form group of a kit by its first ingredient of which it is known; None for other forms."""
    if not re.search(r"\bkit\b", form):
        return None
    return next((_KITS[name] for name in names if name in _KITS), None)


def _alias_key(name: str) -> str:
    text = re.sub(r"[,.]+(?!\d)", " ", without_brackets(plain(name)))
    text = re.sub(r"\busp\b", " ", text)
    return " ".join(text.split())


def _aliases(*, without_form: bool) -> dict[str, tuple[tuple[str, ...], str]]:
    return {
        _alias_key(row["name"]): (
            tuple(row["ingredients"].split("+")) if row["ingredients"] else (),
            row["form_group"],
        )
        for row in read_table("aliases", ("name", "ingredients", "form_group", "only_without_form"))
        if (row["only_without_form"] == "yes") is without_form
    }


_ALIASES = _aliases(without_form=False)
# Names that were listed without a form; used where nothing else tells it.
_FORM_UNTOLD = _aliases(without_form=True)


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
    text, pack = without_brackets(plain(name)), plain(presentation)
    names = ingredients(without_vehicle(text))
    if not KNOWN.issuperset(names):
        names = known_ingredients(without_vehicle(text)) or names
    group = (
        form_in_text(text, hints=False)
        or form_in_text(plain(name), hints=False)
        or form_in_text(pack, hints=False)
        or _form_of_kit(text, names)
        or _form_by_hint(text, pack)
    )
    if group is None and _alias_key(name) in _FORM_UNTOLD:
        return _drug(*_FORM_UNTOLD[_alias_key(name)])
    return _drug(names, group)


def _form_by_hint(name: str, presentation: str) -> str | None:
    hints = form_in_text(name, hints=True), form_in_text(presentation, hints=True)
    # A "powder for solution" in a vial is injected.
    if hints == ("oral-liquid", "injection"):
        return "injection"
    return hints[0] or hints[1]


# "APO-CETIRIZINE 10MG", "Teva-Prazosin": Canadian generics are named after their maker.
_CANADIAN_MAKER = re.compile(
    r"^(?:accel|act|apo|auro|ava|bio|co|dom|gd|gen|jamp|mar|med|mint|mylan|novo|nra|ntp|nu|phl|pms"
    r"|pro|ran|ratio|riva|sandoz|sanis|septa|taro|teva|van|zym)[ -]+(?=[a-z])"
)


@lru_cache(maxsize=_CACHE)
def from_canada(ingredient_list: str, dosage_form: str, route: str) -> Drug | None:
    """Drug of a Canadian shortage report.

    Parameters
    ----------
    ingredient_list : str
        Ingredients, ``;`` or mere blanks between them, or the name of a generic.
    dosage_form, route : str
        As reported; repeated values are separated by ``;`` or blanks.

    Returns
    -------
    Drug or None
        None where no ingredient or no form can be read.
    """
    text = _CANADIAN_MAKER.sub("", plain(ingredient_list))
    return _drug(
        known_ingredients(text) or ingredients(text),
        form_group(dosage_form.replace(";", ","), route.replace(";", ",") or "not told"),
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
    text = plain(name)
    return _drug(ingredients(text), form_in_text(text, hints=True))


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
    return _drug(*read_recall(text))
