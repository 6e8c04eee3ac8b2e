"""Form groups: seven kinds of product that do not stand in for one another."""

from __future__ import annotations

import re
from functools import lru_cache

from shortcast.features.identity._text import plain

FORM_GROUPS = (
    "injection",
    "oral-solid",
    "oral-liquid",
    "ophthalmic",
    "topical",
    "inhalation",
    "other",
)
_CACHE = 1 << 17

_INJECT = re.compile(
    r"inject|\binj\b|injctab|liposomal$|lipid complex|lyophili[sz]ed|\binfusion\b|infus|\bvials?\b"
    r"|\bampou?les?\b|\bampuls?\b|prefilled|pre-filled|\bsyringes?\b|auto-?injector|premix|\bpens?\b"
)
_INJECT_ROUTES = re.compile(
    r"intraven|\biv\b|intramusc|\bim\b|subcut|parenteral|intrathec|epidural|infiltrat|perineur"
    r"|intraderm|intra-?artic|intravasc|intra-?arter|intraspin|intracard|retrobulb|intravitre"
    r"|intracavern|intralesion|block|intracaud|subarach|intraperiton.*inject|submucos|percutan"
    r"|intrasyn|intracoron|hemodial|extracorp|spinal|caudal|perfusion|intracameral"
    r"|intralymph|subconjunct|intravent|periartic|interstit|inject|\bsc\b|intraosseous|subretinal"
)
_OTHER_ROUTES = re.compile(
    r"\botic\b|auricular|\bear\b|nasal|rectal|vagin|urethr|irrigat|intrauter|dental|periodont"
    r"|intravesic|intrapleur|intratrach|endotrach|intraperiton|hemodial|extracorp|implant|ureter"
    r"|gingiv|intrasinal|peritoneal|dialysis|endocerv|pyelocal|intragastric|\benteral|nasogast"
    r"|intracavit|intratympan|soft tissue|suppositor|enema|pessar|iontophor|tampon|haemofiltration"
)
_TOPICAL = re.compile(
    r"topical|transderm|(?<!sub)cutaneous|\bcream|ointment|\blotion|\bgels?\b|shampoo|\bfoam|\bpatch"
    r"|\bpaste\b|\bpledget|\bswab|\bointm|\bsoap|\bcloth|\bscalp|\bskin\b|jelly|\bemollient|liniment"
)
_SOLID = re.compile(
    r"tablet|\btabs?\b|capsul|\bcaps?\b|caplet|lozenge|troche|\bgum\b|chewable|\bwafer|pastille"
    r"|\bpellets?\b|sprinkle|softgel|orally disintegrating|odt\b|\bpills?\b"
    r"|sublingual|\bcomprim|\bgelule|\bbar\b"
)
_LIQUID = re.compile(
    r"syrup|elixir|linctus|oral (?:solution|suspension|liquid|concentrate|drops|emulsion|susp|soln)"
    r"|(?:solution|suspension|liquid|drops), oral|for oral (?:solution|suspension)|tincture"
    r"|(?:solution|suspension) buvable|oral drops"
)
_WEAK_LIQUID = re.compile(r"solution|suspension|liquid|emulsion|concentrate|\bdrops\b|\bsirop\b")
_LIQUID_FORM = re.compile(
    r"solution|suspension|syrup|elixir|liquid|emulsion|concentrate|drops|tincture|\boil\b|rinse"
    r"|mouthwash|soln|susp\b|sirop|extract"
)
_OPHTHALMIC = re.compile(r"ophth|\bopth|\beye\b|conjunctiv|intraocular|contact lens|intracameral")
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
    form, path = plain(dosage_form), plain(route)
    if not path and ";" in form:
        form, _, path = (part.strip() for part in form.partition(";"))
    if path:
        return _form_by_route(form, path) or form_in_text(form, hints=True)
    return form_in_text(form, hints=True)


