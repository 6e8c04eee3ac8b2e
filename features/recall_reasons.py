"""What a recall was for, told from the words of its reason.

The reasons are free text behind a heading of the FDA's ("Lack of Assurance of Sterility: ...",
"CGMP Deviations: ...") with many spellings, so each category is a pattern over the whole text;
one recall may fall in several. The patterns keep to what both Python and DuckDB understand (no
look-around), so that SQL may use them as well:
``regexp_matches(reason_for_recall, '...', 'i')``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

#: Category and the pattern, case ignored, that puts a reason in it.
PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        # "Microbial contamination of non-sterile products" is no doubt about sterility.
        "sterility": (
            r"\bsterilt?i?ty\b|\baseptic|\bmedia fill|\bendotoxin|\bpyrogen"
            r"|\bnot sterile\b|\bto be sterile\b|contamination of (?:an? )?sterile\b"
        ),
        "microbial": (
            r"\bmicrob|\bbacteria(?:l|um)?\b|\bbioburden|\bmou?ld\b|\bfung(?:al|us|i)\b|\byeast"
            r"|\bburkholderia|\bpseudomonas|\bbacillus|\bsalmonella|\bendotoxin"
        ),
        "particulates": (
            r"\bpar?t?iculate|\bparticular matter\b|\bparticles\b|\bprecipitat|\bcrystal"
            r"|\bdelaminat|\bfore?i?e?g?n[ -](?:substance|matter|material|object|particle|bod)"
            r"|\b(?:glass|metal|metallic|rubber|plastic) (?:piece|particle|fragment|shaving|speck)"
        ),
        "cgmp": (
            r"\b(?:c?gmp|ggmp|gcmp|cmgp)s?\b|\bgood manufacturing practice"
            r"|\black of (?:assurance of )?process(?:ing)? control"
        ),
        "subpotent": r"\bsub[- ]?poten|\bsupotent\b|\b(?:low|loss of) potency\b|\blow assay\b",
        "superpotent": r"\bsupt?er[- ]?poten|\bhigh(?:er)? potency\b|\bhigh assay\b",
        "impurities": (
            r"\bimpu[ri]\w*t|\bdegr[ae]dat|\brelated (?:substance|compound)|\bchemical contam"
            r"|\bbenzene\b|\bcarcinogen|\bextraneous peak|\bunknown peak|\bazido\b"
            r"|nitros[ao]|\bndma\b|\bndea\b|\bnmba\b|\bndsri"
        ),
        "nitrosamine": r"nitros[ao]|\bndma\b|\bndea\b|\bnmba\b|\bndsri",
        "cross_contamination": r"\bcross[ -]*contaminat",
        "labeling": (
            r"\blabell?ing\b|\bmis[- ]?label|\bmis[- ]?brand|\blabels? (?:error|mix|illegible)"
            r"|\b(?:incorrect|wrong|missing|illegible) (?:label|barcode|expir|lot|instructions)"
            r"|\bincorrect or missing\b|\bundeclared excipient|\bincorrect excipient"
        ),
        "mix_up": (
            r"\bfore?i?e?g?n (?:tablet|capsule)|\bmix[- ]*up|\bmis[- ]?pack|\bmis[- ]?cart"
            r"|\bco-?mm?ingled|\bmixed strengths|\bwrong id\b|\bout of sequence"
        ),
        "specifications": (
            r"\bdissolution|\bstability\b|\bcontent uniformity|\bdisintegrat|\bdiscolou?r"
            r"|\b(?:ph|moisture|viscosity|conductivity|excipient|tablets?|capsules?|lozenge)"
            r" (?:value|limit|specification)|\bmonograph|\bout[- ]of[- ]+specification|\boos\b"
            r"|\b(?:fail|falied).{0,40}\bspec|\bnot meet\b.{0,30}\bspec|\beffectiveness test"
            r"|\breconstitution time|\bresuspen|\btablet (?:thickness|separation)"
        ),
        "container": (
            r"\bdefective (?:container|delivery)|\bdelivery system|\bshort ?fill|\bunder-?fill"
            r"|\bleak|\bcontainer (?:closure|integrity)|\bpackaging defect|\bmetered dose"
        ),
        "temperature": (
            r"\btemperature (?:abuse|excursion|deviation)|\btemperatures? (?:below|above|outside)"
        ),
        "unapproved": (
            r"\bwithout (?:an? )?(?:un)?(?:approved )?(?:nda|anda|bla)\b|\bunapproved\b|\btainted\b"
        ),
    }
)

#: All categories; ``other`` holds the reasons that no pattern knows.
CATEGORIES: tuple[str, ...] = (*PATTERNS, "other")

_COMPILED = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in PATTERNS.items()}


def reason_categories(text: str | None) -> frozenset[str]:
    """Return the categories of a recall's reason.

    Parameters
    ----------
    text : str or None
        ``reason_for_recall`` as published.

    Returns
    -------
    frozenset of str
        Some of `CATEGORIES`: every category whose pattern occurs in the text, else
        ``other``. Empty where there is no text: no reason was given.

    Examples
    --------
    >>> sorted(reason_categories("Lack of Assurance of Sterility; GMP deviations"))
    ['cgmp', 'sterility']
    """
    if text is None or not text.strip():
        return frozenset()
    found = {name for name, pattern in _COMPILED.items() if pattern.search(text)}
    return frozenset(found or {"other"})
