"""A small made-up market: a warehouse file, a champion, and forecast runs in the log."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pandas as pd
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from shortcast.database import engine, migrate, session
from shortcast.features import panel
from shortcast.features.asof import AsOf
from shortcast.monitoring import forecast_log
from shortcast.monitoring.forecast_log import NewRun
from shortcast.monitoring.job_runs import record
from shortcast.serving.alerts import refresh_alerts
from shortcast.serving.app import create_app
from shortcast.settings import Settings
from shortcast.training.bundle import Bundle, BundleFeature
from shortcast.training.calibration import Platt
from shortcast.training.linear import LinearPart

#: Made-up drugs with their 6-month scores, highest first.
SCORES = {
    "velorane--injection": 0.21,
    "mistrafen+oxadol--oral-solid": 0.084,
    "quintaline--injection": 0.031,
    "brevosol--ophthalmic": 0.004,
}
NAMES = {
    "velorane--injection": "Velorane",
    "mistrafen+oxadol--oral-solid": "Mistrafen and oxadol",
    "quintaline--injection": "Quintaline",
    "brevosol--ophthalmic": "Brevosol",
    "soranide--inhalation": "Soranide",
}
IN_SHORTAGE = ("soranide--inhalation",)

REASONS: list[dict[str, Any]] = [
    {
        "group": "history",
        "title": "Shortage history",
        "direction": "raises",
        "contribution": 1.1,
        "phrases": ["shortages before: 3", "months since the last shortage: 14"],
    },
    {
        "group": "prices",
        "title": "Prices",
        "direction": "lowers",
        "contribution": -0.4,
        "phrases": ["price per unit in dollars: 4.10"],
    },
]
COMPLETENESS: dict[str, Any] = {
    "share": 0.5,
    "groups": [
        {"group": "history", "title": "Shortage history", "known": True, "why": ""},
        {"group": "prices", "title": "Prices", "known": False, "why": "not covered by the source"},
    ],
}
METRICS: dict[str, Any] = {
    "horizons": {
        "6": {
            "prevalence": 0.0071,
            "positives": 220,
            "rows": 31000,
            "as_of_first": "2020-07-01",
            "as_of_last": "2022-03-01",
            "models": {
                "blend": {
                    "roc_auc": 0.81,
                    "ap_over_prevalence": 9.1,
                    "precision_at_50": 0.12,
                    "precision_at_50_interval": [0.08, 0.17],
                    "calibration_slope": 1.02,
                    "observed_over_expected": 0.8,
                    "observed_over_expected_interval": [0.62, 1.04],
                    "brier_skill": 0.016,
                    "events_at_50": {"events": 60, "caught": 21},
                },
                "past_listings": {"precision_at_50": 0.09},
            },
        }
    }
}
EVIDENCE = [
    {
        "group": "history",
        "event_date": pd.Timestamp(2021, 3, 4),
        "known_from": pd.Timestamp(2021, 3, 5),
        "summary": "listed as in shortage by Nordfell Pharma",
        "source": "fda_shortages",
        "source_file": "shortages.csv",
        "source_row": 118,
    },
    {
        "group": "recalls",
        "event_date": pd.NaT,
        "known_from": pd.Timestamp(2020, 1, 9),
        "summary": "recall, class II",
        "source": "no_such_source",
        "source_file": "recalls.json",
        "source_row": 7,
    },
]


@cache
def warehouse_bytes(data: str, drug_id: str) -> bytes:
    """Return a warehouse file with the tables that the service reads, made once a session."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        _fill_warehouse(path, data, drug_id)
        return path.read_bytes()


@cache
def database_bytes() -> bytes:
    """Return an empty application database, made once a session."""
    with TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        migrate(settings)
        # Closing the last connection moves the write-ahead log into the file.
        engine(settings).dispose()
        return (settings.home / "shortcast.db").read_bytes()


def _fill_warehouse(path: Path, data: str, drug_id: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            f"""
            CREATE TABLE build AS SELECT 'f' AS fingerprint, '2022-05-02T04:00:00+00:00' AS
                built_at, '0.1.0' AS code_version, '{data}' AS data, 'abc' AS records_checksum;
            CREATE TABLE drugs AS SELECT '{drug_id}' AS drug_id;
            CREATE TABLE drug_ndcs AS
            SELECT * FROM (VALUES
                ('01234-0567', '{drug_id}', 'Veloran', 'velorane', 'Nordfell Pharma',
                 DATE '2019-01-01', CAST(NULL AS DATE), FALSE),
                ('12345-0678', '{drug_id}', 'Veloran Old', 'velorane', 'Nordfell Pharma',
                 DATE '2018-01-01', DATE '2020-01-01', FALSE),
                ('12345-0678', '{drug_id}', 'Veloran Old', 'velorane', 'Nordfell Pharma',
                 DATE '2020-01-01', NULL, TRUE)
            ) AS t(product_key, drug_id, proprietary_name, nonproprietary_name, labeler_name,
                   known_from, known_until, withdrawn);
            CREATE TABLE snapshots AS
            SELECT * FROM (VALUES
                ('fda_shortages', DATE '2022-05-01', 1, 100, 'c', 1500, 3, 'accepted', ''),
                ('fda_shortages', DATE '2022-05-08', 1, 10, 'd', 0, 0, 'refused', 'It is HTML.')
            ) AS t(source, as_of, files, bytes, checksum, rows, rejected, state, reason);
            CREATE TABLE quarantine AS
            SELECT 'fda_shortages' AS source, DATE '2022-05-01' AS as_of, 'shortages.csv' AS file,
                   row, 'change_date' AS "column", '2108' AS value, 'a date in the future' AS reason
            FROM range(3) AS t(row);
            CREATE TABLE coverage AS
            SELECT 'listings to drugs' AS join_name, 'shortage rows that reach a drug' AS
                description, 1500 AS rows, 1490 AS matched, 0.9933 AS share, 0.98 AS floor;
            CREATE TABLE drug_discontinuations (drug_id VARCHAR, firm_id VARCHAR, company_name
                VARCHAR, event_date DATE, known_from DATE, known_until DATE);
            """
        )


def make_bundle(
    folder: Path, *, version: str = "3", data: str = "real", metrics: dict[str, Any] | None = None
) -> None:
    """Export a champion whose models are never asked to score."""
    Bundle(
        name="blend",
        version=version,
        data=data,
        horizons=(3, 6, 12),
        catalogue=(BundleFeature("listings_before", "shortages before", "history"),),
        groups={"history": "Shortage history"},
        categories={},
        platt={h: Platt(1.0, 0.0) for h in (3, 6, 12)},
        models={horizon: {"onset": ""} for horizon in (3, 6, 12)},
        weights={"onset": 1.0},
        linear={horizon: LinearPart(0.0, ()) for horizon in (3, 6, 12)},
        trained_at="2022-05-01T03:00:00+00:00",
        trained_from=date(2015, 1, 1),
        trained_through=date(2021, 9, 1),
        records_end=date(2022, 4, 30),
        records_checksum="abcdef0123456789",
        code_version="0.1.0",
        metrics=METRICS if metrics is None else metrics,
    ).save(folder)
    (folder / "MODEL_CARD.md").write_text("# Model card\n", encoding="utf-8")


class Market:
    """The state of an installation, and how to add to it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        if not settings.home.exists():
            settings.home.mkdir(parents=True)
            (settings.home / "shortcast.db").write_bytes(database_bytes())

    def add_run(
        self,
        as_of: date,
        scores: Mapping[str, float] = SCORES,
        in_shortage: Sequence[str] = IN_SHORTAGE,
        *,
        names: Mapping[str, str] = NAMES,
        version: str = "3",
        data: str = "real",
        records: str = "abcdef0123456789",
        reasons: list[dict[str, Any]] = REASONS,
        made_on: date | None = None,
        learnt_until: date | None = None,
    ) -> int:
        """Append a run: 3 months at half of the 6-month score, 12 months at 1.5 times."""
        ordered = sorted(scores, key=lambda drug: (-scores[drug], drug))
        forecasts = pd.DataFrame(
            [
                {
                    "drug_id": drug,
                    "as_of": as_of,
                    "horizon_months": horizon,
                    "score": scores[drug] * factor,
                    "rank": rank,
                }
                for horizon, factor in ((3, 0.5), (6, 1.0), (12, 1.5))
                for rank, drug in enumerate(ordered, start=1)
            ]
        )
        details = pd.DataFrame(
            [
                {
                    "drug_id": drug,
                    "name": names.get(drug, drug),
                    "form_group": drug.rsplit("--", 1)[-1],
                    "in_shortage": drug in in_shortage,
                    "reasons": reasons if drug in scores else [],
                    "completeness": COMPLETENESS,
                }
                for drug in (*ordered, *in_shortage)
            ]
        )
        run = NewRun(
            as_of=as_of,
            model_name="blend",
            model_version=version,
            data=data,
            records_checksum=records,
            code_version="0.1.0",
            model_records_end=learnt_until or as_of - timedelta(days=1),
            made_at=datetime.combine(made_on or as_of, time(6), UTC),
        )
        return forecast_log.append(run, forecasts, details, settings=self.settings)

    def write_warehouse(self, *, data: str = "real", drug_id: str = "velorane--injection") -> None:
        """Swap in a warehouse that knows one drug."""
        aside = self.settings.home / "warehouse.building"
        aside.write_bytes(warehouse_bytes(data, drug_id))
        aside.replace(self.settings.warehouse)

    def export_champion(self, version: str = "3", **changes: Any) -> None:
        """Export a champion; see `make_bundle`."""
        make_bundle(self.settings.champion, version=version, **changes)

    def refresh(self, run_id: int) -> dict[str, int]:
        """Refresh alerts by a run, on the market's own warehouse."""
        with (
            duckdb.connect(str(self.settings.warehouse), read_only=True) as warehouse,
            session(self.settings) as writing,
        ):
            return refresh_alerts(writing, run_id, warehouse)

    def left_alone(self) -> Path:
        """Close its database, so that the files of its home can be copied; return the home."""
        # Closing the last connection moves the write-ahead log into the file.
        engine(self.settings).dispose()
        return self.settings.home


