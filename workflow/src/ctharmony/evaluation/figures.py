"""One style for every figure: colour-blind safe, units on each axis, the same bytes each time.

Colours follow Okabe and Ito (Color Universal Design, 2008); a marker or a line style repeats what
a colour says, so that a figure survives a grey print.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5B5B5B")
LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK, MUTED, GRID = "#1d2730", "#5f6b76", "#dfe4e8"
OURS, OTHER = COLOURS[0], "#8a949d"
WIDTH, HEIGHT = 4.6, 3.1

STYLE: dict[str, Any] = {
    "svg.hashsalt": "ctharmony",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    "figure.facecolor": "white",
}


def appearance(index: int) -> dict[str, str]:
    """Colour, marker and line style number `index`; 7 * 4 * 7 combinations before any repeats."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES[(index // len(COLOURS)) % len(LINES)],
    }


@matplotlib.rc_context(STYLE)
def save(figure: Figure, kind: str = "svg", dpi: int = 150) -> bytes:
    """Render `figure` as `svg` or `png` bytes; equal figures give equal bytes (no date, one salt).

    Raises:
        ValueError: `kind` is neither svg nor png.
    """
    if kind not in ("svg", "png"):
        raise ValueError(f"figures are saved as svg or png, not {kind}")
    stamp = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=stamp, dpi=dpi)
    return buffer.getvalue()


