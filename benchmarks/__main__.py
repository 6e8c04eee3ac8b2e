"""Time and peak memory of each stage, from records to backtest, in a home of its own.

Run by ``make bench``; ``make bench ARGS="--records DIR --only import,build"`` narrows it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import measure

ROOT = Path(__file__).resolve().parent.parent
RECORDS = Path(os.environ.get("SHORTCAST_RECORDS", ROOT.parent / "shared" / "records"))


def stages(records: Path, scratch: Path) -> dict[str, list[str]]:
    """Return the arguments of ``shortcast`` for each stage, in the order of the data's way.

    Parameters
    ----------
    records : Path
        Folder of public records, laid out as ``SOURCE/AS_OF/FILE``.
    scratch : Path
        Folder for what the stages write beside the home.
    """
    panel, backtest = str(scratch / "panel.parquet"), str(scratch / "backtest")
    return {
        "import": ["import", str(records)],
        "build": ["build"],
        "import again": ["import", str(records)],
        "build again": ["build"],
        "panel": ["panel", "--from", "2015-01", "--to", "2022-09", "--out", panel],
        "backtest": ["backtest", "--from", "2020-07", "--to", "2022-03", "--out", backtest],
    }


def main() -> None:
    """Run the chosen stages and print, and keep, what each took."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of public records")
    parser.add_argument("--only", help="stages, parted by commas, in place of all")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json")
    options = parser.parse_args()
    if not options.records.is_dir():
        parser.error(f"no records at {options.records}: name their folder with --records.")

    shortcast = str(Path(sys.executable).with_name("shortcast"))
    figures = []
    with tempfile.TemporaryDirectory(prefix="shortcast-bench-") as folder:
        plan = stages(options.records, Path(folder))
        chosen = options.only.split(",") if options.only else list(plan)
        if unknown := sorted(set(chosen) - set(plan)):
            parser.error(f"no stage {', '.join(unknown)}; there are {', '.join(plan)}.")
        for stage in chosen:
            used = measure([shortcast, *plan[stage]], Path(folder) / "home")
            figures.append(
                {
                    "stage": stage,
                    "seconds": round(used.seconds, 1),
                    "cpu_seconds": round(used.cpu_seconds, 1),
                    "peak_gb": round(used.peak_gb, 2),
                }
            )

    print(f"\n{'stage':<14} {'seconds':>8} {'CPU s':>8} {'peak GB':>8}")
    for row in figures:
        cells = (row["seconds"], row["cpu_seconds"], row["peak_gb"])
        print(f"{row['stage']:<14}", *(f"{cell:>8}" for cell in cells))
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": machine, "stages": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
