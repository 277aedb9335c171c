"""Figures: the same bytes each time, units on axes, and no crash on what is missing."""

import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from ctharmony.evaluation import figures
from ctharmony.evaluation.report import plots

FREQUENCY = np.linspace(0.0125, 0.9875, 40)
ROWS = [
    {"label": "ours", "value": 1.0, "low": 0.5, "high": 1.5, "ours": True},
    {"label": "other", "value": 2.0, "low": np.nan, "high": np.nan, "ours": False},
]
PAIRS = [{"label": "a", "before": 0.9, "after": 0.6, "low": np.nan, "high": np.nan}]
DRAWN = {
    "curves": lambda: plots.curves(
        {"a": (FREQUENCY, np.exp(-FREQUENCY) * np.ones((3, 1))), "b": (FREQUENCY, FREQUENCY)},
        "spatial frequency (cycles/mm)", "noise power (HU² mm²)", "y"),
    "histories": lambda: plots.histories(
        {"kl_z_b": {"train": ([0, 1], [2.0, 1.0]), "validation": ([0, 1], [2.0, 1.5])},
         "kl_z_s": {"train": ([0], [1.0])}}, "nats"),
    "slopes": lambda: plots.slopes({"a": np.array([[0.1, 0.5]]), "b": np.empty((0, 2))}, "nats"),
    "strips": lambda: plots.strips({"a": [1.0, 2.0, np.nan], "b": []}, "HU", 0.0),
    "intervals": lambda: figures.intervals(ROWS, "MAE (HU)", 0.0),
    "dumbbells": lambda: figures.dumbbells(PAIRS, "AUC", 0.5),
    "matrices": lambda: figures.matrices({"before": np.eye(3), "after": np.zeros((3, 3))}, "abc",
                                         "JS (nats)"),
    "scatter": lambda: figures.scatter({"a": ([1.0], [2.0])}, "x (nats)", "y (nats)", True),
    "agreement": lambda: figures.agreement({"a": ([1.0, 2.0], [1.5, 2.0])}, "HU"),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_equal_figures_give_equal_bytes_without_a_date(name):
    first, second = figures.save(DRAWN[name]()), figures.save(DRAWN[name]())
    assert first == second
    assert ElementTree.fromstring(first).tag.endswith("svg")
    assert b"<dc:date>" not in first


def test_png_has_the_size_asked_for_and_the_same_bytes():
    drawn = [figures.save(DRAWN["scatter"](), "png", dpi=100) for _ in range(2)]
    assert drawn[0] == drawn[1]
    size = Image.open(io.BytesIO(drawn[0])).size
    assert size == (round(100 * figures.WIDTH), round(100 * figures.HEIGHT))


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="svg or png, not pdf"):
        figures.save(DRAWN["scatter"](), "pdf")


def test_curves_show_the_median_and_the_tenth_to_ninetieth_percentile():
    members = np.arange(11.0)[:, None] * np.ones(40)
    axes = plots.curves({"site": (FREQUENCY, members)}, "f", "power").axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 5.0)
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (1.0, 9.0)


def test_curves_leave_out_frequencies_nobody_measured():
    values = np.where(FREQUENCY < 0.5, 1.0, np.nan)
    axes = plots.curves({"site": (FREQUENCY, values)}, "f", "MTF").axes[0]
    assert axes.lines[0].get_xdata().max() < 0.5


def test_bland_altman_lines_are_bias_and_limits_of_agreement():
    first, second = np.zeros(4), np.array([1.0, 3.0, 1.0, 3.0])
    axes = figures.agreement({"method": (first, second)}, "HU").axes[0]
    heights = sorted(line.get_ydata()[0] for line in axes.lines[1:4])
    spread = 1.96 * np.std(second, ddof=1)
    assert heights == pytest.approx([2 - spread, 2.0, 2 + spread])
    assert axes.get_ylabel() == "difference (HU)"


def test_matrices_write_numbers_and_share_one_scale():
    tables = {"before": np.array([[0.0, 0.5], [0.5, 0.0]]), "after": np.zeros((2, 2))}
    figure = figures.matrices(tables, ["a", "b"], "JS (nats)")
    first, second = figure.axes[:2]
    assert {text.get_text() for text in first.texts} == {"0", "0.5"}
    assert first.images[0].get_clim() == second.images[0].get_clim() == (0.0, 0.5)


def test_looks_differ_for_as_many_sites_as_a_legend_names():
    looks = {tuple(figures.appearance(index).values()) for index in range(14)}
    assert len(looks) == 14
    assert len({figures.appearance(index)["color"] for index in range(7)}) == 7


def test_long_names_stand_aslant():
    short = plots.strips({"a": [1.0], "b": [2.0]}, "HU").axes[0]
    long = plots.strips({"histogram matching": [1.0], "physics control (no learning)": [2.0]}, "HU")
    assert short.get_xticklabels()[0].get_rotation() == 0
    assert long.axes[0].get_xticklabels()[0].get_rotation() == 30
