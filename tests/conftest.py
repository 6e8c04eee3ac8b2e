"""Fixtures and guards that hold for every test.

No test may touch the network, the home of the person who runs it, or a tracking server.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from shortcast.settings import Settings, settings

ROOT = Path(__file__).resolve().parent.parent

#: Fills a folder.
Maker = Callable[[Path], None]

# Set before anything imports mlflow: nothing leaves the machine unasked.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"

# No test asserts how long something takes: on a machine with other work to do, any may be slow.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def _records_path() -> Path:
    """Folder of the real public records: SHORTCAST_RECORDS, else beside the checkout."""
    named = os.environ.get("SHORTCAST_RECORDS")
    return Path(named).expanduser() if named else ROOT.parent / "shared" / "records"


def _records_missing() -> str | None:
    """Why the records cannot be read, or None when they can."""
    path = _records_path()
    if (path / "MANIFEST.csv").is_file():
        return None
    return f"no public records at {path} (set SHORTCAST_RECORDS to a folder SOURCE/AS_OF/FILE)"


def _library_missing() -> str | None:
    """Why LightGBM cannot be loaded, with the command that mends it, or None when it can."""
    try:
        importlib.import_module("lightgbm")
    except OSError as error:
        mend = "sudo apt-get install -y --no-install-recommends libgomp1 (on macOS: libomp)"
        return f"LightGBM cannot be loaded ({error}); {mend}"
    return None


#: Folders whose tests train or score; without the library they could not even be collected.
_NEED_LIGHTGBM = ["serving", "shortcast", "training"]

collect_ignore = _NEED_LIGHTGBM if _library_missing() else []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = _records_missing()
    if reason is None:
        return
    for item in items:
        if item.get_closest_marker("records"):
            item.add_marker(pytest.mark.skip(reason=f"RECORDS: {reason}"))


# Outermost, so that what it says stands after the list of skipped tests and not above it.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any) -> Iterator[None]:
    yield
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and "RECORDS: " in report.longrepr[2]
    ]
    if skipped:
        terminalreporter.write_sep("!", "PUBLIC RECORDS NOT TESTED", red=True, bold=True)
        terminalreporter.write_line(
            f"{len(skipped)} tests were skipped: {_records_missing()}", red=True, bold=True
        )
    if collect_ignore:
        terminalreporter.write_sep(
            "!", "NOTHING THAT TRAINS OR SCORES WAS TESTED", red=True, bold=True
        )
        where = ", ".join(f"tests/{name}" for name in collect_ignore)
        terminalreporter.write_line(f"{where}: {_library_missing()}", red=True, bold=True)


@pytest.fixture(scope="session")
def lightgbm_loads() -> None:
    """Skip a test where LightGBM cannot be loaded for want of a system library."""
    if reason := _library_missing():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def records_dir() -> Path:
    """The folder of real public records, laid out as SOURCE/AS_OF/FILE; read only."""
    reason = _records_missing()
    if reason is not None:
        pytest.skip(f"RECORDS: {reason}")
    return _records_path()


def _built(home: Path, tree: Path) -> Path:
    """Import a tree of records into a home, and build its warehouse."""
    from shortcast.features import warehouse
    from shortcast.features.archive import Archive
    from shortcast.features.sources import registry

    config = Settings(home=home)
    Archive(config.archive).import_tree(tree, registry())
    warehouse.build(config)
    return home


@pytest.fixture(scope="session")
def real_home(records_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the warehouse of the real public records: read only, made once (slow)."""
    return _built(tmp_path_factory.mktemp("real") / "home", records_dir)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Maker], Path]:
    """``made_once(name, make)``: a folder that the first to ask fills, and all others read.

    Tests may run in several processes, each with a session of its own; what takes seconds to
    make is made by one of them, for which the others wait. Its path is told to ``make``.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def folder(name: str, make: Maker) -> Path:
        made = shared / f"once-{name}"
        with (shared / f"once-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (made / "whole").exists():
                shutil.rmtree(made, ignore_errors=True)
                made.mkdir()
                make(made)
                (made / "whole").touch()
        return made

    return folder


@pytest.fixture(scope="session")
def tiny_home(made_once: Callable[[str, Maker], Path]) -> Path:
    """A home with the warehouse of the tiny made-up records: read only, made once."""
    from tiny_records import write_tree

    def make(folder: Path) -> None:
        _built(folder / "home", write_tree(folder / "records"))

    return made_once("tiny", make) / "home"


@pytest.fixture
def own_tiny_home(tiny_home: Path, shortcast_home: Path) -> Path:
    """A copy of `tiny_home` that a test may change; it is the home in force."""
    shutil.copytree(tiny_home, shortcast_home)
    return shortcast_home


@pytest.fixture(scope="session")
def simulated_tiny_home(made_once: Callable[[str, Maker], Path]) -> Path:
    """The same records in a home that takes them for simulated ones: read only, made once."""
    from tiny_records import TREE, write_tree

    def make(folder: Path) -> None:
        files = {"/SIMULATED-".join(place.rsplit("/", 1)): raw for place, raw in TREE.items()}
        _built(folder / "home", write_tree(folder / "records", files))

    return made_once("simulated", make) / "home"


@pytest.fixture
def own_simulated_home(simulated_tiny_home: Path, shortcast_home: Path) -> Path:
    """A copy of it that a test may change; it is the home in force."""
    shutil.copytree(simulated_tiny_home, shortcast_home)
    return shortcast_home


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The root of the checkout."""
    return ROOT


def _isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Point every setting at ``home``, whatever the person who runs the tests has set."""
    for name in list(os.environ):
        if name.startswith("SHORTCAST_") and name != "SHORTCAST_RECORDS":
            patch.delenv(name)
    patch.setenv("SHORTCAST_HOME", str(home))
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.sqlite'}")
    settings.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def _session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep session and module fixtures, too, out of the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        _isolate(patch, tmp_path_factory.mktemp("shortcast-home"))
        yield
    settings.cache_clear()


@pytest.fixture(autouse=True)
def shortcast_home(tmp_path: Path) -> Iterator[Path]:
    """Give each test a state folder of its own, SHORTCAST_HOME, and return it (not yet made)."""
    with pytest.MonkeyPatch.context() as patch:
        _isolate(patch, tmp_path / "home")
        yield tmp_path / "home"
    settings.cache_clear()


def _is_local(address: object) -> bool:
    """Whether a socket address stays on this machine (loopback, or a Unix socket's path)."""
    if isinstance(address, (str, bytes)):
        return True
    host = address[0] if isinstance(address, tuple) and address else ""
    return host in ("", "localhost", "::1") or str(host).startswith("127.")


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Refuse every connection and look-up that would leave this machine."""
    connect, connect_ex, getaddrinfo = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.getaddrinfo,
    )

    def refuse(target: object) -> None:
        # Not an OSError: code under test that retries or tolerates network errors must not hide it.
        raise AssertionError(f"a test tried to reach {target!r}: tests use no network")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if not _is_local(address):
            refuse(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if not _is_local(address):
            refuse(address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None and not _is_local(
            (host.decode() if isinstance(host, bytes) else host,)
        ):
            refuse(host)
        return getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield
