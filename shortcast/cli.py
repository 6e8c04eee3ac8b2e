"""The command line: one command for each step, and `up` for all of them."""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

# Nothing leaves the machine unasked; mlflow reads this when it is first imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shortcast import __version__
from shortcast.errors import ShortcastError, was_interrupted

if TYPE_CHECKING:
    from shortcast.features.archive import ImportReport
    from shortcast.features.fetching.run import Planned

app = typer.Typer(
    name="shortcast",
    help="Early warning of US drug shortages, from public records. A score is an estimate, "
    "never a cause, never medical advice, and never a reason to stockpile.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_archive = typer.Typer(
    help="Check the archive of raw records, and carry it to a machine without a network.\n\n"
    "Example: shortcast archive verify",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(_archive, name="archive")
_out = Console()
_err = Console(stderr=True, highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


#: What the machine may say of a path that someone has named; anything else is a defect.
_FAULTS_OF_A_PATH = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC),
        *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR),
    }
)


class Horizon(IntEnum):
    """Months ahead that a risk is given for."""

    THREE = 3
    SIX = 6
    TWELVE = 12


def main() -> None:
    """Run the command line: exit 0, 1 on a failure that is explained, 2 on wrong usage.

    130 where it was interrupted.
    """
    try:
        app()
    except ShortcastError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno is None and "libgomp" in str(error):
            _fail(f"LightGBM cannot be loaded ({error}); 'shortcast doctor' says what to do.")
        if error.errno not in _FAULTS_OF_A_PATH:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror}; check the path, who may write to it, and its space.")
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as end:
        # Typer makes this of an interrupt; a service that was ended so ends well.
        if end.code != 130:
            raise
        _interrupted()
    except RuntimeError as error:
        if not was_interrupted(error):
            raise
        _interrupted()


def _interrupted() -> NoReturn:
    """Say that an interrupt has ended the command, and exit as shells expect."""
    _err.print("shortcast: interrupted; what was finished is kept.", soft_wrap=True)
    sys.exit(130)


