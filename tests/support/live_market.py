"""A small made-up market whose records a test server hands out, and homes that fetch from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from official_hosts import Keys
from official_server import OfficialServer

from shortcast.features.simulated import records
from shortcast.features.simulated.parameters import Parameters
from shortcast.features.simulated.writers import shortages
from shortcast.settings import Settings


def made_up_records(folder: Path, *, drugs: int = 60, years: int = 2, seed: int = 5) -> Path:
    """Write the records of a market, with openFDA's list of shortages for all of its months."""
    with pytest.MonkeyPatch.context() as patch:
        # The simulation writes openFDA's JSON for the last months only; here every day has one.
        patch.setattr(shortages, "_JSON_MONTHS", 12 * years)
        return records(Parameters(drugs=drugs, years=years, seed=seed, futures=1000), folder)


@dataclass(frozen=True)
class Keyed:
    """A home that asks a server for everything, with its keys; can be sent to a process."""

    home: Path
    address: str
    keys: Keys = field(default_factory=Keys)

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return Settings.model_validate(
            {
                "home": self.home,
                "fetch_via": self.address,
                "openfda_key": self.keys.openfda,
                "dashboard_user": self.keys.dashboard_user,
                "dashboard_key": self.keys.dashboard_key,
                "canada_user": self.keys.canada_user,
                "canada_password": self.keys.canada_password,
                "threads": 1,
            }
        )


def connected(home: Path, server: OfficialServer) -> Settings:
    """Return the settings of a home that asks the server for everything, with its keys."""
    return Keyed(home, server.address, server.keys).settings
