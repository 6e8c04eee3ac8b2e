"""Where this installation keeps its state and how it is set up."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shortcast.errors import ShortcastError

#: The environment variable that names the file of keys.
SECRETS_FILE = "SHORTCAST_SECRETS"


class Settings(BaseSettings):
    """Settings of one installation, read from the environment.

    Every setting is the environment variable ``SHORTCAST_`` plus its name in capitals; one
    that is empty counts as not set. Keys may stand in a file instead, of lines
    ``SHORTCAST_NAME=VALUE``, which ``SHORTCAST_SECRETS`` names; the environment goes before it.
    Values in that file are taken as they are written.

    Attributes
    ----------
    home : Path
        Folder that holds all state: archive, warehouse, models, database.
    database_url : str or None
        SQLAlchemy address of the application database; SQLite under ``home`` when empty.
    mlflow_tracking_uri : str or None
        MLflow tracking address; SQLite under ``home`` when empty.
    inbox : Path or None
        Folder of new records (``SOURCE/AS_OF/FILE``) that the schedule's import job takes
        in; ``inbox`` under ``home`` when empty.
    threads : int
        Threads that DuckDB and LightGBM may use.
    memory_limit : str
        Memory that DuckDB may use, in its own notation.
    fetch_daily : bool
        Whether the schedule fetches from the official addresses before it imports; nothing
        asks the network otherwise, but the command ``fetch``.
    fetch_via : str or None
        Address of a mirror of the official addresses: ``https://HOST/PATH`` is asked for there
        as ``MIRROR/HOST/PATH``. Keys go to a mirror by https or on this machine only.
    fetch_contact : str
        E-mail or address of who runs this, told to the servers that are asked.
    openfda_key : SecretStr or None
        Key of openFDA, which allows more requests a day.
    dashboard_user, dashboard_key : SecretStr or None
        E-mail address and key of the FDA Data Dashboard.
    canada_user, canada_password : SecretStr or None
        E-mail address and password of an account of the Canadian shortage list.
    """

    model_config = SettingsConfigDict(
        env_prefix="SHORTCAST_", env_ignore_empty=True, extra="ignore"
    )

    home: Path = Field(default_factory=lambda: Path.home() / ".shortcast")
    database_url: str | None = None
    mlflow_tracking_uri: str | None = None
    inbox: Path | None = None
    threads: int = Field(default=2, ge=1)
    memory_limit: str = Field(
        default="3GB", pattern=r"(?i)^(0\.\d*)?[1-9]\d*(\.\d+)?\s*([kmgt]i?b|%)$"
    )
    fetch_daily: bool = False
    fetch_via: str | None = Field(default=None, pattern=r"^https?://[^\s/]+(/[^\s?#]*)?$")
    fetch_contact: str = Field(default="", pattern=r"^[\x20-\x7e]*$")
    openfda_key: SecretStr | None = None
    dashboard_user: SecretStr | None = None
    dashboard_key: SecretStr | None = None
    canada_user: SecretStr | None = None
    canada_password: SecretStr | None = None

    @field_validator("home", "inbox")
    @classmethod
    def _in_full(cls, folder: Path | None) -> Path | None:
        """Return a folder in full: service managers pass ``~`` on as it is written."""
        return folder.expanduser().absolute() if folder is not None else None

    @field_validator(
        "openfda_key",
        "dashboard_user",
        "dashboard_key",
        "canada_user",
        "canada_password",
        mode="before",
    )
    @classmethod
    def _trimmed(cls, key: object) -> object:
        """Return a key without the line end that a file adds to it."""
        return key.strip() if isinstance(key, str) else key

    @property
    def keys(self) -> dict[str, str]:
        """The keys that are set, by the name of their setting: to be sent, never to be shown."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        found = {k: v.get_secret_value() for k, v in named.items() if isinstance(v, SecretStr)}
        return {name: key for name, key in found.items() if key}

    @property
    def fetching(self) -> Path:
        """Folder of downloads under way, of what the last fetch learnt, and of the fetch log."""
        return self.home / "fetching"

    @property
    def quarantine(self) -> Path:
        """Folder of fetched files that failed a check, ``SOURCE/DAY/FILE``, with the reason."""
        return self.home / "quarantine"

    @property
    def archive(self) -> Path:
        """Folder of the append-only archive of raw snapshots."""
        return self.home / "archive"

    @property
    def parsed(self) -> Path:
        """Folder of parsed snapshots, a cache that can be deleted at any time."""
        return self.home / "parsed"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file of typed tables; replaced whole, never changed in place."""
        return self.home / "warehouse.duckdb"

    @property
    def records_inbox(self) -> Path:
        """Folder that the schedule's import job looks into."""
        return self.inbox or self.home / "inbox"

    @property
    def models(self) -> Path:
        """Folder of exported model bundles."""
        return self.home / "models"

    @property
    def champion(self) -> Path:
        """Folder of the exported bundle that the service answers with."""
        return self.models / "champion"

    @property
    def tracking_uri(self) -> str:
        """MLflow tracking address in force."""
        if self.mlflow_tracking_uri:
            return self.mlflow_tracking_uri
        return f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        """Folder of MLflow artifacts when the tracking store is the embedded one."""
        return self.home / "mlflow" / "artifacts"

    @property
    def database(self) -> str:
        """SQLAlchemy address of the application database in force."""
        return self.database_url or f"sqlite:///{self.home / 'shortcast.db'}"


