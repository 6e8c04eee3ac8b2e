"""How the sources word the drugs and the firms of a market."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from shortcast.features.simulated.world import World
from shortcast.features.simulated.writers._dirt import dice

#: Form and route of the product lists (Drugs@FDA, Orange Book) by form group.
LIST_FORMS = {
    "injection": "INJECTABLE;INJECTION",
    "oral-solid": "TABLET;ORAL",
    "oral-liquid": "SOLUTION;ORAL",
    "ophthalmic": "SOLUTION/DROPS;OPHTHALMIC",
    "topical": "CREAM;TOPICAL",
    "inhalation": "SOLUTION;INHALATION",
    "other": "SUPPOSITORY;RECTAL",
}
_PLURALS = {"Tablet": "Tablets", "Suppository": "Suppositories"}
_STATES = {
    "CA": "California", "IL": "Illinois", "NC": "North Carolina", "NJ": "New Jersey",
    "NY": "New York", "OH": "Ohio", "PA": "Pennsylvania", "TX": "Texas", "FL": "Florida",
    "IN": "Indiana",
}  # fmt: skip
_COUNTRIES = {
    "USA": "United States", "IND": "India", "CHN": "China", "DEU": "Germany", "ITA": "Italy",
    "IRL": "Ireland", "CHE": "Switzerland", "ESP": "Spain", "JPN": "Japan",
}  # fmt: skip


@dataclass(frozen=True)
class Words:
    """Texts by row number of the catalogue's tables.

    Parameters
    ----------
    substance : Series of str
        By drug: ``AOZZLE HYDROCHLORIDE; BUMBLE``.
    name : Series of str
        By drug: ``Aozzle Hydrochloride and Bumble``.
    name_and_form : Series of str
        By drug: with the words of its form.
    bare_name : Series of str
        By drug: ``Aozzle and Bumble``.
    list_form : Series of str
        By drug: form and route of the product lists.
    holder : Series of str
        By firm: in capitals, without legal form.
    company : Series of str
        By firm: as the shortage list has it; subsidiaries name their parent.
    telephone : Series of str
        By firm; numbers that are kept for fiction.
    plants : DataFrame
        By plant: ``site`` (name of the firm), ``state``, ``state_name``, ``country_name``.
    """

    substance: pd.Series
    name: pd.Series
    name_and_form: pd.Series
    bare_name: pd.Series
    list_form: pd.Series
    holder: pd.Series
    company: pd.Series
    telephone: pd.Series
    plants: pd.DataFrame

    @classmethod
    def of(cls, world: World) -> Words:
        """Return the words of a market."""
        catalogue = world.catalogue
        drugs, firms = catalogue.drugs, catalogue.firms
        known = catalogue.ingredients.set_index("ingredient")["salt"]
        # A drug has one ingredient or two.
        parts = drugs["ingredients"].str.partition("; ")
        one, other = parts[0], parts[2]
        bare = _joined(one, other, " and ")
        one, other = (
            (name + " " + name.map(known).fillna("").astype("str")).str.strip()
            for name in (one, other)
        )
        full = _joined(one, other, " and ")
        substance = _joined(one.str.upper(), other.str.upper(), "; ")
        form = drugs["form_words"].replace(_PLURALS).astype("str")

        parent = firms["parent"].to_numpy()
        of_parent = firms["name"].to_numpy()[np.maximum(parent, 0)]
        company = np.where(
            parent >= 0,
            (firms["full_name"] + ", a " + of_parent + " company").to_numpy(),
            firms["full_name"].to_numpy(),
        )
        numbers = dice(world, "telephone").integers(100, 200, len(firms))
        plants = catalogue.plants
        return cls(
            substance=substance,
            name=_titled(full),
            name_and_form=_titled(full) + " " + form,
            bare_name=_titled(bare),
            list_form=drugs["form_group"].map(LIST_FORMS).astype("str"),
            holder=firms["name"].str.upper(),
            company=pd.Series(company, dtype="str"),
            telephone="800-555-0" + pd.Series(numbers, dtype="str").str.zfill(3),
            plants=pd.DataFrame(
                {
                    "site": plants["name"],
                    "state": plants["state"],
                    "state_name": plants["state"].map(_STATES).fillna("-").astype("str"),
                    "country_name": plants["country"].map(_COUNTRIES).astype("str"),
                }
            ),
        )


def _joined(one: pd.Series, other: pd.Series, between: str) -> pd.Series:
    return one + (between + other).where(other != "", "")


def _titled(names: pd.Series) -> pd.Series:
    return names.str.title().str.replace(" And ", " and ", regex=False)


def month_ends(world: World) -> list[date]:
    """Return the last days of the records' months."""
    first = np.datetime64(world.starts_on, "M") + 1
    months = np.arange(first, np.datetime64(world.ends_on, "M") + 1)
    return [month.astype("datetime64[D]").item() - timedelta(days=1) for month in months]


def year_ends(world: World) -> list[date]:
    """Return the eve of the records and the last day of each of their years."""
    return [date(year, 12, 31) for year in range(world.starts_on.year - 1, world.ends_on.year)]


def last_day(world: World) -> date:
    """Return the last day of the records."""
    return world.ends_on - timedelta(days=1)
