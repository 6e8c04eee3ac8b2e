"""Plain text: what every rule of identity reads instead of the source's own spelling."""

from __future__ import annotations

import re
import unicodedata

_MARKS = re.compile(r"[®™©*†‡]|&reg;|&trade;")
_PERCENT_WORDS = re.compile(r"chr\(37\)|(?<=\d)\s*per\b(?!\s*\w)|(?<=\d)per\b", re.IGNORECASE)
_ROUND = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_SPACES = re.compile(r"\s+")


def plain(text: str) -> str:
    """Lower-case ASCII without marks, accents and doubled spaces."""
    text = _MARKS.sub(" ", text)
    text = _PERCENT_WORDS.sub("%", text)
    text = text.replace("–", "-").replace("—", "-").replace("’", "'").replace("µ", "mc")
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return _SPACES.sub(" ", text).strip()


def without_brackets(text: str) -> str:
    """Text without what stands in brackets of any kind; unmatched brackets stay."""
    before = None
    while before != text:
        before, text = text, _ROUND.sub(" ", text)
    return text
