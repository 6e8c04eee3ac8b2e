"""What goes wrong between a source and whoever fetches from it, drawn from a seed.

Two kinds: what happens on the way to one request (`Fault`), and what is wrong with all that a
source hands out on a day (`DAMAGES`). Both depend on nothing but the seed, the day, the source
and how often it was asked, so that a failure can be played again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from random import Random

#: What can happen to one request.
ON_THE_WAY = ("timeout", "429", "500", "503", "truncated", "html", "clock")
#: What can be wrong with all that a source hands out on a day: half of the rows (and its own
#: total says so, or not), a column of another name, no ``openfda`` block in any record.
DAMAGES = ("half", "halved", "header", "no_openfda")


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    Attributes
    ----------
    kind : str
        One of `ON_THE_WAY`.
    retry_after : int
        Seconds that a 429 or 503 asks to wait.
    share : float
        Share of the body that comes before it breaks off.
    days : int
        By which the clock of the server is off.
    """

    kind: str
    retry_after: int = 0
    share: float = 0.5
    days: int = 0


class NoFaults:
    """All goes well."""

    def on_the_way(self, source: str, day: date, address: str, again: int) -> Fault | None:
        """Return what happens to a request: the n-th for an address on a day."""
        return None

    def damage(self, source: str, day: date) -> str:
        """Return what is wrong with all that a source hands out on a day, or ''."""
        return ""

    def withdrawn(self, source: str, day: date) -> int | None:
        """Return which record a source has taken back on a day (and gives back on the next).

        It is no fault, and happens to whoever asks.
        """
        return None


class Always(NoFaults):
    """One thing goes wrong, with every request for a source or with the first ones.

    Parameters
    ----------
    kind : str
        One of `ON_THE_WAY` or `DAMAGES`.
    source : str
        Of this source, or of all if ''.
    first : int
        Of each address on each day only so many requests.
    """

    def __init__(
        self, kind: str, source: str = "", *, first: int = 10**9, retry_after: int = 0
    ) -> None:
        self.kind, self.source, self.first, self.retry_after = kind, source, first, retry_after

    def on_the_way(self, source: str, day: date, address: str, again: int) -> Fault | None:
        if self.kind not in ON_THE_WAY or self.source not in ("", source) or again > self.first:
            return None
        return Fault(self.kind, self.retry_after, days=-400)

    def damage(self, source: str, day: date) -> str:
        return self.kind if self.kind in DAMAGES and self.source in ("", source) else ""


class Drawn(NoFaults):
    """Faults drawn at random.

    Parameters
    ----------
    seed : int
        Of all draws.
    share : float
        Share of requests to which something happens on the way.
    damaged : float
        Share of days on which what a source hands out is damaged.
    taken_back : float
        Share of days on which a source has taken a record back.
    quiet : sequence of date
        Days on which all goes well, and nothing is taken back.
    stubborn : float
        Share of faults on the way that come again with every try of the day.
    """

    def __init__(
        self,
        seed: int,
        *,
        share: float = 0.05,
        damaged: float = 0.05,
        taken_back: float = 0.05,
        quiet: Sequence[date] = (),
        stubborn: float = 0.3,
    ) -> None:
        self.seed, self.share, self.damaged, self.taken_back = seed, share, damaged, taken_back
        self.quiet, self.stubborn = frozenset(quiet), stubborn

    def _dice(self, *of: object) -> Random:
        return Random("/".join(str(part) for part in (self.seed, *of)))

    def on_the_way(self, source: str, day: date, address: str, again: int) -> Fault | None:
        if day in self.quiet:
            return None
        for nth in range(1, again + 1):
            dice = self._dice("way", day, address, nth)
            if dice.random() < self.share:
                kind = dice.choice(ON_THE_WAY)
                stays = dice.random() < self.stubborn
                if nth == again or stays:
                    return Fault(
                        kind, dice.randint(0, 1), dice.random(), dice.choice((-400, -3, 3, 30))
                    )
        return None

    def damage(self, source: str, day: date) -> str:
        dice = self._dice("damage", day, source)
        if day in self.quiet or dice.random() >= self.damaged:
            return ""
        return dice.choice(DAMAGES)

    def withdrawn(self, source: str, day: date) -> int | None:
        dice = self._dice("withdrawn", day, source)
        if day in self.quiet or dice.random() >= self.taken_back:
            return None
        return dice.randrange(10**6)
