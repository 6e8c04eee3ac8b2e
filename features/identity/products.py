"""Products: a National Drug Code kept as its labeler, product and package segments.

The FDA writes ten digits as 4-4-2, 5-3-2 or 5-4-1; the CMS writes eleven as 5-4-2, the short
segment padded with a zero; from March 2033 there will be twelve as 6-4-2 (final rule of March
2026, 21 CFR 207.33). Only the segments say which product is meant, so a string without hyphens
that could be cut in more than one way is refused rather than guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shortcast.errors import ShortcastError

# (labeler, product, package) lengths that occur; 0 stands for "no package segment".
_WITH_PACKAGE = {(4, 4, 2), (5, 3, 2), (5, 4, 1), (5, 4, 2), (6, 4, 2)}
_SHAPES = frozenset(_WITH_PACKAGE | {(4, 4, 0), (5, 3, 0), (5, 4, 0), (6, 4, 0)})
_CUTS_OF_TEN = ((4, 4, 2), (5, 3, 2), (5, 4, 1))
_CUTS_OF_EIGHT = ((4, 4, 0), (5, 3, 0))
_SEGMENTED = re.compile(r"(\d{4,6})-+(\d{3,4})(?:-+(\d{1,2}))?")
# In running text a code without a package looks like a ZIP code, so it must follow "NDC".
_IN_TEXT = re.compile(
    r"(?<![\d-])(\d{4,6})\s?-{1,2}\s?(\d{3,4})\s?-{1,2}\s?(\d{1,2})(?![\d-])"
    r"|(?<!/)\bNDCs?(?:/UPC)?\s*(?:#|no\.?|number|code)?\s*:?\s*#?\s*"
    r"(?:(\d{4,6})-(\d{3,4})(?![\d-])|(\d{11})(?!\d))",
    re.IGNORECASE,
)
_DASHES = str.maketrans({"‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-"})


class InvalidNdc(ShortcastError):  # noqa: N818  (the name says what it is)
    """The text is no National Drug Code in any notation."""


class AmbiguousNdc(InvalidNdc):
    """The digits could be cut into more than one code.

    Parameters
    ----------
    text : str
        What was to be read.
    candidates : tuple of Ndc
        The codes it may stand for.
    """

    def __init__(self, text: str, candidates: tuple[Ndc, ...]) -> None:
        self.candidates = candidates
        names = ", ".join(candidate.hyphenated for candidate in candidates)
        super().__init__(
            f"the code {text!r} has no hyphens and may stand for {names}: write it with hyphens."
        )


@dataclass(frozen=True, order=True)
class Ndc:
    """A National Drug Code in its segments, as written.

    Parameters
    ----------
    labeler, product : str
        Digits of the first two segments.
    package : str or None
        Digits of the third segment; None for a product without package.
    """

    labeler: str
    product: str
    package: str | None = None

    @property
    def product_key(self) -> str:
        """Labeler and product, the same in every notation: ``00093-5382``."""
        return f"{self.labeler.lstrip('0').zfill(5)}-{self.product.zfill(4)}"

    @property
    def package_key(self) -> str | None:
        """``product_key`` and the two-digit package; None without a package."""
        return None if self.package is None else f"{self.product_key}-{self.package.zfill(2)}"

    @property
    def ndc11(self) -> str | None:
        """Eleven digits as the CMS writes them.

        None without a package, or for a labeler code that needs six digits.
        """
        key = self.package_key
        if key is None:
            return None
        digits = key.replace("-", "")
        return digits if len(digits) == 11 else None

    @property
    def hyphenated(self) -> str:
        """The segments as written, joined with hyphens."""
        return "-".join(s for s in (self.labeler, self.product, self.package) if s is not None)


def _cut(digits: str, shape: tuple[int, int, int]) -> Ndc:
    first, second = shape[0], shape[0] + shape[1]
    return Ndc(digits[:first], digits[first:second], digits[second:] or None)


def parse_ndc(text: str) -> Ndc:
    """Read one code in any notation.

    Parameters
    ----------
    text : str
        4-4-2, 5-3-2, 5-4-1, 5-4-2 or 6-4-2 with hyphens, with or without the package; eleven or
        twelve digits; nine digits (5-4). A leading "NDC" and blanks are ignored.

    Returns
    -------
    Ndc
        The segments as written.

    Raises
    ------
    AmbiguousNdc
        For ten or eight digits without hyphens; the message and ``candidates`` name the readings.
    InvalidNdc
        For anything else.
    """
    bare = re.sub(r"^\s*NDC\s*[:#]?", "", text.translate(_DASHES), flags=re.IGNORECASE)
    bare = re.sub(r"\s+", "", bare)
    if match := _SEGMENTED.fullmatch(bare):
        found = Ndc(*match.groups())
        if _shape(found) in _SHAPES:
            return found
    elif bare.isascii() and bare.isdigit():
        if len(bare) == 11:
            return _cut(bare, (5, 4, 2))
        if len(bare) == 12:
            return _cut(bare, (6, 4, 2))
        if len(bare) == 9:
            return _cut(bare, (5, 4, 0))
        if len(bare) in (8, 10):
            shapes = _CUTS_OF_TEN if len(bare) == 10 else _CUTS_OF_EIGHT
            raise AmbiguousNdc(text, tuple(_cut(bare, shape) for shape in shapes))
    raise InvalidNdc(
        f"{text!r} is no National Drug Code: write 4-4-2, 5-3-2, 5-4-1, 5-4-2 or 6-4-2 digits with "
        "hyphens, or eleven or twelve digits."
    )


def _shape(code: Ndc) -> tuple[int, int, int]:
    return len(code.labeler), len(code.product), len(code.package or "")


def find_ndcs(text: str) -> list[Ndc]:
    """Codes in running text, such as a recall's description or a presentation.

    A code without a package, or without hyphens, counts only right after the word "NDC": else it
    may be a ZIP code, a lot or a bar code.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    list of Ndc
        In order of appearance, each once.
    """
    found: dict[Ndc, None] = {}
    for match in _IN_TEXT.finditer(text.translate(_DASHES)):
        labeler, product, package, labeler_only, product_only, digits = match.groups()
        if digits:
            code = parse_ndc(digits)
        elif labeler_only:
            code = Ndc(labeler_only, product_only)
        else:
            code = Ndc(labeler, product, package)
        if _shape(code) in _SHAPES:
            found[code] = None
    return list(found)