def _fail(sentence: str) -> NoReturn:
    """Say why on the error stream, and exit with 1."""
    _err.print(f"shortcast: {sentence}", markup=False, soft_wrap=True)
    sys.exit(1)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Give a teller of progress with the time that has passed, on the error stream."""
    begun = datetime.now(UTC)

    def tell(line: str) -> None:
        seconds = (datetime.now(UTC) - begun).total_seconds()
        _err.print(f"{seconds:7.1f} s  {line}", markup=False, soft_wrap=True)

    yield tell


def _print_json(value: Any) -> None:
    """Print JSON: days as YYYY-MM-DD, what is not known as null."""
    typer.echo(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    """Return a value in the types that JSON has."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if value is None or value != value:  # NaN and NaT differ from themselves
        return None
    if isinstance(value, datetime):
        return value.isoformat() if value.time() != time() else value.date().isoformat()
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table: drawn on a terminal; elsewhere tab-separated, the title to errors."""
    if not _out.is_terminal:
        _err.print(title, markup=False, soft_wrap=True)
        for row in [columns, *rows]:
            typer.echo("\t".join("" if value is None else str(value) for value in row))
        return
    table = Table(title=title)
    for column in columns:
        table.add_column(column)
    for row in rows:
        # As text: a message may hold brackets that would be taken for markup.
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    _out.print(table)


def _day(text: str | None) -> date:
    """Read a day, today by default."""
    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not a day; write it as YYYY-MM-DD, for example 2022-10-01."
        ) from error


def _months(start: str, end: str) -> list[date]:
    """Read two months, and return the first days of all from one to the other."""
    from shortcast.features.asof import first_of_months

    try:
        return first_of_months(start, end)
    except ShortcastError as error:
        raise typer.BadParameter(str(error)) from error


def _say_what_a_score_is(data: str) -> None:
    """Say under a table of scores what they are and are not; it is no row of the table."""
    from shortcast.serving.words import short_disclaimer

    _err.print(short_disclaimer(data), markup=False, soft_wrap=True)


def _say_if_simulated(data: str) -> None:
    """Say before what is told of made-up records that they are made up."""
    from shortcast.features.kind import warning

    if said := warning(data):
        typer.echo(said)


def _data_of_home() -> str:
    """Return which kind of records the home in force holds; real while it holds none."""
    from shortcast.features.archive import Archive
    from shortcast.settings import settings

    return Archive(settings().archive).data() or "real"


@app.command(name="import")
def import_(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder SOURCE/AS_OF/FILE.")],
    as_json: AsJson = False,
) -> None:
    """Take a folder of dated public records into the archive.

    Example: shortcast import ../shared/records
    """
    from shortcast import jobs

    _tell_import(jobs.import_tree(directory), as_json)


def _tell_import(report: ImportReport, as_json: bool) -> None:
    """Print what an import did."""
    if as_json:
        _print_json(
            {
                "data": report.data,
                "added": [vars(f) for f in report.added],
                "held": report.held,
                "set_aside": [vars(f) for f in report.set_aside],
                "passed_over": report.passed_over,
            }
        )
        return
    size = sum(f.bytes for f in report.added) / 1e6
    _say_if_simulated(report.data)
    typer.echo(f"{len(report.added)} files added ({size:.1f} MB), {report.held} held already.")
    for entry in report.set_aside:
        typer.echo(f"set aside: {entry.source}/{entry.as_of}/{entry.file}: {entry.reason}")
    for line in report.passed_over:
        typer.echo(f"passed over: {line}")
    if report.added:
        typer.echo("Go on with: shortcast build")


@_archive.command()
def verify(as_json: AsJson = False) -> None:
    """Read every archived file again and hold it against the ledger; exit with 1 on a fault.

    Example: shortcast archive verify
    """
    from shortcast.features.archive import Archive, exclusive
    from shortcast.features.archive_check import verify as check
    from shortcast.settings import settings

    config = settings()
    archive = Archive(config.archive)
    data, count = "real", None
    with suppress(ShortcastError):  # a ledger that cannot be read is among the faults
        data = archive.data() or data
    with exclusive(config.home, what="the check of the archive"), _progress() as tell:
        faults = check(archive, progress=tell)
        with suppress(ShortcastError):
            count = len(archive.entries())
    if as_json:
        _print_json({"data": data, "good": not faults, "files": count, "faults": faults})
    else:
        _say_if_simulated(data)
    for line in [] if as_json else faults:
        typer.echo(line)
    if faults:
        raise typer.Exit(1)
    if not as_json:
        typer.echo(f"{count} files, and all are as they were archived.")


@_archive.command()
def confirm(
    snapshot: Annotated[str, typer.Argument(metavar="SOURCE/DAY", help="As it was told.")],
) -> None:
    """Take in what a check kept out, or mark a short list as whole: you have looked at it.

    What lies in the quarantine enters the archive under the day on which it was fetched.

    Example: shortcast archive confirm fda_shortages/2026-11-23
    """
    from shortcast.features.archive import exclusive
    from shortcast.features.archive_confirm import confirm as take_in
    from shortcast.settings import settings

    config = settings()
    with exclusive(config.home, what="the confirmation"):
        done = take_in(snapshot, config)
    _say_if_simulated(_data_of_home())
    if done.added:
        typer.echo(f"{snapshot}: {len(done.added)} files added, although {'; '.join(done.faults)}.")
    else:
        typer.echo(f"{snapshot}: it is in the archive, and now marked as found right.")
    typer.echo("Go on with: shortcast build")


@_archive.command(name="take-back")
def take_back(
    snapshot: Annotated[str, typer.Argument(metavar="SOURCE/DAY", help="As under strays/.")],
) -> None:
    """Take a snapshot back that was moved to strays/, once it is checked; see that it is whole.

    Files lie there after an older copy of the ledger was restored, or a run was killed.

    Example: shortcast archive take-back fda_shortages/2026-11-23
    """
    from shortcast.features.archive import Archive, exclusive
    from shortcast.features.archive_strays import take_back as take
    from shortcast.settings import settings

    config = settings()
    with exclusive(config.home, what="the taking back"):
        report = take(Archive(config.archive), snapshot)
    _tell_import(report, as_json=False)


@_archive.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")],
    leave_out: Annotated[
        bool,
        typer.Option(
            "--leave-out-damaged", help="Leave out the snapshots of which a file was lost."
        ),
    ] = False,
) -> None:
    """Write the whole archive into one file, for a machine without a network.

    Example: shortcast archive export shortcast-archive.zip
    """
    from shortcast.features.archive import Archive, exclusive
    from shortcast.features.archive_export import write_export
    from shortcast.settings import settings

    config = settings()
    archive = Archive(config.archive)
    _say_if_simulated(archive.data() or "real")
    with exclusive(config.home, what="the export"), _progress() as tell:
        path, files = write_export(archive, file, leave_out=leave_out, progress=tell)
    typer.echo(f"{path}: {files} files ({path.stat().st_size / 1e6:.1f} MB).")
    typer.echo(f"On the other machine: shortcast archive import {path.name}")


@_archive.command(name="import")
def import_export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What 'archive export' wrote.")],
    as_json: AsJson = False,
) -> None:
    """Add an exported archive to the one here, once all of it has been checked.

    Example: shortcast archive import shortcast-archive.zip
    """
    from shortcast.features.archive import Archive, exclusive
    from shortcast.features.archive_export import read_export
    from shortcast.settings import settings

    config = settings()
    with exclusive(config.home, what="the import"), _progress() as tell:
        report = read_export(Archive(config.archive), file, progress=tell)
    _tell_import(report, as_json)


@app.command()
def fetch(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE]...", help="Sources; all that are due by default."),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Fill the past from public archives instead.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked, and ask nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the archive up to date from the official addresses.

    What fails a check is set apart; the last good snapshot then stays in force, and the exit code
    is 1, as it is where a source that was named could not be asked.

    Example: shortcast fetch

    Example: shortcast fetch openfda_shortages --dry-run
    """
    from shortcast.features import fetching
    from shortcast.settings import settings

    today = _day(None)
    if dry_run:
        planned = fetching.plan(sources or [], today=today, history=history)
        if as_json:
            _print_json([_planned(one) for one in planned])
            return
        _print_table(
            "What would be asked",
            ("source", "address", "asked"),
            [(p.source.name, p.address, "yes" if p.asks else f"no: {p.why_not}") for p in planned],
        )
        return
    with _progress() as tell:
        if not (settings().fetch_via or settings().fetch_contact):
            tell(
                "No contact is set, so the servers are not told whom to ask about these requests; "
                "set SHORTCAST_FETCH_CONTACT to an e-mail address or a web page."
            )
        report = fetching.fetch(sources or [], today=today, history=history, progress=tell)
    if as_json:
        _print_json(
            {
                "data": _data_of_home(),
                "outcomes": [vars(outcome) for outcome in report.outcomes],
                "not_due": report.not_due,
                "left_out": report.left_out,
                "is_cut_off": report.is_cut_off,
            }
        )
    else:
        _say_if_simulated(_data_of_home())
        columns = ("source", "state", "as_of", "files", "bytes", "message")
        rows = [[getattr(outcome, name) for name in columns] for outcome in report.outcomes]
        if rows or not (report.left_out or report.not_due):
            _print_table("Fetched", columns, rows)
        for name, why in report.left_out.items():
            typer.echo(f"not asked: {name}: {why}")
        if report.not_due:
            typer.echo(f"not due: {', '.join(report.not_due)}")
        if report.added:
            typer.echo("Go on with: shortcast build")
    if report.is_cut_off and not settings().fetch_via:
        _err.print(
            "shortcast: nothing has answered; see whether this machine is connected. Without a "
            "network, bring an archive from a machine that has one: there 'shortcast archive "
            "export FILE', here 'shortcast archive import FILE'.",
            soft_wrap=True,
        )
    if report.failed or (sources and (report.left_out or report.not_due)):
        raise typer.Exit(1)


