"""``scripts/system-packages``: whether LightGBM can be loaded is asked of LightGBM."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it installs on Linux only")

MISSING = "libgomp.so.1: cannot open shared object file: No such file or directory"


def ask(checkout: Path, root: Path, *, says: str | None) -> subprocess.CompletedProcess[str]:
    """Run the script beside an environment whose LightGBM answers; None: it can be loaded."""
    programs = checkout / "bin"
    answer = "exit 0" if says is None else f'echo "{says}" >&2; exit 1'
    write(checkout / ".venv/bin/python", answer)
    # Nobody is asked for a password, nothing is installed, and no cache of libraries is asked.
    write(programs / "id", "echo 1000")
    write(programs / "ldconfig", "exit 0")
    (checkout / "scripts").mkdir(exist_ok=True)
    script = shutil.copy(root / "scripts/system-packages", checkout / "scripts")
    return subprocess.run(
        [script, "--if-missing"],
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def write(program: Path, line: str) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    program.chmod(0o755)


def test_nothing_is_missing_where_lightgbm_loads_whatever_the_cache_of_libraries_says(
    tmp_path: Path, repo_root: Path
) -> None:
    done = ask(tmp_path, repo_root, says=None)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("says", [MISSING, "none"])
def test_where_it_does_not_the_command_that_mends_it_is_said(
    says: str, tmp_path: Path, repo_root: Path
) -> None:
    """Before there is an environment with LightGBM, the cache of libraries is asked."""
    done = ask(tmp_path, repo_root, says=says)
    assert done.returncode == 1
    mend = "sudo apt-get install -y --no-install-recommends libgomp1"
    assert done.stderr == f"shortcast needs libgomp1; install with: {mend}\n"


def test_another_fault_is_not_mended_with_libgomp(tmp_path: Path, repo_root: Path) -> None:
    done = ask(tmp_path, repo_root, says="lib_lightgbm.so: invalid ELF header")
    assert done.returncode == 1
    assert "libgomp1: lib_lightgbm.so: invalid ELF header" in done.stderr
    assert "make clean install" in done.stderr
    assert "apt-get" not in done.stderr
