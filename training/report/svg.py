"""Small figures as inline SVG: no library, no script, readable on a phone and in print.

Every figure is drawn 360 units wide, so that its words keep their size on a narrow screen;
colours come from the page's stylesheet by class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import sqrt

WIDTH = 360


@dataclass(frozen=True)
class Point:
    """A point with what it may be taken for.

    Attributes
    ----------
    x, y : float
        Where it lies.
    low, high : float or None
        Ends of its interval, along y.
    """

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """Points of one model.

    Attributes
    ----------
    name : str
        The model.
    points : tuple of Point
        In order of x.
    """

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Whisker:
    """A difference with its interval.

    Attributes
    ----------
    name : str
        What it is.
    value : float
        The difference.
    low, high : float or None
        Ends of the interval.
    """

    name: str
    value: float
    low: float | None
    high: float | None


def whiskers(title: str, rows: Sequence[Whisker], digits: int = 3) -> str:
    """Draw differences one below another, beside the line of no difference.

    Parameters
    ----------
    title : str
        What is seen; read out instead of the figure.
    rows : sequence of Whisker
        From top to bottom.
    digits : int
        Of the axis.

    Returns
    -------
    str
        An ``svg`` element.
    """
    left, right, step, top = 150, WIDTH - 14, 26, 8
    ends = [0.0]
    for row in rows:
        ends += [end for end in (row.value, row.low, row.high) if end is not None]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.04 or 0.01
    low, high = low - room, high + room

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    bottom = top + step * len(rows)
    parts = [_line(x(0), top, x(0), bottom, "zero")]
    for i, row in enumerate(rows):
        y = top + step * (i + 0.5)
        sure = row.low is not None and row.high is not None and (row.low > 0 or row.high < 0)
        kind = "sure" if sure else "open"
        parts.append(_text(left - 10, y + 4, row.name, "end"))
        if row.low is not None and row.high is not None:
            parts.append(_line(x(row.low), y, x(row.high), y, f"whisker {kind}"))
        parts.append(f'<circle class="{kind}" cx="{x(row.value):.1f}" cy="{y:.1f}" r="4.5"/>')
    for tick in _ticks(low, high):
        parts.append(_line(x(tick), bottom, x(tick), bottom + 4, "axis"))
        parts.append(_text(x(tick), bottom + 18, _signed(tick, digits), "middle"))
    parts.append(_line(left, bottom, right, bottom, "axis"))
    return _svg(title, bottom + 26, parts)


def reliability(title: str, series: Sequence[Series]) -> str:
    """Draw observed shares against scores, both on square-root scales.

    Parameters
    ----------
    title : str
        What is seen.
    series : sequence of Series
        Mean score (x) and share with an onset (y) of groups of drug-months.

    Returns
    -------
    str
        An ``svg`` element; on the diagonal as many came as the scores said.
    """
    ends = [e for s in series for p in s.points for e in (p.x, p.y, p.high) if e is not None]
    top = max([*ends, 1e-4]) * 1.05

    def scale(value: float) -> float:
        return sqrt(max(value, 0.0) / top)

    ticks = [t for t in (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8) if t <= top]
    # Too close together at the lower end, they would be written over one another.
    ticks = [0.0] + [t for t in ticks if scale(t) > 0.15]
    return _plot(
        title,
        series,
        scale,
        scale,
        [(t, _share(t)) for t in _apart(ticks, scale)],
        [(t, _share(t)) for t in _apart(ticks, scale)],
        ("score", "share with an onset"),
        diagonal=True,
    )


def lines(
    title: str, series: Sequence[Series], axes: tuple[str, str], backwards: bool = False
) -> str:
    """Draw shares from 0 to 1 over whole numbers.

    Parameters
    ----------
    title : str
        What is seen.
    series : sequence of Series
        Whole x.
    axes : tuple of str
        Words under and beside the figure.
    backwards : bool
        Whether x runs from high to low.

    Returns
    -------
    str
        An ``svg`` element.
    """
    xs = sorted({point.x for one in series for point in one.points}) or [0.0, 1.0]
    reach = (xs[-1] - xs[0]) or 1.0
    shares = [p.high or p.y for one in series for p in one.points]
    most = min(1.0, max([*shares, 0.05]) * 1.1)

    def across(value: float) -> float:
        part = (value - xs[0]) / reach
        return 1.0 - part if backwards else part

    def up(value: float) -> float:
        return min(value / most, 1.0)

    step = 0.25 if most > 0.6 else 0.1 if most > 0.2 else 0.05 if most > 0.1 else 0.02
    return _plot(
        title,
        series,
        across,
        up,
        [(x, f"{x:.0f}") for x in xs],
        [(i * step, _share(i * step)) for i in range(int(most / step + 1e-9) + 1)],
        axes,
        diagonal=False,
    )


def _plot(
    title: str,
    series: Sequence[Series],
    across: Callable[[float], float],
    up: Callable[[float], float],
    x_ticks: Sequence[tuple[float, str]],
    y_ticks: Sequence[tuple[float, str]],
    axes: tuple[str, str],
    diagonal: bool,
) -> str:
    """Draw series over two axes; the scales map values to 0 to 1."""
    left, right, top, bottom = 50, WIDTH - 12, 14 + 18 * len(series), 0
    bottom = top + (right - left) * 3 // 4

    def x(value: float) -> float:
        return left + across(value) * (right - left)

    def y(value: float) -> float:
        return bottom - up(value) * (bottom - top)

    parts = []
    for i, one in enumerate(series):
        parts.append(f'<circle class="series s{i}" cx="{left + 5}" cy="{10 + 18 * i}" r="4.5"/>')
        parts.append(_text(left + 16, 14 + 18 * i, one.name, "start"))
    for tick, word in y_ticks:
        parts.append(_line(left, y(tick), right, y(tick), "grid"))
        parts.append(_text(left - 6, y(tick) + 4, word, "end"))
    for tick, word in x_ticks:
        parts.append(_line(x(tick), bottom, x(tick), bottom + 4, "axis"))
        parts.append(_text(x(tick), bottom + 18, word, "middle"))
    parts.append(_line(left, bottom, right, bottom, "axis"))
    if diagonal:
        parts.append(_line(left, bottom, right, top, "zero"))
    # The first is what the page is about, and lies on top.
    for i, one in reversed(list(enumerate(series))):
        path = " ".join(f"{x(p.x):.1f},{y(p.y):.1f}" for p in one.points)
        parts.append(f'<polyline class="series s{i}" points="{path}"/>')
        for p in one.points:
            if p.low is not None and p.high is not None:
                parts.append(_line(x(p.x), y(p.low), x(p.x), y(p.high), f"whisker s{i}"))
            parts.append(f'<circle class="series s{i}" cx="{x(p.x):.1f}" cy="{y(p.y):.1f}" r="4"/>')
    parts.append(_text((left + right) / 2, bottom + 36, f"{axes[0]} →", "middle"))
    parts.append(_text(right, top - 4, f"↑ {axes[1]}", "end"))
    return _svg(title, bottom + 44, parts)


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    """Wrap the parts of a figure."""
    said = escape(title, quote=True)
    return (
        f'<svg class="figure" role="img" aria-label="{said}" viewBox="0 0 {WIDTH} {height:.0f}">'
        f"{''.join(parts)}</svg>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Draw a line."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    """Write words."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _ticks(low: float, high: float) -> list[float]:
    """Choose round numbers within reach, no more than fit below a narrow figure."""
    step = 1e-4
    for step in (k * 10.0**e for e in range(-4, 4) for k in (1, 2, 5)):
        if (high - low) / step <= 4:
            break
    first = int(low / step) - 1
    found = [i * step for i in range(first, first + 12)]
    return [round(t, 6) for t in found if low <= t <= high]


def _apart(ticks: Sequence[float], scale: Callable[[float], float]) -> list[float]:
    """Keep of ascending ticks those whose words do not touch."""
    kept: list[float] = []
    for tick in ticks:
        if not kept or scale(tick) - scale(kept[-1]) > 0.12:
            kept.append(tick)
    return kept


def _share(value: float) -> str:
    """Write a share on an axis."""
    return f"{100 * value:.3g}%"


def _signed(value: float, digits: int) -> str:
    """Write a difference on an axis."""
    text = f"{value:+.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("+0", "-0", "+", "-") else text.replace("-", "−")
