"""The exported champion as the service reads it, and what it tells of its own quality."""

from __future__ import annotations

import threading

from shortcast.errors import ShortcastError
from shortcast.settings import Settings
from shortcast.training.bundle import Bundle

_DESCRIPTION = "bundle.json"


class ChampionError(ShortcastError):
    """No champion has been exported, or it cannot be read."""


class Champion:
    """The bundle in force; read again when a promotion replaces it.

    Parameters
    ----------
    settings : Settings
        Where it is.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.champion
        self._lock = threading.Lock()
        self._bundle: Bundle | None = None
        self._stamp: tuple[int, int] | None = None

    def bundle(self) -> Bundle:
        """Return the bundle in force.

        Raises
        ------
        ChampionError
            If there is none, or it is damaged.
        """
        with self._lock:
            try:
                status = (self._folder / _DESCRIPTION).stat()
            except OSError as error:
                self._bundle = None
                raise ChampionError(
                    "No model has been promoted yet; run 'shortcast train' and 'shortcast promote'."
                ) from error
            stamp = (status.st_ino, status.st_mtime_ns)
            if self._bundle is None or stamp != self._stamp:
                self._bundle = None
                try:
                    self._bundle = Bundle.load(self._folder)
                except ShortcastError as error:
                    raise ChampionError(str(error)) from error
                except (OSError, ValueError, KeyError, TypeError) as error:
                    raise ChampionError(
                        f"The exported champion cannot be read ({error}); run "
                        "'shortcast promote' to export it again."
                    ) from error
                self._stamp = stamp
            return self._bundle

    def bundle_or_none(self) -> Bundle | None:
        """Return the bundle in force, or None where `bundle` would raise."""
        try:
            return self.bundle()
        except ChampionError:
            return None

    def card(self) -> str:
        """Return the model card, Markdown; '' if the bundle brought none."""
        path = self._folder / "MODEL_CARD.md"
        return path.read_text(encoding="utf-8") if path.is_file() else ""
