"""Months and days of the simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortcast.features.simulated.parameters import Parameters

Days = NDArray[np.int32]

#: Months past the records' end that shortages may last.
_BEYOND = 12 * 22


@dataclass(frozen=True)
class Calendar:
    """First days of the simulated months, in days since 1970.

    Parameters
    ----------
    starts : array of int
        By month of the simulation, 0 being the first of the burn-in.
    """

    starts: Days

    @classmethod
    def of(cls, parameters: Parameters) -> Calendar:
        """Return the calendar of a simulation."""
        first = np.datetime64(f"{parameters.first_year}-01", "M") - parameters.burn_in_months
        months = first + np.arange(parameters.months + _BEYOND)
        return cls(months.astype("datetime64[D]").astype(np.int32))

    def day_in(self, month: int, share: NDArray[np.floating]) -> Days:
        """Days of a month, by the share of it that has passed (0 to below 1)."""
        length = self.starts[month + 1] - self.starts[month]
        return (self.starts[month] + np.floor(share * length)).astype(np.int32)

    def month_of(self, days: Days) -> Days:
        """Months in which days lie."""
        found = np.searchsorted(self.starts, days, side="right") - 1
        return found.astype(np.int32)