def _form_by_route(form: str, path: str) -> str | None:
    """Form group from a form and a separate route, both plain text."""
    if _IMPLANT.search(form) or ("pellet" in form and re.search(r"subcut|implant", path)):
        return "other"
    if re.search(r"intraperiton|ha?emodial", path) and not re.search(r"intraven|intramusc", path):
        return "other"
    if re.search(r"inject|liposomal|lipid complex|^vial|^syringe|lyophili", form):
        return "injection" if "inhalation" not in path or "inject" in form else "inhalation"
    if re.search(r"tablet|capsule", form) and not re.search(r"vagin|rectal|urethr|inhal", path):
        return "oral-solid"
    if re.search(r"syrup|elixir", form):
        return "oral-liquid"
    if re.search(r"ophthalm|conjunct", path) or (
        "drops" in form and re.search(r"topical|intraocular", path)
    ):
        return "ophthalmic"
    if re.search(r"inhal|respirat|intrabronch", path) or (
        re.search(r"inhal|aerosol, met", form) and not re.search(r"topical|rectal|nasal", path)
    ):
        return "inhalation"
    if _INJECT_ROUTES.search(path) and not re.search(r"dental|transderm|\btopical", path):
        return "injection"
    by_mouth = re.search(r"(?<!peri)oral|sublingual|buccal|mucosal|pharyn|bouche", path)
    if re.search(r"dental|gingiv|periodont", path) or "rinse" in form:
        return "other"
    if _OTHER_ROUTES.search(path) and not by_mouth:
        return "other"
    if by_mouth:
        if re.search(r"spray|aerosol|paste|ointment|\bgel\b|cream|jelly", form):
            return "topical" if "topical" in path else "other"
        if _LIQUID_FORM.search(form):
            return "oral-liquid"
        # Powders and granules are taken mixed with a liquid; sources disagree on "for suspension".
        return "oral-liquid" if re.search(r"powder|granule", form) else "oral-solid"
    if re.search(r"topical|transderm|cutaneous|scalp", path):
        return "topical"
    return None


_NOT_THIS_WAY = re.compile(r"\bnot (?:for|to be)\b[^,;.()]*")
_INJECTED = re.compile(
    r"inject|parenteral|\binj\b|intravenous|intramuscular|subcutaneous (?:use|admin)"
)
_BY_EITHER_END = re.compile(r"oral or rectal|oral topical solution|oral solution[ ,]+rectal")
_SPRAYED_IN_MOUTH = re.compile(r"oral (?:spray|gel|paste|rinse)|mouthwash|buccal system")
_SWALLOWED = re.compile(r"tablet|capsul|caplet")
# Words that settle the matter, in the order in which they do.
_PLAIN_WORDS = (
    (_OPHTHALMIC, "ophthalmic"),
    (_INJECTED, "injection"),
    (_IMPLANT, "other"),
    (_INHALED, "inhalation"),
    (re.compile(r"lyophili"), "injection"),
    (_BY_EITHER_END, "oral-liquid"),
    (_OTHER_ROUTES, "other"),
    (_SPRAYED_IN_MOUTH, "other"),
    (_SWALLOWED, "oral-solid"),
    (_LIQUID, "oral-liquid"),
    (_TOPICAL, "topical"),
    (_SOLID, "oral-solid"),
)
# Words that hint, used where nothing settles it.
_HINTS = (
    (_INJECT, "injection"),
    (re.compile(r"\bbags?\b|sterile"), "injection"),
    (_WEAK_LIQUID, "oral-liquid"),
    (re.compile(r"\bkit\b|\bspray\b|\bstrips?\b|\binserts?\b|\bdevice\b"), "other"),
    (re.compile(r"\bpowder\b|\bgranules?\b"), "oral-liquid"),
    (re.compile(r"\bfilm\b|\boral\b"), "oral-solid"),
)


def form_in_text(text: str, *, hints: bool) -> str | None:
    """Form group named in running text.

    Parameters
    ----------
    text : str
        Plain text (``_text.plain``).
    hints : bool
        Whether words that only hint at a form ("vial", "solution", "powder") count.

    Returns
    -------
    str or None
        One of ``FORM_GROUPS``; None where no word tells.
    """
    text = _NOT_THIS_WAY.sub(" ", text)
    for pattern, group in _PLAIN_WORDS + (_HINTS if hints else ()):
        if pattern.search(text):
            return group
    return None
