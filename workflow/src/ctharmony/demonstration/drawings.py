"""Figures of the demonstrations, in the house style."""

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ctharmony.evaluation import figures
from ctharmony.evaluation.figures import COLOURS, MUTED, STYLE, appearance, legend, new_axes

COLUMNS, PANEL = 5, 1.7  # small multiples: panels in a row, inches


def bounds(table: pd.DataFrame) -> Figure:
    """Share of the closed form that each bound reaches on held-out samples, with 95% intervals."""
    rows = [
        {
            "label": f"{row.divergence}, {row.dimensions}-D",
            "value": row.share,
            "low": row.ci_low / row.closed_form,
            "high": row.ci_high / row.closed_form,
            "ours": True,
        }
        for row in table.itertuples()
    ]
    return figures.intervals(rows, "bound / closed form", reference=1.0)


@matplotlib.rc_context(STYLE)
def supports(table: pd.DataFrame) -> Figure:
    """What JS and Wasserstein say of two parallel lines at a distance."""
    figure, (left, right) = new_axes(2, 6.4, 2.8)
    for index, (name, own) in enumerate(table.groupby("divergence", sort=False)):
        style = appearance(index)
        look = {"color": style["color"], "marker": style["marker"], "label": name}
        left.plot(own["theta"], own["value"], **look)
        right.plot(own["theta"], own["slope"].abs(), **look)
    left.axhline(np.log(2.0), color=MUTED, linestyle="--", linewidth=1)
    left.set(xlabel="distance of the lines", ylabel="value (nats; distance)")
    right.set(xlabel="distance of the lines", ylabel="slope by the distance")
    legend(left, 2)
    return figure


@matplotlib.rc_context(STYLE)
def spreads(shown: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Target and generated samples on a line: divergence -> (real, generated)."""
    figure, grid = new_axes(len(shown), 3.2 * len(shown), 2.6)
    bins = np.linspace(-6.0, 6.0, 61)
    for axes, (name, (real, made)) in zip(grid, shown.items(), strict=True):
        axes.hist(real, bins, density=True, color=MUTED, alpha=0.4, label="target")
        axes.hist(made, bins, density=True, histtype="step", color=COLOURS[0], label="generated")
        axes.set(title=name, xlabel="x", ylabel="density")
    grid[0].legend()
    return figure


@matplotlib.rc_context(STYLE)
def constraint(table: pd.DataFrame) -> Figure:
    """Gradient norm of each critic between the samples and beyond them, one dot per seed."""
    figure, (axes,) = new_axes()
    names = list(dict.fromkeys(table["constraint"]))
    for index, (column, label) in enumerate(
        {"lipschitz": "between the samples", "lipschitz_off": "beyond them"}.items()
    ):
        style = appearance(index)
        place = [names.index(name) + 0.2 * (index - 0.5) for name in table["constraint"]]
        axes.plot(place, table[column], style["marker"], color=style["color"], label=label)
    axes.axhspan(0.9, 1.1, color=MUTED, alpha=0.2, linewidth=0)
    axes.set_xticks(range(len(names)), names)
    axes.set(ylabel="gradient norm (root mean square)", yscale="log")
    legend(axes, 2)
    return figure


@matplotlib.rc_context(STYLE)
def clouds(shown: Mapping[str, np.ndarray], centres: np.ndarray) -> Figure:
    """Generated samples (n, 2) of each divergence over the centres of the target's modes."""
    rows = -(-len(shown) // COLUMNS)
    figure, grid = new_axes(len(shown), PANEL * COLUMNS, PANEL * rows + 0.2, COLUMNS)
    for axes, (name, points) in zip(grid, shown.items(), strict=True):
        axes.plot(*centres.T, "+", color=COLOURS[1], ms=5)
        axes.plot(*points[:600].T, ".", color=COLOURS[0], ms=1.5, alpha=0.6)
        axes.set(title=name, xlim=(-3, 3), ylim=(-3, 3), xticks=[], yticks=[], aspect="equal")
    return figure


def trade(summary: pd.DataFrame) -> Figure:
    """Site AUC against biology R2, a labelled dot per divergence."""
    groups = {
        row.divergence: ([row.site_auc], [row.biology_r2])
        for row in summary.itertuples()
        if np.isfinite([row.site_auc, row.biology_r2]).all()
    }
    return figures.scatter(groups, "residual site AUC", "biology R2", labelled=True)
