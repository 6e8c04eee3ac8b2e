"""CPU time and peak memory of a made-up market by stage, at two sizes in one run.

A market of many drugs may take no more per drug-month than a small one: what grows faster than
the market shows as a ratio above 1. Run by ``make bench`` at small sizes, where what every command
takes to start weighs on the smaller market; at any sizes by hand::

    .venv/bin/python -m benchmarks.market_size --drugs 5000,50000 --years 20
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Used, measure

ROOT = Path(__file__).resolve().parent.parent
#: Made-up records end with this year unless told otherwise.
LAST_YEAR = 2025


def stages(drugs: int, years: int, folder: Path) -> dict[str, list[str]]:
    """Return the arguments of ``shortcast`` for each stage, in the order of the data's way.

    Parameters
    ----------
    drugs, years : int
        Size of the market.
    folder : Path
        Gets the records and the panel.

    Returns
    -------
    dict of str to list of str
    """
    records, panel = str(folder / "records"), str(folder / "panel.parquet")
    size = ["--drugs", str(drugs), "--years", str(years), "--seed", "1"]
    months = ["--from", f"{LAST_YEAR - years + 1}-01", "--to", f"{LAST_YEAR}-12"]
    return {
        "simulate": ["simulate", *size, "--out", records],
        "import": ["import", records],
        "build": ["build"],
        "panel": ["panel", *months, "--out", panel],
    }


def run(drugs: int, years: int, folder: Path) -> dict[str, Used]:
    """Take a market of one size through all stages.

    Parameters
    ----------
    drugs, years : int
        Size of the market.
    folder : Path
        Gets the home, the records and the panel.

    Returns
    -------
    dict of str to Used
        By stage, and ``all``: the sums, and the highest peak.
    """
    shortcast = str(Path(sys.executable).with_name("shortcast"))
    found = {}
    for stage, arguments in stages(drugs, years, folder).items():
        found[stage] = measure([shortcast, *arguments], folder / "home")
    found["all"] = Used(
        seconds=sum(used.seconds for used in found.values()),
        cpu_seconds=sum(used.cpu_seconds for used in found.values()),
        peak_gb=max(used.peak_gb for used in found.values()),
    )
    return found


def main() -> None:
    """Measure both sizes, and print and keep how they compare."""
    parser = argparse.ArgumentParser(prog="benchmarks.market_size", description=__doc__)
    parser.add_argument("--drugs", default="1000,4000", help="two sizes, the smaller first")
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="a new folder for the markets, which stay")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "market_size.json")
    options = parser.parse_args()
    try:
        small, large = (int(drugs) for drugs in options.drugs.split(","))
    except ValueError:
        parser.error(f"--drugs is {options.drugs!r}: name two sizes, as in 5000,50000.")

    load = os.getloadavg()
    found = {}
    with tempfile.TemporaryDirectory(prefix="shortcast-bench-") as scratch:
        for drugs in (small, large):
            folder = (options.folder or Path(scratch)) / str(drugs)
            folder.mkdir(parents=True)
            found[drugs] = run(drugs, options.years, folder)

    def cost(drugs: int, stage: str) -> float:
        """Return microseconds of CPU a drug and month."""
        return 1e6 * found[drugs][stage].cpu_seconds / (drugs * 12 * options.years)

    head = "".join(f"{f'{drugs:,} drugs: CPU us':>24} {'peak GB':>8}" for drugs in found)
    print(f"\n{'a drug-month':<12}{head} {'ratio':>6}")
    for stage in found[small]:
        cells = "".join(
            f"{cost(drugs, stage):>24.1f} {found[drugs][stage].peak_gb:>8.2f}" for drugs in found
        )
        print(f"{stage:<12}{cells} {cost(large, stage) / cost(small, stage):>6.2f}")

    report = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "load": {"before": load, "after": os.getloadavg()},
        "years": options.years,
        "drugs": {
            str(drugs): {
                stage: {
                    **{name: round(value, 2) for name, value in used._asdict().items()},
                    "cpu_us_a_drug_month": round(cost(drugs, stage), 1),
                }
                for stage, used in by_stage.items()
            }
            for drugs, by_stage in found.items()
        },
        "ratio": {
            stage: round(cost(large, stage) / cost(small, stage), 2) for stage in found[small]
        },
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
