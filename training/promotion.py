"""Which trained model the service answers with, and the export of that model."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from shortcast.errors import ShortcastError
from shortcast.features.archive import Archive
from shortcast.settings import settings
from shortcast.training.bundle import Bundle
from shortcast.training.card import model_card
from shortcast.training.promotion_rule import Verdict, judge

_CARD = "MODEL_CARD.md"


class RefusedError(ShortcastError):
    """The rule said no.

    Parameters
    ----------
    message : str
        What the failed checks say, and what to do.
    verdict : dict
        As `promote` gives it.
    """

    def __init__(self, message: str, verdict: dict[str, Any]) -> None:
        super().__init__(message)
        self.verdict = verdict


class Promotion(NamedTuple):
    """A promotion that took place.

    Attributes
    ----------
    bundle : Bundle
        The champion, as exported.
    verdict : dict
        What the rule said (`Verdict.to_dict`), with ``version``, ``champion`` (the version before,
        null if there was none) and ``forced`` (the reason for going against it, or null).
    """

    bundle: Bundle
    verdict: dict[str, Any]


def promote(
    version: str | None = None,
    *,
    force: str = "",
    progress: Callable[[str], None] = lambda message: None,
) -> Promotion:
    """Make a registered version the champion and export it for the service.

    The version is written to a folder of its own, and ``settings().champion`` is a link
    that is then moved to it in one step: a reader finds the old model or the new one whole.
    What the rule said is logged to MLflow first, whatever it said.

    Parameters
    ----------
    version : str, optional
        Version of the registered model; the newest by default.
    force : str
        The reason for promoting whatever the rule says; empty to follow the rule.
    progress : callable
        Told what is being done.

    Returns
    -------
    Promotion
        The champion and the verdict.

    Raises
    ------
    RefusedError
        If the rule says no.
    ShortcastError
        If there is no such version, it was trained on the other kind of records than the
        archive holds, or something else stands where the link belongs.
    """
    # Heavy, and not needed to read the rule.
    from shortcast.training import tracking

    version = version or tracking.latest_version()
    progress(f"Fetching version {version}")
    with tempfile.TemporaryDirectory() as folder:
        bundle = replace(tracking.download_bundle(version, Path(folder)), version=version)
    held = Archive(settings().archive).data()
    if held is not None and held != bundle.data:
        raise ShortcastError(
            f"Version {version} was trained on {bundle.data} records and this home holds {held} "
            "ones; promote a version that was trained here, or train one."
        )
    link = settings().champion
    if link.exists() and not link.is_symlink():
        raise ShortcastError(
            f"{link} is a folder, not the link that `shortcast promote` keeps; move it away."
        )
    progress(f"Judging version {version}")
    champion, said = _judge(bundle, version)
    verdict = {
        "version": version,
        "champion": champion,
        "forced": force or None,
        **said.to_dict(),
    }
    tracking.log_promotion(verdict, bundle.data)
    if not (said.passed or force):
        raise RefusedError(
            f"Version {version} ({bundle.name}) was not promoted. {said.refusal} To serve it "
            'anyway: shortcast promote --force --reason "...".',
            verdict,
        )
    exported = export(bundle, settings().models)
    tracking.set_champion(version)
    _point(link, exported)
    progress(f"Version {version} is the champion")
    return Promotion(bundle, verdict)


def _judge(bundle: Bundle, version: str) -> tuple[str | None, Verdict]:
    """Apply the rule to a version, with the forecasts of both backtests if there are any."""
    from shortcast.training import tracking

    champion = tracking.champion_version(bundle.data)
    if champion is None:
        why = "There is no champion yet; judged against the baselines alone."
        return None, judge(bundle.name, bundle.metrics, why_not=why)
    own, theirs = (tracking.backtest_forecasts(v) for v in (version, champion))
    missing = " and ".join(v for v, found in ((version, own), (champion, theirs)) if found is None)
    why = f"No backtest forecasts are logged for version {missing}; judged against the baselines "
    return champion, judge(bundle.name, bundle.metrics, own, theirs, why_not=f"{why}alone.")


def export(bundle: Bundle, folder: Path) -> Path:
    """Write a bundle and its model card into a folder of its own.

    Parameters
    ----------
    bundle : Bundle
        The model, with its version.
    folder : Path
        Folder of all exported models.

    Returns
    -------
    Path
        The bundle's folder, ``{name}-{version}``; it appears whole or not at all. One that
        holds the same already is kept. One that is damaged stays as it is, for the
        champion may point to it, and the bundle goes to ``{name}-{version}-again-2`` ...
    """
    folder.mkdir(parents=True, exist_ok=True)
    card = model_card(bundle)
    target = folder / f"{bundle.name}-{bundle.version}"
    for number in count(2):
        if not target.exists():
            break
        if _holds(target, bundle, card):
            return target
        target = folder / f"{bundle.name}-{bundle.version}-again-{number}"
    aside = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
    try:
        aside.chmod(0o755)
        bundle.save(aside)
        (aside / _CARD).write_text(card, encoding="utf-8")
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def _holds(folder: Path, bundle: Bundle, card: str) -> bool:
    """Return whether a folder holds this very bundle and model card, undamaged."""
    try:
        return Bundle.load(folder) == bundle and (folder / _CARD).read_text("utf-8") == card
    except (ShortcastError, OSError, LookupError, TypeError, ValueError):
        # Whatever is amiss with it, it is not what is to be exported.
        return False


def _point(link: Path, target: Path) -> None:
    """Move a link to a folder beside it, in one step."""
    aside = link.with_name(f".{link.name}-{os.getpid()}")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target.name, target_is_directory=True)
    aside.replace(link)
