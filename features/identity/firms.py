"""Firms: one name for each company, however a record writes it.

A firm is a company, not a plant: the public records do not say which plant makes a drug.
``normalise_firm`` and ``firm_id`` depend on the name alone and on the reviewed table
``firm_parents.csv``; ``FirmMatcher`` compares a name with a list that its caller passes in, and
so knows nothing that the caller did not know.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from rapidfuzz import fuzz, process

from shortcast.features.identity._tables import read_table

# Similarity (0 to 100) from which a fuzzy match is taken, and how far the second-best firm must
# lie behind it. Measured on tests/features/identity/data/firm_fuzzy.csv: from 96 on all pairs were
# one firm, between 92 and 96 a third, below 92 hardly any.
FUZZY_THRESHOLD = 96.0
FUZZY_MARGIN = 3.0
_CACHE = 1 << 16

_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_COMPANY = r"(?:company|co|corp|business)\b"
_ASIDE = re.compile(
    r"[,\s]+(?:d\s*[./]?\s*b\s*[./]?\s*a\b\.?|doing business as|f/?k/?a\b|a/?k/?a\b|now part of"
    r"|(?:now|previously) known as|formerly(?: known as)?|c/o\b|o/b/o\b|on behalf of"
    r"|(?:an? )?(?:indirect )?wholly.owned|an? [\w&' -]{2,30} " + _COMPANY + r"|"
    r"(?:an? )?(?:division|div|subsidiary|subsid|subs?|unit|member|affiliate)\.? of\b|div\.? ).*$"
)
_REGION = re.compile(r"\b(?:north|south|latin) america\b")
_SITE = re.compile(r"\b(?:unit|plant|site|building|facility)[ -]*(?:no\.? *)?(?:[ivx]+|\d+)\b.*$")
# "Amphastar Pharmaceuticals, Inc./IMS": the first of two names, but not "Novo Nordisk A/S".
_SECOND_NAME = re.compile(r"(?<=[a-z.)][a-z.)])\s*[/;]\s*[a-z][a-z. ]{2,}.*$")
_WORDS = read_table("firm_words", ("word", "standard", "kind"))


def _words(kind: str) -> frozenset[str]:
    return frozenset(row["word"] for row in _WORDS if row["kind"] == kind)


_LEGAL = _words("legal-form")
_PLACES = _words("place")
_TRADE = {row["word"]: row["standard"] for row in _WORDS if row["kind"] == "trade"}
_GENERIC = _words("generic")
_VAGUE = _words("vague")
_FILLERS = frozenset({"and", "the", "of"})
_SAYS_TOO_LITTLE = _GENERIC | _VAGUE | _LEGAL | _PLACES


@lru_cache(maxsize=_CACHE)
def normalise_firm(name: str) -> str:
    """Return a company's name without what varies between records.

    Lower case; without punctuation, legal form, country, bracketed remarks and what follows "dba",
    "a division of" and the like; "Pharmaceuticals", "Laboratories" and their abbreviations go
    where a telling word remains.

    Parameters
    ----------
    name : str
        Name as a record writes it.

    Returns
    -------
    str
        Words separated by single spaces; empty for a name without letters and digits. Normalising
        the result again gives the result.
    """
    found = _normalised(name)
    for _ in range(4):
        again = _normalised(found)
        if again == found:
            break
        found = again
    return found


def _normalised(name: str) -> str:
    text = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    before = None
    while before != text:
        before, text = text, _BRACKETS.sub("", text)
    text = re.sub(r"\b([a-z])/([a-z])\b", r"\1\2", text)
    for pattern in (_ASIDE, _SECOND_NAME, _REGION, _SITE):
        text = pattern.sub("", text).strip() or text
    text = re.sub(r"(?<=\b[a-z])\.(?=[a-z]\b)", "", text)
    text = re.sub(r"['`]", "", text).replace("&", " and ")
    written: list[str] = re.findall(r"[a-z0-9]+", text)
    words = [_TRADE.get(word, word) for word in written]
    words = [word for word in words if word not in _FILLERS]
    words = [word for word in words if word not in _LEGAL] or words
    for dropped in (_PLACES, _GENERIC):
        kept = [word for word in words if word not in dropped]
        if any(word not in _SAYS_TOO_LITTLE and len(word) > 1 for word in kept):
            words = kept
    return " ".join(words)


def _parents() -> dict[str, list[tuple[date | None, str]]]:
    table: dict[str, list[tuple[date | None, str]]] = {}
    for row in read_table("firm_parents", ("alias", "parent", "valid_from")):
        start = date.fromisoformat(row["valid_from"]) if row["valid_from"] else None
        alias = normalise_firm(row["alias"])
        table.setdefault(alias, []).append((start, normalise_firm(row["parent"])))
    return table


_PARENTS = _parents()


@lru_cache(maxsize=_CACHE)
def firm_id(name: str, on: date | None = None) -> str:
    """Readable slug of a firm, through the reviewed table of names and parents.

    Parameters
    ----------
    name : str
        Name as a record writes it.
    on : date, optional
        Day for which dated acquisitions hold. Without it only other names of the same company
        are resolved, and no acquisition is.

    Returns
    -------
    str
        ``fresenius-kabi``; empty for a name without letters and digits.
    """
    current = normalise_firm(name)
    for _ in range(5):
        step = None
        for start, parent in _PARENTS.get(current, ()):
            if start is None or (on is not None and start <= on):
                step = parent
        if step is None or step == current:
            break
        current = step
    return current.replace(" ", "-")


@dataclass(frozen=True)
class FirmMatch:
    """What a name was matched to.

    Parameters
    ----------
    firm_id : str or None
        The firm; None where the match is open.
    name : str or None
        The known name that matched.
    how : str
        ``exact``, ``rule``, ``fuzzy``, ``ambiguous`` (several firms are as near) or ``none``.
    score : float
        Similarity, 0 to 100.
    """

    firm_id: str | None
    name: str | None
    how: str
    score: float


class FirmMatcher:
    """Matches names to a list of known ones: exact, then by rule, then fuzzy.

    Parameters
    ----------
    names : iterable of str
        Known names. The fuzzy step compares with nothing else.
    threshold, margin : float
        Similarity from which a fuzzy match is taken, and the least distance to the next firm.
    """

    def __init__(
        self,
        names: Iterable[str],
        *,
        threshold: float = FUZZY_THRESHOLD,
        margin: float = FUZZY_MARGIN,
    ) -> None:
        self._threshold = threshold
        self._margin = margin
        self._exact: dict[str, str] = {}
        self._by_id: dict[str, list[str]] = {}
        self._by_letters: dict[str, set[str]] = {}
        for name in sorted(set(names)):
            found = firm_id(name)
            if not found:
                continue
            self._exact.setdefault(name.strip().casefold(), name)
            self._by_id.setdefault(found, []).append(name)
            self._by_letters.setdefault(_letters(found), set()).add(found)
        self._keys = {key: key.replace("-", " ") for key in self._by_id}

    def match(self, name: str) -> FirmMatch:
        """Match one name.

        Parameters
        ----------
        name : str
            Name as a record writes it.

        Returns
        -------
        FirmMatch
            With ``firm_id`` None where nothing is near enough, or several firms are.
        """
        known = self._exact.get(name.strip().casefold())
        if known is not None:
            return FirmMatch(firm_id(known), known, "exact", 100.0)
        key = firm_id(name)
        if not key:
            return FirmMatch(None, None, "none", 0.0)
        if key in self._by_id:
            return FirmMatch(key, self._nearest(name, key), "rule", 100.0)
        same_letters = self._by_letters.get(_letters(key), set())
        if len(same_letters) == 1:
            (found,) = same_letters
            return FirmMatch(found, self._nearest(name, found), "rule", 100.0)
        near = process.extract(
            key.replace("-", " "),
            self._keys,
            scorer=fuzz.ratio,
            limit=2,
            score_cutoff=self._threshold - self._margin,
        )
        if not near or near[0][1] < self._threshold:
            return FirmMatch(None, None, "none", 0.0)
        _, score, best = near[0]
        if len(near) > 1 and score - near[1][1] < self._margin:
            return FirmMatch(None, None, "ambiguous", float(score))
        return FirmMatch(best, self._nearest(name, best), "fuzzy", float(score))

    def _nearest(self, name: str, key: str) -> str:
        """Known name of a firm that looks most like ``name``."""
        return max(self._by_id[key], key=lambda known: fuzz.ratio(name.lower(), known.lower()))


def _letters(key: str) -> str:
    """Key without blanks and plural endings: ``hello-life`` and ``hellolife`` are one."""
    return re.sub(r"s?(?:-|$)", "", key)
