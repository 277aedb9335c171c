"""The report's own figures: curves per site, histories, paired and stripped dots."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctharmony.evaluation.figures import (
    COLOURS,
    INK,
    LINES,
    MARKERS,
    MUTED,
    STYLE,
    appearance,
    legend,
    new_axes,
)

PANELS, PANEL_WIDTH = 3, 2.7  # panels in a row, inches of one
DECADES = 6  # of a logarithmic axis below its top: what is rarer is noise
LETTERS = 46  # that fit under a figure in one line


@matplotlib.rc_context(STYLE)
def curves(
    lines: Mapping[str, tuple[Sequence[float], np.ndarray]], x: str, y: str, log: str = ""
) -> Figure:
    """Median curve per group with its 10-90% band.

    Args:
        lines: group -> (abscissa (points,), ordinates (members, points)); NaN is left out.
        x: label of the abscissa with its unit.
        y: label of the ordinate with its unit.
        log: "y" for a logarithmic ordinate.
    """
    figure, (axes,) = new_axes()
    for index, (name, (abscissa, members)) in enumerate(lines.items()):
        members = np.atleast_2d(np.asarray(members, dtype=float))
        seen = np.isfinite(members).any(axis=0)
        low, middle, high = np.nanpercentile(members[:, seen], [10, 50, 90], axis=0)
        style = appearance(index)
        where = np.asarray(abscissa, dtype=float)[seen]
        axes.plot(where, middle, color=style["color"], linestyle=style["linestyle"], label=name)
        if len(members) > 1:
            axes.fill_between(where, low, high, color=style["color"], alpha=0.15, linewidth=0)
    if log:
        axes.set_yscale("log")
        axes.set_ylim(bottom=max(axes.get_ylim()[0], axes.get_ylim()[1] / 10**DECADES))
    axes.set(xlabel=x, ylabel=y)
    legend(axes, len(lines))
    return figure


@matplotlib.rc_context(STYLE)
def histories(panels: Mapping[str, Mapping[str, tuple[Any, Any]]], unit: str) -> Figure:
    """Small multiples: a panel per term of the objective, a line per split over the epochs.

    Args:
        panels: title -> line -> (epochs, values).
        unit: unit of every value, such as nats.
    """
    columns = min(len(panels), PANELS)
    rows = -(-len(panels) // columns)
    tall = 2.6 if rows == 1 else 1.75 * rows + 0.3
    figure, grid = new_axes(len(panels), PANEL_WIDTH * max(columns, 2), tall, columns)
    named: list[str] = []
    for place, (axes, (title, lines)) in enumerate(zip(grid, panels.items(), strict=True)):
        for index, (name, (epochs, values)) in enumerate(lines.items()):
            look = {"color": COLOURS[index], "linestyle": LINES[index % len(LINES)]}
            marker = MARKERS[index] if len(epochs) == 1 else None
            axes.plot(epochs, values, **look, marker=marker, label=name)
        axes.set_title(title.replace("_", " "))
        axes.set_ylabel(unit if place % columns == 0 else "")
        axes.set_xlabel("epoch" if place >= len(panels) - columns else "")
        if list(lines) not in named and len(lines) > 1:
            axes.legend(fontsize=7)
            named.append(list(lines))
    return figure


@matplotlib.rc_context(STYLE)
def slopes(groups: Mapping[str, np.ndarray], y: str) -> Figure:
    """Each member's value before and after, joined by a line, side by side per group.

    Args:
        groups: group -> (members, 2) values before and after.
        y: label with unit.
    """
    figure, (axes,) = new_axes()
    for index, pairs in enumerate(groups.values()):
        style = appearance(index)
        axes.plot(
            [index - 0.2, index + 0.2], np.atleast_2d(pairs).T, color=style["color"], marker=".",
            linewidth=0.8, alpha=0.75,
        )  # fmt: skip
    _name_groups(axes, list(groups))
    axes.set(ylabel=y)
    axes.grid(visible=False, axis="x")
    return figure


@matplotlib.rc_context(STYLE)
def strips(groups: Mapping[str, Sequence[float]], y: str, reference: float | None = None) -> Figure:
    """Every member of every group as a dot with the group's median as a bar; `y` has the unit."""
    figure, (axes,) = new_axes()
    for index, members in enumerate(groups.values()):
        style = appearance(index)
        values = np.asarray(members, dtype=float)
        # an even spread by rank: no random jitter, so the picture never changes
        spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(len(values))
        axes.plot(index + spread, np.sort(values), style["marker"], color=style["color"], ms=4)
        if np.isfinite(values).any():
            middle = float(np.nanmedian(values))
            axes.plot([index - 0.3, index + 0.3], [middle, middle], color=INK, linewidth=1.2)
    if reference is not None:
        axes.axhline(reference, color=MUTED, linestyle="--", linewidth=1)
    _name_groups(axes, list(groups))
    axes.set(ylabel=y)
    axes.grid(visible=False, axis="x")
    return figure


def _name_groups(axes: Axes, names: list[str]) -> None:
    """Names under their groups, aslant where they would touch one another."""
    aslant = len(names) * max(map(len, names), default=0) > LETTERS
    slope = {"rotation": 30, "ha": "right"} if aslant else {}
    axes.set_xticks(range(len(names)), names, **slope)


@matplotlib.rc_context(STYLE)
def spreads(groups: Mapping[str, tuple[np.ndarray, np.ndarray]], x: str, y: str) -> Figure:
    """Mean and SD of every dimension, groups side by side.

    Args:
        groups: group -> (mean, SD), each (dimensions,).
        x, y: labels of the axes.
    """
    figure, (axes,) = new_axes()
    for index, (name, (mean, spread)) in enumerate(groups.items()):
        style = appearance(index)
        place = np.arange(len(mean)) + 0.6 * ((index + 0.5) / len(groups) - 0.5)
        axes.errorbar(
            place, mean, spread, fmt=style["marker"], color=style["color"], ms=4, label=name
        )
    axes.set(xlabel=x, ylabel=y)
    legend(axes, len(groups))
    return figure


@matplotlib.rc_context(STYLE)
def of_each_scan(
    panels: Mapping[str, tuple[pd.DataFrame, tuple[str, str, bool]]], dashed: Collection[str]
) -> Figure:
    """Small multiples with one line per scan and the median of all.

    Args:
        panels: title -> (frame (scans, points) with the abscissa as columns; label of the
            abscissa, label of the ordinate, whether the ordinate is logarithmic).
        dashed: scans drawn dashed and dark.
    """
    figure, grid = new_axes(len(panels), PANEL_WIDTH * max(len(panels), 2), 2.4)
    for axes, (title, (frame, (x, y, log))) in zip(grid, panels.items(), strict=True):
        abscissa, values = frame.columns.to_numpy(float), frame.to_numpy(float)
        if log:
            values = np.where(values > 0, values, np.nan)
        for scan, line in zip(frame.index, values, strict=True):
            out = scan in dashed
            look = {"linestyle": "--", "alpha": 1.0} if out else {"alpha": 0.35}
            axes.plot(abscissa, line, color=INK if out else COLOURS[0], linewidth=0.8, **look)
        seen = np.isfinite(values).any(axis=0)
        middle = np.nanmedian(values[:, seen], axis=0)
        axes.plot(abscissa[seen], middle, color=COLOURS[1], linewidth=1.6)
        if log:
            axes.set_yscale("log")
            axes.set_ylim(bottom=max(axes.get_ylim()[0], axes.get_ylim()[1] / 10**DECADES))
        axes.set_title(title.upper() if len(title) == 3 else title)
        axes.set(xlabel=x, ylabel=y)
    return figure
