"""A home with the tiny records, a small champion and one forecast run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest

from shortcast import jobs
from shortcast.database import engine
from shortcast.features import groups
from shortcast.features.warehouse import open_warehouse
from shortcast.settings import settings
from shortcast.training.bundle import Bundle, BundleFeature
from shortcast.training.calibration import Platt
from shortcast.training.linear import LinearPart

HORIZONS = (3, 6, 12)

Maker = Callable[..., Bundle]


@pytest.fixture(scope="session")
def model_text() -> str:
    """A LightGBM model of all features that was fitted to noise."""
    names = list(groups.features())
    generator = np.random.default_rng(0)
    values = generator.random((200, len(names)))
    labels = (generator.random(200) < 0.3).astype(int)
    data = lgb.Dataset(values, labels, feature_name=names, params={"verbose": -1})
    fixed = {"objective": "binary", "num_leaves": 4, "verbose": -1, "num_threads": 1, "seed": 0}
    return lgb.train(fixed, data, num_boost_round=5).model_to_string()


@pytest.fixture(scope="session")
def make_bundle(model_text: str) -> Maker:
    """``make_bundle(records_checksum, version, data)``: a model that scores the real panel."""

    def make(records_checksum: str = "abc", version: str = "1", data: str = "real") -> Bundle:
        group_of = {f.name: n for n, g in groups.registry().items() for f in g.features}
        return Bundle(
            name="blend",
            version=version,
            data=data,
            horizons=HORIZONS,
            catalogue=tuple(
                BundleFeature(f.name, f.label, group_of[f.name]) for f in groups.features().values()
            ),
            groups={name: group.title for name, group in groups.registry().items()},
            categories={f.name: () for f in groups.features().values() if f.type == "VARCHAR"},
            platt={h: Platt(1.0, 0.1 * h) for h in HORIZONS},
            models={horizon: {"onset": model_text} for horizon in HORIZONS},
            weights={"onset": 1.0},
            linear={horizon: LinearPart(0.0, ()) for horizon in HORIZONS},
            trained_at=datetime(2020, 10, 1, tzinfo=UTC).isoformat(),
            trained_from=date(2015, 1, 1),
            trained_through=date(2020, 4, 1),
            records_end=date(2020, 9, 14),
            records_checksum=records_checksum,
            code_version="0",
        )

    return make


@pytest.fixture(scope="session")
def tiny_checksum(tiny_home: Path) -> str:
    """Checksum of the tiny records."""
    with open_warehouse(settings().model_copy(update={"home": tiny_home})) as connection:
        return jobs.read_records(connection).checksum


@pytest.fixture(scope="session")
def scored_home(
    tiny_home: Path,
    tiny_checksum: str,
    make_bundle: Maker,
    made_once: Callable[[str, Callable[[Path], None]], Path],
) -> Path:
    """The tiny home with a champion and a forecast run: made once, only to be copied."""

    def make(folder: Path) -> None:
        home = folder / "home"
        shutil.copytree(tiny_home, home)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SHORTCAST_HOME", str(home))
            settings.cache_clear()
            make_bundle(tiny_checksum).save(settings().champion)
            jobs.score(date(2022, 1, 1))
            # Closing the last connection moves the write-ahead log into the file.
            engine(settings()).dispose()
        settings.cache_clear()

    return made_once("scored", make) / "home"


@pytest.fixture
def own_scored_home(scored_home: Path, shortcast_home: Path) -> Path:
    """A copy of that home that a test may change; it is the home in force."""
    shutil.copytree(scored_home, shortcast_home)
    return shortcast_home
