"""The layout of the project, and the traps that it sets (docs/decisions.md, record 1)."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

FOLDERS = ("features", "training", "serving", "monitoring")
TRAINING_ONLY = {"matplotlib", "mlflow", "mlflow-skinny", "scikit-learn"}
LARGEST_FILE = 1_500_000


@pytest.fixture(scope="module")
def tracked(repo_root: Path) -> list[str]:
    """Paths of every file under version control, relative to the root."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repo_root, capture_output=True, check=True, text=True
    ).stdout
    paths = [path for path in listing.split("\0") if path and (repo_root / path).is_file()]
    assert "pyproject.toml" in paths
    return paths


@pytest.fixture(scope="module")
def setuptools_config(repo_root: Path) -> dict[str, Any]:
    text = (repo_root / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["tool"]["setuptools"]


def run(*command: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def imports(repo_root: Path, tracked: list[str]) -> dict[str, list[str]]:
    """Modules that each Python file imports by their full names, in its own order."""
    found: dict[str, list[str]] = {}
    for path in tracked:
        if path.endswith(".py"):
            names = found.setdefault(path, [])
            for node in ast.walk(ast.parse((repo_root / path).read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names += [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    names.append(node.module or "")
    return found


def locked(requirements: Path) -> dict[str, set[str]]:
    """Names in a requirements file, each with its pinned versions."""
    versions: dict[str, set[str]] = {}
    text = requirements.read_text(encoding="utf-8")
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text, flags=re.MULTILINE):
        versions.setdefault(name, set()).add(version)
    assert versions, f"{requirements.name} pins nothing"
    return versions


# --- names -----------------------------------------------------------------------------------


def test_no_python_where_it_would_shadow_mlflow(repo_root: Path) -> None:
    assert (repo_root / "mlflow" / "README.md").is_file()
    assert not list((repo_root / "mlflow").rglob("*.py"))
    assert not (repo_root / "tests" / "mlflow").exists()


def test_mlflow_is_the_real_package_when_imported_from_the_root(repo_root: Path) -> None:
    # Found, not imported: importing it takes seconds, and where it is found decides what it is.
    code = "import importlib.util as u; print(u.find_spec('mlflow').origin)"
    found = run(sys.executable, "-c", code, cwd=repo_root)
    assert found.returncode == 0, found.stderr
    origin = Path(found.stdout.strip())
    assert origin.name == "__init__.py", "the folder mlflow/ passes for the package"
    assert not origin.is_relative_to(repo_root / "mlflow")


def test_each_package_folder_is_listed(
    repo_root: Path, tracked: list[str], setuptools_config: dict[str, Any]
) -> None:
    # A folder left out of the list is missing from an install, though an editable one may find it.
    folders = {
        Path(path).parent.as_posix()
        for path in tracked
        if path.endswith(".py") and path.split("/")[0] in ("shortcast", *FOLDERS)
    }
    listed = setuptools_config["package-dir"]
    assert set(listed.values()) == folders
    assert set(setuptools_config["packages"]) == set(listed)
    for package, folder in listed.items():
        assert package == ".".join(
            ["shortcast", *[p for p in folder.split("/") if p != "shortcast"]]
        )
        assert ast.get_docstring(ast.parse((repo_root / folder / "__init__.py").read_text("utf-8")))


def test_folders_are_imported_by_their_full_names(imports: dict[str, list[str]]) -> None:
    bare = [
        f"{path}:{name}"
        for path, names in imports.items()
        for name in names
        if name.split(".")[0] in FOLDERS
    ]
    assert bare == [], "write shortcast.features, not features"


def test_test_files_have_unique_names_and_no_packages(tracked: list[str]) -> None:
    tests = [Path(path) for path in tracked if path.startswith("tests/") and path.endswith(".py")]
    assert [path for path in tests if path.name == "__init__.py"] == []
    names = [path.name for path in tests if path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


# --- import rules ----------------------------------------------------------------------------


def test_import_rules_hold(repo_root: Path, tmp_path: Path) -> None:
    linked = run(sys.executable, repo_root / "scripts" / "link-tree", tmp_path, cwd=repo_root)
    assert linked.returncode == 0, linked.stderr
    linter = Path(sys.executable).with_name("lint-imports")
    config = repo_root / "pyproject.toml"
    result = run(linter, "--config", config, "--no-cache", "--no-logo", cwd=tmp_path)
    assert result.returncode == 0, result.stdout
    assert "3 kept, 0 broken" in result.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("lightgbm_loads")
def test_service_imports_without_the_training_extra(
    repo_root: Path, tmp_path: Path, setuptools_config: dict[str, Any]
) -> None:
    modules = [
        f"{package}.{file.stem}"
        for package, folder in setuptools_config["package-dir"].items()
        if package.split(".")[1:2] in (["features"], ["monitoring"], ["serving"])
        for file in sorted((repo_root / folder).glob("*.py"))
        if file.stem not in ("__init__", "__main__")
    ]
    code = f"""
import importlib, sys
for name in ("matplotlib", "mlflow", "sklearn"):
    sys.modules[name] = None  # importing it now fails as if it were not installed
for name in {[*modules, "shortcast.serving"]!r}:
    importlib.import_module(name)
"""
    result = run(sys.executable, "-W", "error", "-c", code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


# --- dependencies ----------------------------------------------------------------------------


def test_base_requirements_leave_training_out(repo_root: Path) -> None:
    base = locked(repo_root / "requirements" / "base.txt")
    assert TRAINING_ONLY & set(base) == set()
    assert {"duckdb", "fastapi", "lightgbm"} <= set(base)
    assert set(locked(repo_root / "requirements" / "all.txt")) >= TRAINING_ONLY


def test_what_is_declared_is_used(repo_root: Path, imports: dict[str, list[str]]) -> None:
    # What nobody imports is only more to install, to patch and to attack.
    imported = {
        name.split(".")[0]
        for path, names in imports.items()
        if path.split("/")[0] in ("shortcast", *FOLDERS)
        for name in names
    }
    used = {
        name.lower().replace("_", "-")
        for module, names in packages_distributions().items()
        if module in imported
        for name in names
    }
    # SQLAlchemy loads the driver by the address of the database.
    used.add("psycopg")
    project = tomllib.loads((repo_root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    declared = {
        re.split(r"[\[<>=~! ;]", text)[0].lower() for text in project["dependencies"] + extras
    }
    assert declared - used == set()


@pytest.mark.parametrize("part", ["base.txt", "uv.txt"])
def test_locked_files_agree(repo_root: Path, part: str) -> None:
    everything = locked(repo_root / "requirements" / "all.txt")
    for name, versions in locked(repo_root / "requirements" / part).items():
        assert versions == everything.get(name), f"{name}: run `make lock`"


def test_lock_covers_what_the_project_declares(repo_root: Path) -> None:
    config = tomllib.loads((repo_root / "pyproject.toml").read_text(encoding="utf-8"))
    project = config["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    groups = [name for names in config["dependency-groups"].values() for name in names]

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[\[<>=~! ;]", text)[0].lower() for text in requirements}

    assert names(project["dependencies"]) <= set(locked(repo_root / "requirements" / "base.txt"))
    assert names(extras + groups) <= set(locked(repo_root / "requirements" / "all.txt"))


def test_every_locked_package_has_a_hash(repo_root: Path) -> None:
    for path in sorted((repo_root / "requirements").glob("*.txt")):
        # One entry goes on over continued lines.
        entries = re.sub(r"\\\n\s*", " ", path.read_text(encoding="utf-8")).splitlines()
        for entry in entries:
            if entry and not entry.lstrip().startswith("#"):
                assert re.match(r"[a-z0-9._-]+==\S+", entry), f"{path.name}: {entry[:80]}"
                assert "--hash=sha256:" in entry, f"{path.name}: {entry[:80]}"


# --- what must not be in the tree ------------------------------------------------------------

# Spelled in parts, so that this file does not find itself.
REGISTRY_HOST = re.compile(
    "|".join(["python" + "hosted", r"\bpypi" + r"\.org", "registry.npm" + "js"])
)
MACHINE_PATH = re.compile(
    r"(?:^|[\s\"'`(=:])/(?:work|root|tmp|home|Users)/[A-Za-z0-9._-]", re.MULTILINE
)


def test_tracked_files_are_small(repo_root: Path, tracked: list[str]) -> None:
    sizes = {path: (repo_root / path).stat().st_size for path in tracked}
    assert {path: size for path, size in sizes.items() if size > LARGEST_FILE} == {}


def test_tracked_files_name_no_registry_and_no_machine(repo_root: Path, tracked: list[str]) -> None:
    found = []
    for path in tracked:
        content = (repo_root / path).read_bytes()
        if b"\0" in content:
            continue
        text = content.decode("utf-8", errors="replace")
        found += [
            f"{path}: {match.group().strip()}"
            for pattern in (REGISTRY_HOST, MACHINE_PATH)
            for match in pattern.finditer(text)
        ]
    assert found == []


# --- the front door --------------------------------------------------------------------------


def test_makefile_has_the_targets_others_rely_on(repo_root: Path) -> None:
    text = (repo_root / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", text, flags=re.MULTILINE))
    assert targets >= {"install", "up", "test", "test-all", "audit", "check", "bench"}


def test_every_command_is_documented(repo_root: Path) -> None:
    from typer.core import TyperGroup
    from typer.main import get_command

    from shortcast.cli import app

    group = get_command(app)
    assert isinstance(group, TyperGroup)
    pages = [repo_root / "README.md", *sorted((repo_root / "docs").rglob("*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    public = sorted(name for name, command in group.commands.items() if not command.hidden)
    assert public
    undocumented = [name for name in public if not re.search(rf"shortcast {name}\b", text)]
    assert undocumented == []


# --- a plain install -------------------------------------------------------------------------


@pytest.mark.slow
def test_plain_install_of_the_base_serves(
    repo_root: Path, tmp_path: Path, tracked: list[str], setuptools_config: dict[str, Any]
) -> None:
    """What a light service installs: base.txt and the project itself, not editable."""
    source = tmp_path / "source"
    for path in tracked:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(repo_root / path, source / path)
    wheels = tmp_path / "wheels"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    # fmt: off
    built = run(
        *pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
        "--wheel-dir", wheels, source, cwd=tmp_path,
    )
    # fmt: on
    assert built.returncode == 0, built.stderr
    (wheel,) = wheels.glob("shortcast-*.whl")

    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    data = (".py", ".sql", ".csv", ".typed", ".html", ".css", ".js", ".mako", ".ini", ".toml")
    expected = {
        path if path.startswith("shortcast/") else f"shortcast/{path}"
        for path in tracked
        if path.split("/")[0] in ("shortcast", *FOLDERS) and path.endswith(data)
    }
    assert expected - packed == set(), "files that the package data in pyproject.toml leave out"
    assert {name.split("/")[0] for name in packed} == {
        "shortcast",
        wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info",
    }

    venv = tmp_path / "venv"
    python = venv / "bin" / "python"
    assert run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=tmp_path).returncode == 0
    # Only a user's configuration knows where packages come from; uv first, as in `make install`.
    base = repo_root / "requirements" / "base.txt"
    uv = Path(sys.executable).with_name("uv")
    installed = run(
        uv, "pip", "install", "--python", python, "--require-hashes", "-r", base, cwd=tmp_path
    )
    if installed.returncode:
        installed = run(
            *pip, "--python", python, "install", "--require-hashes", "-r", base, cwd=tmp_path
        )
    assert installed.returncode == 0, installed.stderr
    project = run(uv, "pip", "install", "--python", python, "--no-deps", wheel, cwd=tmp_path)
    assert project.returncode == 0, project.stderr

    packages = ", ".join(setuptools_config["packages"])
    imported = run(python, "-W", "error", "-c", f"import {packages}", cwd=tmp_path)
    assert imported.returncode == 0, imported.stderr
    shown = run(venv / "bin" / "shortcast", "--help", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "Usage" in shown.stdout
