"""Settings: read from the environment, and refused in one sentence where they make no sense."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from shortcast.errors import ShortcastError
from shortcast.settings import Settings, settings


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any setting."""
    monkeypatch.delenv("SHORTCAST_HOME")
    settings.cache_clear()
    return monkeypatch


def test_without_a_setting_all_state_is_in_a_hidden_folder_of_the_user(
    bare: pytest.MonkeyPatch,
) -> None:
    home = Path.home() / ".shortcast"
    found = settings()
    assert found.home == home
    assert found.database == f"sqlite:///{home}/shortcast.db"
    assert found.tracking_uri == f"sqlite:///{home}/mlflow/mlflow.db"
    assert found.records_inbox == home / "inbox"
    places = (found.archive, found.parsed, found.warehouse, found.champion, found.artifacts)
    assert all(place.is_relative_to(home) for place in places)
    assert (found.threads, found.memory_limit) == (2, "3GB")


def test_each_setting_is_read_from_its_variable(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "HOME": str(tmp_path),
        "DATABASE_URL": "postgresql+psycopg://nobody@localhost/none",
        "MLFLOW_TRACKING_URI": "http://localhost:5000",
        "INBOX": str(tmp_path / "new"),
        "THREADS": "7",
        "MEMORY_LIMIT": "1.5 GiB",
    }.items():
        bare.setenv(f"SHORTCAST_{name}", value)
    found = settings()
    assert found.warehouse == tmp_path / "warehouse.duckdb"
    assert found.database == "postgresql+psycopg://nobody@localhost/none"
    assert found.tracking_uri == "http://localhost:5000"
    assert found.records_inbox == tmp_path / "new"
    assert (found.threads, found.memory_limit) == (7, "1.5 GiB")


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_an_empty_variable_is_not_set(bare: pytest.MonkeyPatch, name: str) -> None:
    """An empty SHORTCAST_HOME or SHORTCAST_INBOX must not mean the folder one stands in."""
    expected = Settings()
    bare.setenv(f"SHORTCAST_{name.upper()}", "")
    assert Settings() == expected


def test_folders_are_kept_in_full(
    bare: pytest.MonkeyPatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service manager hands on `~` as it is written, and a process may change its folder."""
    bare.setenv("SHORTCAST_HOME", "~/shortcast-state")
    bare.setenv("SHORTCAST_INBOX", "new")
    monkeypatch.chdir(tmp_path)
    found = settings()
    assert found.home == Path.home() / "shortcast-state"
    assert found.records_inbox == tmp_path / "new"


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("THREADS", "many", "a whole number from 1 on"),
        ("THREADS", "0", "a whole number from 1 on"),
        ("THREADS", "1.5", "a whole number from 1 on"),
        ("MEMORY_LIMIT", "lots", "3GB"),
        ("MEMORY_LIMIT", "3", "3GB"),
        ("MEMORY_LIMIT", "0GB", "3GB"),
        ("MEMORY_LIMIT", "-1GB", "3GB"),
    ],
)
def test_a_value_that_makes_no_sense_is_named_with_what_to_write(
    bare: pytest.MonkeyPatch, name: str, value: str, hint: str
) -> None:
    bare.setenv(f"SHORTCAST_{name}", value)
    with pytest.raises(ShortcastError) as refused:
        settings()
    sentence = str(refused.value)
    assert sentence.startswith(f"SHORTCAST_{name} cannot be '{value}'; set it to ")
    assert hint in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("limit", ["200MB", "0.5 GiB", "300mb", "50%", "1.5GB"])
def test_every_limit_that_passes_is_one_that_duckdb_takes(limit: str) -> None:
    with duckdb.connect(config={"memory_limit": Settings(memory_limit=limit).memory_limit}) as made:
        assert made.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    "line",
    [
        "SHORTCAST_OPENFDA_KY=abc-123",
        "SHORTCAST_OPENFDA_KEY: abc-123",
        "SHORTCAST_OPENFDA_KEY abc-123",
    ],
)
def test_a_misspelt_key_in_the_file_of_keys_is_told_and_not_shown(
    bare: pytest.MonkeyPatch, tmp_path: Path, line: str
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"PATH=/bin\nSHORTCAST_RECORDS=/records\n{line}\n", encoding="utf-8")
    bare.setenv("SHORTCAST_SECRETS", str(keys))
    with pytest.raises(ShortcastError) as raised:
        settings()
    said = str(raised.value)
    assert said.startswith(f"Line 3 of {keys}, which")
    assert "SHORTCAST_OPENFDA_KEY=VALUE was probably meant" in said
    assert "abc-123" not in said.lower()
