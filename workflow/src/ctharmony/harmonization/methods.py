"""The baselines, fitted on two sites' measurements and ready to be applied to scans."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ctharmony.harmonization.baselines import (
    control_physics,
    match_band_energy,
    match_histogram,
)
from ctharmony.harmonization.curves import mean_curve
from ctharmony.harmonization.individual import site_histogram
from ctharmony.harmonization.operators import estimate_operator
from ctharmony.harmonization.settings import TransportSettings

Site = tuple[pd.DataFrame, pd.DataFrame]
Method = Callable[[np.ndarray, np.ndarray, tuple[float, float, float], pd.DataFrame], np.ndarray]


def fitted_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose scans may enter a site's statistics: a reference site's training scans, all of
    a query site's; none that was set aside.

    Raises:
        ValueError: nothing is left; the message names the site.
    """
    kept = rows[rows["status"] != "set_aside"]
    kept = kept[(kept["role"] != "reference") | (kept["split"] == "train")]
    if kept.empty:
        names = ", ".join(map(str, rows["site"].unique())) or "(unknown)"
        raise ValueError(f"site {names} has no usable training scan; give more subjects to train")
    return kept


def make_baselines(source: Site, target: Site, block: Mapping[str, Any]) -> dict[str, Method]:
    """Method name to function(hu, body, spacing, the scan's curves) -> hu.

    Args:
        source, target: (curves, rows) of all batches of the scan's site and of the target site.
        block: the harmonization config.
    """
    chosen = [(curves, fitted_rows(rows)) for curves, rows in (source, target)]
    operators = tuple(estimate_operator(curves, rows, block) for curves, rows in chosen)
    curves, rows = chosen[1]
    scans = rows["scan"].tolist()
    return {
        "histogram_matching": partial(_histogram, site_histogram(curves, scans)),
        "band_energy": partial(_bands, mean_curve(curves, scans, "spectrum"), block["band_energy"]),
        "physics_control": partial(
            _control, operators, TransportSettings.from_dict(block["transport"])
        ),
    }


def _histogram(target, hu, body, spacing, curves):
    own = site_histogram(curves, curves["scan"].unique().tolist())
    return match_histogram(hu, body, own, target)


def _bands(target, numbers, hu, body, spacing, curves):
    frequencies, mean = target
    own = mean_curve(curves, curves["scan"].unique().tolist(), "spectrum")[1]
    edges = tuple(float(edge) for edge in numbers["edges_per_mm"])
    found = (frequencies, own, mean)
    return match_band_energy(hu, spacing, found, edges, float(numbers["gain_cap"]))


def _control(operators, settings, hu, body, spacing, curves):
    return control_physics(hu, spacing, operators, settings)
