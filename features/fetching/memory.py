"""What the last fetch learnt: by what each server tells that nothing has changed.

Losing it costs downloads, never records: it is believed only as far as the archive holds what
it speaks of.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from shortcast.features.archive import ArchivedFile, Snapshot
from shortcast.features.fetching.client import Validators
from shortcast.features.fetching.secrets import Secrets


class Memory:
    """A small file of validators and days.

    Parameters
    ----------
    path : Path
        The file; it need not be there.
    secrets : Secrets
        Keys that must not be written.
    """

    def __init__(self, path: Path, secrets: Secrets) -> None:
        self._path, self._secrets = path, secrets
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            held = {}
        self._held: dict[str, Any] = held if isinstance(held, dict) else {}

    def _part(self, name: str) -> dict[str, Any]:
        part = self._held.setdefault(name, {})
        if not isinstance(part, dict):
            part = self._held[name] = {}
        return part

    def known(
        self, address: str, newest: Snapshot | None
    ) -> tuple[Validators, ArchivedFile] | None:
        """Return by what to ask whether the file under an address has changed.

        Parameters
        ----------
        address : str
            Official address.
        newest : Snapshot or None
            The newest snapshot that the archive holds of the source.

        Returns
        -------
        tuple of Validators and ArchivedFile, or None
            None unless the newest snapshot holds the very file that was fetched from there.
        """
        note = self._part("addresses").get(address)
        if not isinstance(note, Mapping) or newest is None:
            return None
        held = next((f for f in newest.files if f.sha256 == note.get("sha256")), None)
        validators = Validators(str(note.get("etag", "")), str(note.get("last_modified", "")))
        if held is None or validators == Validators():
            return None
        return validators, held

    def learn(self, address: str, validators: Validators, sha256: str) -> None:
        """Note by what to ask next time, of a file that is in the archive.

        Parameters
        ----------
        address : str
            Official address.
        validators : Validators
            As the server gave them.
        sha256 : str
            The file's checksum.
        """
        self._part("addresses")[address] = {**vars(validators), "sha256": sha256}

    def confirmed(self, source: str) -> date | None:
        """Return the last day on which a source was fetched, or found unchanged."""
        try:
            return date.fromisoformat(self._part("confirmed")[source])
        except (LookupError, ValueError, TypeError):
            return None

    def confirm(self, source: str, day: date) -> None:
        """Note that a source was fetched, or found unchanged, on a day."""
        self._part("confirmed")[source] = day.isoformat()

    def count(self, host: str, day: date) -> int:
        """Count one more request to a host, and return how many there were on this day."""
        asked = self._part("asked")
        last = asked.get(host)
        so_far = last[1] if isinstance(last, list) and last[:1] == [day.isoformat()] else 0
        asked[host] = [day.isoformat(), so_far + 1]
        return so_far + 1

    def save(self) -> None:
        """Write it aside and swap it in."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        aside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        text = self._secrets.hide(json.dumps(self._held, sort_keys=True, indent=1))
        try:
            aside.write_text(text, encoding="utf-8")
            os.replace(aside, self._path)
        finally:
            aside.unlink(missing_ok=True)
