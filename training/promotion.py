"""Which trained model the service answers with, and the export of that model."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from shortcast.errors import ShortcastError
from shortcast.features.archive import Archive
from shortcast.settings import settings
from shortcast.training.bundle import Bundle
from shortcast.training.card import model_card

#: Horizon that the rule looks at, in months.
HORIZON = 6
_CARD = "MODEL_CARD.md"
#: Models that a challenger must beat in average precision.
MUST_BEAT = ("past_listings", "points")


def check_challenger(name: str, metrics: Mapping[str, Any]) -> None:
    """Refuse a challenger that is not better than what anyone can count by hand.

    Parameters
    ----------
    name : str
        Name of the challenger among the models of the backtest.
    metrics : mapping
        The bundle's ``metrics``.

    Raises
    ------
    ShortcastError
        If there is no backtest, or the challenger's average precision at 6 months does not
        exceed that of the count of past listings and of the points rule.
    """
    models = metrics.get("horizons", {}).get(str(HORIZON), {}).get("models", {})
    if name not in models:
        raise ShortcastError(
            f"No backtest of these records says how good {name} is at {HORIZON} months; run "
            "`shortcast backtest`, then `shortcast train`, or promote with --force."
        )
    own = models[name]["ap"] or 0.0
    for rival in MUST_BEAT:
        other = models[rival]["ap"] or 0.0
        if own <= other:
            raise ShortcastError(
                f"{name} was not promoted: its average precision at {HORIZON} months is "
                f"{own:.4f}, that of {rival} {other:.4f}. Promote with --force to serve it anyway."
            )


def promote(
    version: str | None = None,
    *,
    force: bool = False,
    progress: Callable[[str], None] = lambda message: None,
) -> Bundle:
    """Make a registered version the champion and export it for the service.

    The version is written to a folder of its own, and ``settings().champion`` is a link
    that is then moved to it in one step: a reader finds the old model or the new one whole.

    Parameters
    ----------
    version : str, optional
        Version of the registered model; the newest by default.
    force : bool
        Promote even if the rule of `check_challenger` says no.
    progress : callable
        Told what is being done.

    Returns
    -------
    Bundle
        The champion, as exported.

    Raises
    ------
    ShortcastError
        If there is no such version, it was trained on the other kind of records than the
        archive holds, the rule says no, or something else stands where the link belongs.
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
    if not force:
        check_challenger(bundle.name, bundle.metrics)
    link = settings().champion
    if link.exists() and not link.is_symlink():
        raise ShortcastError(
            f"{link} is a folder, not the link that `shortcast promote` keeps; move it away."
        )
    exported = export(bundle, settings().models)
    tracking.set_champion(version)
    _point(link, exported)
    progress(f"Version {version} is the champion")
    return bundle


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