@matplotlib.rc_context(STYLE)
def new_axes(
    count: int = 1, width: float = WIDTH, height: float = HEIGHT, columns: int | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes in the house style, `columns` to a row; sizes in inches."""
    columns = min(count, columns or count)
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(-(-count // columns), columns, squeeze=False).ravel()
    for axes in grid[count:]:
        axes.remove()
    return figure, list(grid[:count])


def legend(axes: Axes, count: int) -> None:
    """A legend where it can be read; beyond 14 groups the caption and table must name them."""
    if 1 < count <= 14:
        axes.legend(ncols=2 if count > 5 else 1)


@matplotlib.rc_context(STYLE)
def intervals(rows: Sequence[Mapping[str, Any]], x: str, reference: float | None = None) -> Figure:
    """Dots with confidence intervals, one line per row, ours in colour.

    Args:
        rows: mappings with `label`, `value`, `low`, `high` and `ours` (bool).
        x: label with unit.
        reference: a value marked by a dashed line, such as chance.
    """
    figure, (axes,) = new_axes(height=0.9 + 0.3 * len(rows))
    for place, row in enumerate(rows):
        colour = OURS if row["ours"] else OTHER
        if np.isfinite([row["low"], row["high"]]).all():
            axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2.2)
        axes.plot(row["value"], place, "D" if row["ours"] else "o", color=colour, markersize=6)
    if reference is not None:
        axes.axvline(reference, color=MUTED, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
    axes.set(xlabel=x, ylim=(len(rows) - 0.4, -0.6))
    axes.grid(visible=False, axis="y")
    return figure


@matplotlib.rc_context(STYLE)
def dumbbells(
    rows: Sequence[Mapping[str, Any]],
    x: str,
    reference: float | None = None,
    least: float | None = None,
) -> Figure:
    """Before (hollow circle) and after (filled diamond) joined by a line, one row each.

    Args:
        rows: mappings with `label`, `before` and `after`, and `low`, `high` around `after`.
        x: label with unit.
        reference: a value marked by a dashed line, such as chance.
        least: what lies further left is cut off, so that one wild value does not hide the rest.
    """
    figure, (axes,) = new_axes(height=1.0 + 0.3 * len(rows))
    for place, row in enumerate(rows):
        axes.plot([row["before"], row["after"]], [place, place], color=OTHER, linewidth=1)
        axes.plot([row["low"], row["high"]], [place, place], color=OURS, linewidth=4, alpha=0.25)
        axes.plot(row["before"], place, "o", color=INK, markerfacecolor="white", markersize=6)
        axes.plot(row["after"], place, "D", color=OURS, markersize=6)
    axes.plot([], [], "o", color=INK, markerfacecolor="white", label="before")
    axes.plot([], [], "D", color=OURS, label="after")
    if reference is not None:
        axes.axvline(reference, color=MUTED, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
    axes.set(xlabel=x, ylim=(len(rows) - 0.4, -0.6))
    axes.grid(visible=False, axis="y")
    if least is not None:
        axes.set_xlim(left=max(least, axes.get_xlim()[0]))
    figure.legend(loc="outside upper right", ncols=2)
    return figure


@matplotlib.rc_context(STYLE)
def matrices(tables: Mapping[str, np.ndarray], names: Sequence[str], unit: str) -> Figure:
    """Symmetric tables side by side on one colour scale; the numbers are written in when they fit.

    Args:
        tables: title -> (sites, sites) distances.
        names: site of each row and column.
        unit: label of the colour bar.
    """
    side = max(2.3, 0.42 * len(names))
    figure, grid = new_axes(len(tables), (side + 0.5) * len(tables) + 0.7, side + 1.0)
    top = max((float(np.nanmax(t, initial=0)) for t in tables.values()), default=0) or 1.0
    for axes, (title, table) in zip(grid, tables.items(), strict=True):
        image = axes.imshow(np.asarray(table, float), cmap="cividis_r", vmin=0, vmax=top)
        axes.set_title(title)
        axes.grid(visible=False)
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), names if axes is grid[0] else [""] * len(names))
        if len(names) <= 8:
            for (row, column), value in np.ndenumerate(np.asarray(table, float)):
                ink = "white" if value > 0.4 * top else INK
                text = f"{value:.2g}" if np.isfinite(value) else "-"
                axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=8)
    figure.colorbar(image, ax=grid, label=unit, shrink=0.8)
    return figure


@matplotlib.rc_context(STYLE)
def scatter(
    groups: Mapping[str, tuple[Any, Any]], x: str, y: str, labelled: bool = False
) -> Figure:
    """Points per group; with `labelled` the group's name stands beside its first point."""
    figure, (axes,) = new_axes()
    for index, (name, (across, up)) in enumerate(groups.items()):
        style = appearance(index)
        axes.plot(across, up, style["marker"], color=style["color"], alpha=0.85, ms=5, label=name)
        if labelled and len(across):
            axes.annotate(name, (across[0], up[0]), (5, 4), textcoords="offset points", fontsize=8)
    axes.set(xlabel=x, ylabel=y)
    if not labelled:
        legend(axes, len(groups))
    return figure


@matplotlib.rc_context(STYLE)
def agreement(groups: Mapping[str, tuple[Any, Any]], unit: str) -> Figure:
    """Bland-Altman (Lancet 1986): difference against mean, bias and limits of agreement per group.

    Args:
        groups: method -> (first, second) measurements of the same subjects.
        unit: unit of both.
    """
    figure, (axes,) = new_axes()
    for index, (name, (first, second)) in enumerate(groups.items()):
        first, second = np.asarray(first, float), np.asarray(second, float)
        difference, style = second - first, appearance(index)
        axes.plot((first + second) / 2, difference, style["marker"], color=style["color"],
                  ms=4.5, label=name)  # fmt: skip
        bias, spread = np.nanmean(difference), 1.96 * np.nanstd(difference, ddof=1)
        axes.axhline(bias, color=style["color"], linewidth=1.3)
        for limit in (bias - spread, bias + spread):
            axes.axhline(limit, color=style["color"], linestyle=":", linewidth=1)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set(xlabel=f"mean of the two scans ({unit})", ylabel=f"difference ({unit})")
    legend(axes, len(groups))
    return figure


@matplotlib.rc_context(STYLE)
def retention(table: pd.DataFrame, bar: float) -> Figure:
    """Share of each factor's R2 that is kept against the confounding, a panel per method.

    Args:
        table: method, factor, correlation, kept, ci_low, ci_high; no answer is not-a-number.
        bar: share that must be kept, marked by a dashed line.
    """
    answered = table.dropna(subset=["kept"])
    methods, factors = list(table["method"].unique()), list(answered["factor"].unique())
    figure, panels = new_axes(max(len(methods), 1), 3.6 * max(len(methods), 1), 3.4)
    for axes, method in zip(panels, methods, strict=False):
        for index, factor in enumerate(factors):
            own = answered[(answered["method"] == method) & (answered["factor"] == factor)]
            place = own["correlation"] + 0.012 * (index - len(factors) / 2)
            reach = [(own["kept"] - own["ci_low"]).clip(0), (own["ci_high"] - own["kept"]).clip(0)]
            axes.errorbar(place, own["kept"], reach, label=factor, **appearance(index))
        axes.axhline(bar, color=MUTED, linestyle="--", linewidth=1)
        axes.set(title=method, xlabel="correlation of site and factor", ylabel="share of R2 kept")
    legend(panels[0], len(factors))
    return figure
