"""What one source's fetch works with, and what it brings."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar

from shortcast.features.archive import Archive, Snapshot, checksum
from shortcast.features.fetching.client import Client, FetchError, Page, Validators
from shortcast.features.fetching.memory import Memory
from shortcast.features.kind import data_of, official_name
from shortcast.features.sources.contract import Source
from shortcast.features.sources.fetching import Fetching

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """One file of a snapshot.

    Attributes
    ----------
    name : str
        Official name, without the mark of simulated records.
    path : Path
        Where it lies; in the archive if it has not changed.
    sha256 : str
        Its checksum.
    address : str
        Official address it came from.
    simulated : bool
        Whether its records are made up.
    validators : Validators or None
        To ask next time whether it has changed; None where the server cannot tell.
    """

    name: str
    path: Path
    sha256: str
    address: str
    simulated: bool
    validators: Validators | None = None


@dataclass(frozen=True)
class Delivery:
    """What a source handed out for one day.

    Attributes
    ----------
    as_of : date
        Day of the snapshot.
    parts : tuple of Part
        All of its files.
    total : int or None
        Records that the source says it has.
    short : tuple of str
        What is missing by the source's own account, one sentence each.
    is_past : bool
        A capture of the past: not held against the snapshots beside it, which may lie far off.
    is_part : bool
        Only what is new of a record of events: its rows are not counted against those of the
        last snapshot, which may have held a year.
    """

    as_of: date
    parts: tuple[Part, ...]
    total: int | None = None
    short: tuple[str, ...] = ()
    is_past: bool = False
    is_part: bool = False


@dataclass
class Errand:
    """The fetch of one source.

    Attributes
    ----------
    source : Source
        What is fetched.
    fetching : Fetching
        Its description.
    client : Client
        Asks.
    memory : Memory
        What the last fetch learnt.
    archive : Archive
        Where it is to go.
    held : list of Snapshot
        What the archive holds of the source, oldest first.
    folder : Path
        Where downloads lie; kept from run to run, so that a killed one goes on.
    today : date
        The day of the run.
    keys : mapping of str to str
        Those keys of the settings that the source is asked with.
    tell : callable
        Told one line of progress.
    """

    source: Source
    fetching: Fetching
    client: Client
    memory: Memory
    archive: Archive
    held: list[Snapshot]
    folder: Path
    today: date
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    tell: Callable[[str], None] = lambda _: None

    @property
    def newest(self) -> Snapshot | None:
        """The newest snapshot that the archive holds."""
        return self.held[-1] if self.held else None

    def holds(self, day: date) -> bool:
        """Return whether the archive holds a snapshot of a day, all of whose files are whole."""
        of_day = (snapshot for snapshot in self.held if snapshot.as_of == day)
        return any(all(map(self.archive.is_whole, snapshot.files)) for snapshot in of_day)

    def download(
        self,
        address: str,
        name: str,
        *,
        headers: Mapping[str, str] | None = None,
        anew: bool = False,
        within: str = "",
    ) -> Part:
        """Fetch a file, or take it from the archive if it has not changed.

        Parameters
        ----------
        address : str
            Official address.
        name : str
            Official name that it shall have in the archive.
        headers : mapping of str to str, optional
            Keys.
        anew : bool
            Fetch it even if it has not changed: for a file that is made into another one.
        within : str
            What every address that we are sent on to must begin with.

        Returns
        -------
        Part

        Raises
        ------
        FetchError
            If it does not come.
        """
        known = None if anew else self.memory.known(address, self.newest)
        if known is not None and not self.archive.is_whole(known[1]):
            known = None  # lost from the archive, or damaged: it must come again
        found = self.client.download(
            address,
            self.folder / name,
            most=self.fetching.size[1],
            known=known[0] if known else None,
            headers=headers,
            within=within,
        )
        if found is None:
            assert known is not None
            validators, held = known
            path = self.archive.path(held)
            simulated = data_of(held.file) == "simulated"
            return Part(official_name(held.file), path, held.sha256, address, simulated, validators)
        return Part(name, found.path, found.sha256, address, found.simulated, found.validators)

    def pack(self, part: Part) -> Part:
        """Pack a downloaded file; the same bytes make the same packed ones.

        Parameters
        ----------
        part : Part
            As it came, downloaded anew.

        Returns
        -------
        Part
            Of the same name with ``.gz`` behind it.
        """
        path = self.folder / f"{part.name}.gz"
        with (
            part.path.open("rb") as read,
            path.open("wb") as stream,
            gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as packed,
        ):
            shutil.copyfileobj(read, packed, 1 << 20)
        part.path.unlink()
        return Part(path.name, path, checksum(path), part.address, part.simulated)

    def text(self, address: str) -> str:
        """Return a small page of text, such as one that links to files.

        Parameters
        ----------
        address : str
            Official address.

        Returns
        -------
        str

        Raises
        ------
        FetchError
            If it does not come.
        """
        part = self.download(address, ".page-text", anew=True)
        text = part.path.read_bytes().decode("utf-8", errors="replace")
        part.path.unlink()
        return text

    def write(self, name: str, raw: bytes, address: str, *, simulated: bool) -> Part:
        """Lay down a file that was put together from several answers.

        Parameters
        ----------
        name : str
            Official name that it shall have in the archive.
        raw : bytes
            Its content, not packed yet: the same answers must make the same bytes. It is packed
            where the name ends in ``.gz``.
        address : str
            Where the answers came from.
        simulated : bool
            Whether their records are made up.

        Returns
        -------
        Part

        Raises
        ------
        FetchError
            If the answers repeat a key.
        """
        if self.client.secrets.are_in(raw):
            raise FetchError(
                f"{address} repeats the key that it was asked with, so its answers are not kept; "
                "look at the source."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        path.write_bytes(gzip.compress(raw, mtime=0) if name.endswith(".gz") else raw)
        return Part(name, path, checksum(path), address, simulated)

    def kept_page(self, name: str, ask: Callable[[], Page], read: Callable[[Page], T]) -> T:
        """Ask for a page, unless an earlier run of the same day did before it was killed.

        Only a page that can be read is kept: one that refuses a key must not outlast the key.

        Parameters
        ----------
        name : str
            What tells the page from the others of the source.
        ask : callable
            Asks for it.
        read : callable
            Reads it; raises `FetchError` if it is not what it should be.

        Returns
        -------
        Any
            As it was read.
        """
        path = self.folder / f".page-{self.today}-{name}.json"
        try:
            return read(Page(**json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError, FetchError):
            page = ask()
        found = read(page)
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".partial")
        text = json.dumps(vars(page))
        if not self.client.secrets.are_in(text.encode()):
            aside.write_text(text, encoding="utf-8")
            aside.replace(path)
        return found

    def forget_pages(self) -> None:
        """Delete the pages that were kept."""
        for path in self.folder.glob(".page-*"):
            path.unlink()


def one_kind(parts: tuple[Part, ...]) -> bool | None:
    """Return whether the parts are simulated; None if only some of them are."""
    kinds = {part.simulated for part in parts}
    return kinds.pop() if len(kinds) == 1 else None