@pytest.fixture
def bare_market(shortcast_home: Path) -> Market:
    """An installation with an empty application database and nothing else."""
    return Market(Settings(home=shortcast_home))


@pytest.fixture(scope="session")
def whole_market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an installation with a warehouse, a champion and two runs: to be copied."""
    made = Market(Settings(home=tmp_path_factory.mktemp("market") / "home"))
    made.write_warehouse()
    made.export_champion()
    made.add_run(date(2022, 4, 1), dict.fromkeys(NAMES, 0.01), ())
    made.add_run(date(2022, 5, 1))
    return made.left_alone()


@pytest.fixture
def market(whole_market: Path, shortcast_home: Path) -> Market:
    """An installation with a warehouse, a champion and two runs."""
    shutil.copytree(whole_market, shortcast_home)
    return Market(Settings(home=shortcast_home))


@pytest.fixture(scope="session")
def simulated_market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a whole installation on made-up records: to be copied."""
    made = Market(Settings(home=tmp_path_factory.mktemp("simulated") / "home"))
    made.write_warehouse(data="simulated")
    made.export_champion(data="simulated")
    made.refresh(made.add_run(date(2022, 5, 1), data="simulated"))
    with record("score", date(2022, 5, 1), settings=made.settings) as recorder:
        recorder.message = "All drugs at risk scored."
    return made.left_alone()


@pytest.fixture
def simulated(simulated_market: Path, shortcast_home: Path, read_evidence: object) -> Market:
    """A whole installation on made-up records."""
    shutil.copytree(simulated_market, shortcast_home)
    return Market(Settings(home=shortcast_home))


def _stand_in_for_evidence(patch: pytest.MonkeyPatch) -> list[tuple[str, date]]:
    """Let the panel's evidence be `EVIDENCE`; return the list of what is asked for."""
    asked: list[tuple[str, date]] = []

    def evidence(
        connection: duckdb.DuckDBPyConnection, drug_id: str, as_of: date, *, view: AsOf
    ) -> list[dict[str, object]]:
        assert view.connection is connection
        connection.execute("SELECT * FROM drugs").fetchall()
        asked.append((drug_id, as_of))
        return [dict(row) for row in EVIDENCE]

    patch.setattr(panel, "evidence", evidence)
    patch.setattr(panel, "prepare", lambda view: None)
    return asked


@pytest.fixture
def read_evidence(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, date]]:
    """Stand in for the panel's evidence, and note what was asked for."""
    return _stand_in_for_evidence(monkeypatch)


@pytest.fixture
def app(market: Market, read_evidence: list[tuple[str, date]]) -> FastAPI:
    """The application on the made-up market."""
    return create_app(market.settings)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client of the application; a defect is answered, not raised."""
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def client_of() -> Iterator[Callable[[Market], TestClient]]:
    """Make clients of other markets, closed at the end."""
    opened: list[TestClient] = []

    def make(market: Market) -> TestClient:
        client = TestClient(create_app(market.settings), raise_server_exceptions=False)
        opened.append(client.__enter__())
        return opened[-1]

    yield make
    for client in opened:
        client.__exit__(None, None, None)


def _reader(home: Path) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch:
        _stand_in_for_evidence(patch)
        with TestClient(create_app(Settings(home=home)), raise_server_exceptions=False) as opened:
            yield opened


@pytest.fixture(scope="module")
def reader(whole_market: Path) -> Iterator[TestClient]:
    """One client of `market` for all tests of a file that change nothing."""
    yield from _reader(whole_market)


@pytest.fixture(scope="module")
def simulated_reader(simulated_market: Path) -> Iterator[TestClient]:
    """One client of `simulated` for all tests of a file that change nothing."""
    yield from _reader(simulated_market)