def _planned(one: Planned) -> dict[str, Any]:
    """Return what a fetch would do about a source, in the types that JSON has."""
    return {
        "source": one.source.name,
        "address": one.address,
        "asks": one.asks,
        "why_not": one.why_not,
    }


@app.command()
def build(
    force: Annotated[bool, typer.Option("--force", help="Build even if nothing changed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Parse what is new and swap in a new warehouse; report the coverage of every join.

    Example: shortcast build
    """
    from shortcast.features import warehouse

    with _progress() as tell:
        report = warehouse.build(force=force, progress=tell)
    snapshots = report.snapshots.to_dict("records")
    coverage = report.coverage.to_dict("records")
    data = _data_of_home()
    if as_json:
        _print_json(
            {
                "data": data,
                "rebuilt": report.rebuilt,
                "snapshots": snapshots,
                "coverage": coverage,
            }
        )
        return
    _say_if_simulated(data)
    typer.echo("Warehouse built." if report.rebuilt else "Nothing new: the warehouse stands.")
    _print_table(
        "Coverage of joins",
        ("join", "rows", "matched", "share", "floor"),
        [
            (
                c["join_name"],
                f"{c['rows']:,}",
                f"{c['matched']:,}",
                f"{c['share']:.1%}" if c["share"] == c["share"] else "",
                f"{c['floor']:.0%}" if c["floor"] == c["floor"] else "",
            )
            for c in coverage
        ],
    )
    rejected = sum(s["rejected"] for s in snapshots)
    typer.echo(
        f"{len(snapshots)} snapshots, {sum(s['rows'] for s in snapshots):,} rows, "
        f"{rejected:,} rows in quarantine."
    )
    for s in snapshots:
        if s["state"] == "refused":
            typer.echo(f"refused: {s['source']} of {s['as_of']:%Y-%m-%d}: {s['reason']}")


@app.command()
def panel(
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    start: Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")],
    end: Annotated[str, typer.Option("--to", help="Last month, YYYY-MM.")],
) -> None:
    """Write the drug-month table: what was known about each drug at each date.

    Example: shortcast panel --from 2018-01 --to 2022-06 --out panel.parquet
    """
    from shortcast.features.panel import write_panel
    from shortcast.features.warehouse import open_warehouse

    months = _months(start, end)
    with _progress() as tell, open_warehouse() as connection:
        rows = write_panel(connection, months, out, progress=tell)
    _say_if_simulated(_data_of_home())
    typer.echo(f"{out}: {rows:,} rows, {len(months)} months.")


@app.command()
def backtest(
    start: Annotated[str, typer.Option("--from", help="First month to score, YYYY-MM.")],
    end: Annotated[str, typer.Option("--to", help="Last month to score, YYYY-MM.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")] = Path("backtest"),
    random_split: Annotated[
        bool,
        typer.Option("--random-split", help="Also show what a leaky random split would claim."),
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Also write report.html, one page with every figure.")
    ] = False,
    by_group: Annotated[
        bool,
        typer.Option(
            "--groups",
            help="Also fit the champion without each feature group and on each alone: dear.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score the past as it would have been done then, beside every baseline.

    Example: shortcast backtest --from 2020-07 --to 2022-03 --out backtest --report
    """
    from shortcast import jobs

    _months(start, end)
    with _progress() as tell:
        metrics = jobs.backtest(
            start,
            end,
            out,
            random_split=random_split,
            report=report,
            by_group=by_group,
            progress=tell,
        )
    if as_json:
        _print_json(metrics)
        return
    _say_if_simulated(metrics["data"])
    _print_metrics(metrics)
    typer.echo(f"Files are in {out}.")


def _print_metrics(metrics: dict[str, Any]) -> None:
    """Print the main figures of a backtest, one table a horizon."""
    for horizon, found in metrics["horizons"].items():
        rows = []
        for name, model in found["models"].items():
            rows.append([name, *(_figure(model, keys) for keys, _ in _COLUMNS)])
        _print_table(
            f"Onset within {horizon} months", ["model", *(title for _, title in _COLUMNS)], rows
        )


#: Key of a figure in the metrics (a second key: inside it), and its title.
_COLUMNS = (
    (("roc_auc",), "AUC"),
    (("ap_over_prevalence",), "AP/prevalence"),
    (("precision_at_50",), "P@50"),
    (("events_at_50", "recall"), "events@50"),
    (("events_at_100", "recall"), "events@100"),
    (("brier_skill",), "Brier skill"),
    (("calibration_slope",), "slope"),
    (("observed_over_expected",), "O/E"),
)


def _figure(model: dict[str, Any], keys: Sequence[str]) -> str:
    """Write one figure of a model, '' where it has none."""
    value: Any = model
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else f"{value:.3f}"


@app.command()
def train() -> None:
    """Train the served model on all matured labels; log and register it in MLflow.

    Example: shortcast train
    """
    from shortcast import jobs

    with _progress() as tell:
        version = jobs.train(progress=tell)
    _say_if_simulated(_data_of_home())
    typer.echo(f"Trained version {version}. Serve it with 'shortcast promote'.")


@app.command()
def promote(
    version: Annotated[
        str | None, typer.Option("--version", help="Registered version; the newest by default.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Promote even if the rule says no; say why.")
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", help="Why the rule is overruled; it is recorded.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make a trained version the champion, if the rule says yes, and export it for the service.

    Example: shortcast promote --version 3
    """
    from shortcast.training.promotion import RefusedError
    from shortcast.training.promotion import promote as make_champion

    if force != bool(reason.strip()):
        raise typer.BadParameter(
            'to overrule the promotion rule, give both: --force --reason "why".',
            param_hint="--force",
        )
    try:
        with _progress() as tell:
            bundle, verdict = make_champion(version, force=reason.strip(), progress=tell)
    except RefusedError as refused:
        if as_json:
            _print_json({"data": _data_of_home(), **refused.verdict})
        raise
    if as_json:
        _print_json({"data": bundle.data, **verdict})
        return
    _say_if_simulated(bundle.data)
    for check in verdict["checks"]:
        typer.echo(f"{'passed' if check['passed'] else 'FAILED'}  {check['name']}: {check['says']}")
    typer.echo(verdict["note"])
    typer.echo(f"{bundle.name} version {bundle.version} is the champion.")


@app.command()
def score(
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="As-of date; today, or the day after the records end."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score every drug with the champion and append to the forecast log.

    Example: shortcast score
    """
    from shortcast import jobs

    with _progress() as tell:
        result = jobs.score(
            _day(None), as_of=_day(as_of) if as_of is not None else None, progress=tell
        )
    data = _data_of_home()
    if as_json:
        _print_json({"data": data, **vars(result)})
        return
    _say_if_simulated(data)
    typer.echo(result.message)


@app.command()
def rankings(
    horizon: Annotated[Horizon, typer.Option("--horizon", help="Months ahead.")] = Horizon.SIX,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Drugs to show.")] = 25,
    as_of: Annotated[str | None, typer.Option("--as-of", help="As-of date of a run.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the drugs at the highest estimated risk in the newest forecast.

    Example: shortcast rankings --horizon 6 --limit 10
    """
    from shortcast.database import migrate
    from shortcast.monitoring import forecast_log
    from shortcast.serving.words import disclaimer, percent

    migrate()
    asked = _day(as_of) if as_of is not None else None
    run = forecast_log.latest_run(asked)
    if run is None:
        until = f" as of {asked} or earlier" if asked else " yet"
        raise ShortcastError(f"There is no forecast{until}; run 'shortcast score' first.")
    rows = forecast_log.read_rankings(run.id, int(horizon)).head(limit)
    if as_json:
        _print_json(
            {
                "data": run.data,
                "as_of": run.as_of,
                "model": f"{run.model_name} {run.model_version}",
                "horizon_months": int(horizon),
                "disclaimer": disclaimer(run.data),
                "rankings": rows.to_dict("records"),
            }
        )
        return
    _say_if_simulated(run.data)
    _print_table(
        f"Estimated risk of a new shortage within {int(horizon)} months, as of {run.as_of}, "
        f"{run.model_name} version {run.model_version}",
        ("rank", "drug", "risk"),
        [(r["rank"], r["name"], percent(r["score"])) for r in rows.to_dict("records")],
    )
    _say_what_a_score_is(run.data)


@app.command()
def alerts(as_json: AsJson = False) -> None:
    """Open and close alerts by the newest forecast, and list those that stand.

    Example: shortcast alerts
    """
    import sqlalchemy as sa

    from shortcast import jobs
    from shortcast.database import session
    from shortcast.monitoring import forecast_log
    from shortcast.monitoring.forecast_log import ForecastRun
    from shortcast.serving.alerts import Alert
    from shortcast.serving.words import disclaimer, percent

    result = jobs.JOBS["alerts"](_day(None))
    run = forecast_log.latest_run()
    if run is None:
        raise ShortcastError("There is no forecast yet; run 'shortcast score' first.")
    with session(write=False) as reading:
        standing = reading.scalars(
            sa.select(Alert)
            .join(ForecastRun, ForecastRun.id == Alert.run_id)
            .where(ForecastRun.data == run.data, Alert.closed_on.is_(None))
            .order_by(Alert.rank, Alert.drug_id)
        ).all()
        rows = [(a.drug_id, a.kind, a.opened_on, a.rank, a.score, a.message) for a in standing]
    columns = ("drug_id", "kind", "opened_on", "rank", "score", "message")
    if as_json:
        _print_json(
            {
                "data": run.data,
                "as_of": run.as_of,
                "model": f"{run.model_name} {run.model_version}",
                "disclaimer": disclaimer(run.data),
                "alerts": [dict(zip(columns, row, strict=True)) for row in rows],
            }
        )
        return
    _say_if_simulated(run.data)
    _print_table(
        f"Standing alerts by the forecast as of {run.as_of}, {run.model_name} version "
        f"{run.model_version}; rank and risk within {jobs.REASONS_HORIZON} months",
        ("drug_id", "kind", "opened_on", "rank", "risk", "message"),
        [(*row[:4], percent(row[4]), row[5]) for row in rows],
    )
    typer.echo(result.message)
    _say_what_a_score_is(run.data)


@app.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port.")] = 8000,
) -> None:
    """Serve the pages and the API.

    Example: shortcast serve --port 8000
    """
    from shortcast.serving.app import serve as serve_

    serve_(host, port)


@app.command()
def schedule(
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, help="Play this many days at speed instead of waiting."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help="First day to play; by default the last one is today."),
    ] = None,
) -> None:
    """Run the daily jobs by the timetable, each once a day, and record every run.

    Example: shortcast schedule --days 10 --from 2022-10-04
    """
    from shortcast.jobs import JOBS
    from shortcast.schedule import run_schedule, simulate_days

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    # What these tell of every wake-up and migration would hide what the jobs say.
    for library in ("alembic", "apscheduler", "httpx2", "stamina"):
        logging.getLogger(library).setLevel(logging.WARNING)
    _say_if_simulated(_data_of_home())
    if days is None:
        run_schedule(JOBS)
        return
    first = _day(start) if start else _day(None) - timedelta(days=days - 1)
    simulate_days(JOBS, first, days)


@app.command()
def run(
    job: Annotated[str, typer.Argument(help="fetch, import, build, score, alerts or monitor.")],
    day: Annotated[str | None, typer.Option("--day", help="Day to run it for.")] = None,
) -> None:
    """Run one job of the schedule by hand, and record it.

    Example: shortcast run score
    """
    from shortcast.jobs import JOBS
    from shortcast.schedule import run_job

    if job not in JOBS:
        raise typer.BadParameter(f"There is no job {job!r}; the jobs are {', '.join(JOBS)}.")
    message = run_job(job, _day(day), JOBS).message
    _say_if_simulated(_data_of_home())
    typer.echo(message)


@app.command()
def runs(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Runs to show.")] = 25,
    as_json: AsJson = False,
) -> None:
    """Show what was run last, by the timetable or by hand, and how it ended.

    Example: shortcast runs --limit 10
    """
    from shortcast.database import migrate
    from shortcast.monitoring.job_runs import list_job_runs

    migrate()
    columns = ("job", "day", "due_at", "started_at", "ended_at", "outcome", "rows", "message")
    found = list_job_runs(limit)
    data = _data_of_home()
    if as_json:
        told = (*columns, "inputs")
        rows = [{"data": data, **{name: getattr(r, name) for name in told}} for r in found]
        _print_json(rows)
        return
    _say_if_simulated(data)
    if not found:
        typer.echo("No job has run yet: 'shortcast run JOB' runs one, 'shortcast schedule' all.")
        return
    _print_table("Runs", columns, [[_cell(getattr(r, name)) for name in columns] for r in found])


def _cell(value: object) -> object:
    """Write a moment to the second, in UTC; anything else as it is."""
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value


@app.command()
def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder to write; empty or not there yet.")],
    drugs: Annotated[int, typer.Option("--drugs", help="Drugs of the market.")] = 800,
    years: Annotated[int, typer.Option("--years", help="Years of records.")] = 12,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same files.")] = 1,
    to: Annotated[int, typer.Option("--to", help="Last year of the records.")] = 2025,
) -> None:
    """Write the records of a made-up market, in the official formats, with its true risks.

    Example: shortcast simulate --drugs 800 --years 12 --seed 1 --out simulated
    """
    from shortcast.features.simulated import ABOUT, TRUTH, records
    from shortcast.features.simulated.parameters import BadParameters, Parameters

    if to >= _day(None).year:
        raise typer.BadParameter(f"The year {to} is not over yet; records end with a whole year.")
    try:
        parameters = Parameters(drugs=drugs, years=years, seed=seed, last_year=to)
    except BadParameters as error:
        raise typer.BadParameter(str(error)) from error
    with _progress() as tell:
        records(parameters, out, progress=tell)
    typer.echo(f"SIMULATED records are in {out}; {ABOUT} says what they are, {TRUTH} the truth.")
    typer.echo(f"Go on with: shortcast import {out}")


@app.command()
def audit(
    records: Annotated[
        Path, typer.Option("--records", help="Records to falsify a copy of.")
    ] = Path("../shared/records"),
    at: Annotated[
        list[str] | None, typer.Option("--at", help="Month T, YYYY-MM; may be repeated.")
    ] = None,
) -> None:
    """Falsify everything that became known at or after T, and demand the same panel up to T.

    Example: shortcast audit --records ../shared/records --at 2020-05
    """
    from shortcast.audit import poisoned_future
    from shortcast.features.kind import data_of_tree

    with _progress() as tell:
        differences = poisoned_future(
            records, at or ["2020-05", "2021-05", "2021-12"], progress=tell
        )
    _say_if_simulated(data_of_tree(records))
    for line in differences:
        typer.echo(line)
    if differences:
        raise ShortcastError(
            f"{len(differences)} columns of the panel change with what came later; mend the "
            "reader or the group that lets it through."
        )
    typer.echo("Not one cell of the panel differs up to T.")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look whether all is well here, and say what to do if not; exit with 1 if there is something.

    Example: shortcast doctor
    """
    from shortcast.doctor import examine

    findings = examine()
    good = all(finding.good for finding in findings)
    if as_json:
        _print_json({"good": good, "findings": [vars(finding) for finding in findings]})
    else:
        for finding in findings:
            typer.echo(f"{'good' if finding.good else 'TO DO':<6}{finding.check}: {finding.found}")
            if finding.do:
                typer.echo(f"      -> {finding.do}")
    if not good:
        raise typer.Exit(1)


@app.command()
def up(
    records: Annotated[
        Path | None,
        typer.Option(
            "--records", help="Folder of public records; a home without any gets simulated ones."
        ),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port of the service.")
    ] = 8000,
    serve_: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Start the service at the end.")
    ] = True,
) -> None:
    """Do everything: import, build, backtest, train, promote, score, alerts, serve.

    Example: shortcast up

    Example: shortcast up --records ../shared/records
    """
    from shortcast import first_run

    if serve_:
        from shortcast.serving.app import require_free

        # Minutes of work come first: better told now that nothing could be served.
        require_free("127.0.0.1", port)
    with _progress() as tell:
        first_run.prepare(records, progress=tell)
    if not serve_:
        _say_if_simulated(_data_of_home())
    else:
        for line in first_run.what_to_try(f"http://127.0.0.1:{port}"):
            typer.echo(line)
        serve("127.0.0.1", port)


if __name__ == "__main__":
    main()
