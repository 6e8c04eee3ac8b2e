"""What stays as it is in the made-up market: drugs, firms and plants with their traits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortcast.features.identity.forms import FORM_GROUPS
from shortcast.features.simulated.parameters import Parameters

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

#: Most makers of one drug.
MAX_MAKERS = 10
#: Units of capacity that a month's ordinary demand takes.
DEMAND = 10

#: Shares of the form groups among prescription drugs, in the order of `FORM_GROUPS` (Orange Book
#: of November 2024, counted), and the makers of those with several, against the mean of all.
FORM_SHARES = (0.25, 0.46, 0.12, 0.04, 0.06, 0.024, 0.046)
#: Failures of each form group against oral solids, sterility apart (`Parameters.sterile_factor`);
#: tuned to the onset rates by form of the shortage list (docs/features.md, `form_group`).
FORM_HARDNESS = (1.0, 1.0, 0.8, 1.3, 0.4, 1.2, 0.4)
#: Spread (log) of what makes a class, and a drug within it, harder to make than others.
_CLASS_SPREAD, _DRUG_SPREAD = 0.2, 0.1
#: Usual log price in dollars a unit of injections and of other drugs, and its spread.
_PRICE_INJECTION, _PRICE_OTHER, PRICE_SPREAD = 2.6, 0.6, 1.3
_DRUGS_PER_CLASS = 20
#: Spread of the quality to which plants return, and of each plant's quality about it.
MEAN_SPREAD, QUALITY_SPREAD = 1.0, 0.6
#: How much lower the quality of sterile plants is, on average.
STERILE_HARDER = 0.4
_INJECTION = FORM_GROUPS.index("injection")
_OPHTHALMIC = FORM_GROUPS.index("ophthalmic")


@dataclass(frozen=True)
class Design:
    """Traits of drugs and plants; one element a drug, a plant or a firm.

    Parameters
    ----------
    form : array of int
        Position in `FORM_GROUPS`, by drug.
    sterile, injection : array of bool
        By drug.
    drug_class : array of int
        Class of each drug.
    base_log_price : array of float
        Log of the price in dollars a unit at which a drug would sell with one maker.
    usual_log_price : array of float
        What is usual for its form, by drug.
    complexity : array of float
        Factor of a drug's failures: some forms, classes and drugs are harder to make.
    slack : array of float
        Capacity of all makers against ordinary demand once the market has settled.
    makers_target : array of int
        Makers that the market has room for.
    sold_in_canada, sold_in_england : array of bool
        By drug.
    plant_firm : array of int
        Firm that owns each plant.
    plant_sterile, plant_foreign : array of bool
        By plant.
    plant_mean : array of float
        Quality to which a plant returns (standard deviation `MEAN_SPREAD`).
    pools : tuple of arrays of int
        Plants that make non-sterile and sterile drugs; a plant stands in it as often as its size.
    firms, classes, worlds : int
        Counts; `worlds` is the number of copies that `repeated` made.
    """

    form: Ints
    sterile: Bools
    injection: Bools
    drug_class: Ints
    base_log_price: Floats
    usual_log_price: Floats
    complexity: Floats
    slack: Floats
    makers_target: Ints
    sold_in_canada: Bools
    sold_in_england: Bools
    plant_firm: Ints
    plant_sterile: Bools
    plant_foreign: Bools
    plant_mean: Floats
    pools: tuple[Ints, Ints]
    firms: int
    classes: int
    worlds: int = 1

    @property
    def drugs(self) -> int:
        """Drugs, all copies together."""
        return len(self.form)

    @property
    def plants(self) -> int:
        """Plants, all copies together."""
        return len(self.plant_firm)

    def repeated(self, worlds: int) -> Design:
        """Return the same market several times over, side by side.

        Parameters
        ----------
        worlds : int
            How many copies. The plants of copy k are numbered from k times their count on.

        Returns
        -------
        Design
            With every array repeated; no drug shares a plant or class with another copy's.
        """

        def many(values: NDArray[np.generic], offset: int = 0) -> NDArray[np.generic]:
            tiled = np.tile(values, worlds)
            if offset:
                tiled = tiled + np.repeat(
                    np.arange(worlds, dtype=values.dtype) * offset, len(values)
                )
            return tiled

        repeated = {
            name: many(value) for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        repeated["drug_class"] = many(self.drug_class, self.classes)
        repeated["plant_firm"] = many(self.plant_firm, self.firms)
        return Design(
            **repeated,  # pyright: ignore[reportArgumentType]
            pools=self.pools,
            firms=self.firms * worlds,
            classes=self.classes * worlds,
            worlds=worlds,
        )


def make_design(parameters: Parameters, rng: np.random.Generator) -> Design:
    """Draw the traits of a market.

    Parameters
    ----------
    parameters : Parameters
        Size and rates.
    rng : Generator
        Source of chance.

    Returns
    -------
    Design
    """
    drugs = parameters.drugs
    shares = np.array(FORM_SHARES)
    form = rng.choice(len(FORM_GROUPS), size=drugs, p=shares / shares.sum()).astype(np.int32)
    injection = form == _INJECTION
    sterile = injection | (form == _OPHTHALMIC)
    several = np.minimum(1 + rng.geometric(parameters.makers_geometric, drugs), MAX_MAKERS)
    target = np.where(rng.random(drugs) < parameters.single_source_share, 1, several)
    # Where one maker is alone it is mostly an originator, with the price of one.
    usual = np.where(injection, _PRICE_INJECTION, _PRICE_OTHER)
    price = rng.normal(usual, PRICE_SPREAD) + np.where(target == 1, 1.5, 0.0)
    classes = max(1, drugs // _DRUGS_PER_CLASS)
    drug_class = rng.integers(classes, size=drugs, dtype=np.int32)
    complexity = np.array(FORM_HARDNESS)[form] * np.where(sterile, parameters.sterile_factor, 1.0)
    complexity *= np.exp(
        rng.normal(0.0, _CLASS_SPREAD, classes)[drug_class] + rng.normal(0.0, _DRUG_SPREAD, drugs)
    )

    firms = max(8, round(drugs / parameters.drugs_per_firm))
    plants = max(round(1.1 * firms), round(target.sum() / parameters.products_per_plant))
    plant_sterile = rng.random(plants) < max(0.1, target[sterile].sum() / target.sum())
    plant_sterile[:2] = True, False
    weight = np.exp(rng.normal(0.0, 0.6, firms))
    plant_firm = np.concatenate(
        [np.arange(firms), rng.choice(firms, plants - firms, p=weight / weight.sum())]
    )
    size = np.clip(np.round(3 * np.exp(rng.normal(0.0, 0.5, plants))), 1, 12).astype(np.int64)

    def pool(kind: bool) -> Ints:
        return np.repeat(
            np.arange(plants)[plant_sterile == kind], size[plant_sterile == kind]
        ).astype(np.int32)

    return Design(
        form=form,
        sterile=sterile,
        injection=injection,
        drug_class=drug_class,
        base_log_price=price.astype(np.float32),
        usual_log_price=usual.astype(np.float32),
        complexity=complexity.astype(np.float32),
        slack=(1.2 + rng.normal(0.0, 0.005, drugs)).astype(np.float32),
        makers_target=target.astype(np.int32),
        sold_in_canada=rng.random(drugs) < 0.85,
        sold_in_england=(rng.random(drugs) < 0.5) & ~injection,
        plant_firm=plant_firm.astype(np.int32),
        plant_sterile=plant_sterile,
        plant_foreign=rng.random(plants) < parameters.foreign_share,
        plant_mean=(
            rng.normal(0.0, MEAN_SPREAD, plants) - np.where(plant_sterile, STERILE_HARDER, 0.0)
        ).astype(np.float32),
        pools=(pool(False), pool(True)),
        firms=firms,
        classes=classes,
    )