#: What a setting may be, for those that may not be just any text.
_EXPECTED = {
    "home": "a folder",
    "inbox": "a folder",
    "threads": "a whole number from 1 on",
    "memory_limit": "a number and its unit, for example 3GB or 60%",
    "fetch_daily": "true or false",
    "fetch_via": "an address such as http://127.0.0.1:8080",
    "fetch_contact": "plain text",
}


def _of_file(path: Path) -> dict[str, str]:
    """Return the settings that a file of keys holds and the environment does not.

    A value is taken as it is written, so that no sign in a key means anything; only a pair of
    quotation marks around it goes, as service managers take it.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        why = "is not written in UTF-8" if isinstance(error, UnicodeError) else "cannot be read"
        raise ShortcastError(
            f"{path}, which {SECRETS_FILE} names, {why}; mend the file, or unset {SECRETS_FILE}."
        ) from error
    known = {f"SHORTCAST_{name.upper()}": name for name in Settings.model_fields}
    around = {name.upper() for name, value in os.environ.items() if value}
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        name, _, value = line.removeprefix("export ").partition("=")
        name, value = name.strip().upper(), value.strip()
        if name.startswith("SHORTCAST_") and name not in known and (meant := _meant(name)):
            # Passing over a misspelt key would look as if the source had refused it; the line
            # itself may hold the key, and is not repeated.
            raise ShortcastError(
                f"Line {number} of {path}, which {SECRETS_FILE} names, sets nothing that is a "
                f"setting; {meant}=VALUE was probably meant: mend the line, or remove it."
            )
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if value and name in known and name not in around:
            found[known[name]] = value
    return found


def _meant(name: str) -> str:
    """Return the variable that a name is a misspelling of; '' if it is like none."""
    words = [field.upper() for field in Settings.model_fields]
    bare = re.split(r"[^A-Z0-9_]", name)[0].removeprefix("SHORTCAST_")
    near = get_close_matches(bare, words, n=1, cutoff=0.8)
    return f"SHORTCAST_{near[0]}" if near else ""


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process, read once.

    Returns
    -------
    Settings
        Settings in force; tests that change the environment call
        ``settings.cache_clear()``.

    Raises
    ------
    ShortcastError
        If a setting cannot be read.
    """
    secrets = os.environ.get(SECRETS_FILE)
    if secrets and not Path(secrets).expanduser().is_file():
        raise ShortcastError(
            f"{SECRETS_FILE} names {secrets}, which is no file; mend the path, or unset it."
        )
    try:
        named: dict[str, Any] = _of_file(Path(secrets).expanduser()) if secrets else {}
        return Settings(**named)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise ShortcastError(
            f"SHORTCAST_{name.upper()} cannot be {first['input']!r}; set it to "
            f"{_EXPECTED.get(name, 'text')}, or unset it."
        ) from error
