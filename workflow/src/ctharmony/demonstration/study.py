"""The demonstrations by name: settings in, tables and figures out."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ctharmony.demonstration import drawings
from ctharmony.demonstration.bounds import bounds, rate_parts
from ctharmony.demonstration.constraint import constraints
from ctharmony.demonstration.latents import invariances
from ctharmony.demonstration.mixtures import MIXTURES, modes, single_mode
from ctharmony.demonstration.play import Effort
from ctharmony.demonstration.supports import supports
from ctharmony.model.critics import WASSERSTEIN
from ctharmony.model.settings import Monitor

Found = tuple[dict[str, pd.DataFrame], dict[str, Figure]]
Block = Mapping[str, Any]
SHOWN_SPREADS = ("kl", "reverse_kl")
LOST_BIOLOGY = 0.05  # R2 that a default may lose against the best


def _bounds(how: Block, seeds: list[int]) -> Found:
    effort, sizes = Effort(**how["effort"]), (how["shift"], how["held_out"])
    table = pd.DataFrame(bounds(list(how["dimensions"]), *sizes, effort, seeds[0]))
    parts = pd.DataFrame([rate_parts(0.9, noise) for noise in (0.2, 0.5, 1.0)])
    parts["difference"] = parts["mutual_information"] + parts["marginal_kl"] - parts["rate"]
    return {"bounds": table, "rate": parts}, {"bounds": drawings.bounds(table)}


def _monitor(how: Block) -> Monitor:
    return Monitor(**how["monitor"])


def _supports(how: Block, seeds: list[int]) -> Found:
    distances = [float(value) for value in how["distances"]]
    rows = supports(
        ["js", WASSERSTEIN], distances, Effort(**how["effort"]), seeds[0], _monitor(how)
    )
    table = pd.DataFrame(rows)
    return {"supports": table}, {"supports": drawings.supports(table)}


def _single_mode(how: Block, seeds: list[int]) -> Found:
    rows, shown = [], {}
    for name in SHOWN_SPREADS:
        for seed in seeds:
            row, real, made = single_mode(name, Effort(**how["effort"]), seed)
            rows.append(row)
            shown.setdefault(name, (real.numpy()[:, 0], made.numpy()[:, 0]))
    return {"single_mode": pd.DataFrame(rows)}, {"single_mode": drawings.spreads(shown)}


def _constraint(how: Block, seeds: list[int]) -> Found:
    table = pd.DataFrame(constraints(Effort(**how["effort"]), seeds, _monitor(how)))
    return {"constraint": table}, {"constraint": drawings.constraint(table)}


def _mixture(mixture: str) -> Callable[[Block, list[int]], Found]:
    def run(how: Block, seeds: list[int]) -> Found:
        rows, shown = modes(mixture, Effort(**how["effort"]), seeds, _monitor(how))
        points = {name: samples.numpy() for name, samples in shown.items()}
        figure = drawings.clouds(points, MIXTURES[mixture]().centres.numpy())
        return {mixture: pd.DataFrame(rows)}, {mixture: figure}

    return run


def _invariance(how: Block, seeds: list[int]) -> Found:
    table = pd.DataFrame(invariances(how["weights"], Effort(**how["effort"]), seeds))
    summary = summarised(table)
    return {"invariance": table, "summary": summary}, {"invariance": drawings.trade(summary)}


DEMONSTRATIONS: dict[str, Callable[[Block, list[int]], Found]] = {
    "bounds": _bounds,
    "supports": _supports,
    "single_mode": _single_mode,
    "constraint": _constraint,
    **{name: _mixture(name) for name in MIXTURES},
    "invariance": _invariance,
}


def demonstrate(name: str, how: Block, seeds: int) -> Found:
    """Run one demonstration.

    Args:
        name: one of DEMONSTRATIONS.
        how: its block of the configuration, and the models' block `monitor` beside it.
        seeds: how many, from 0.

    Returns:
        Tables and figures by name.
    """
    return DEMONSTRATIONS[name](how, list(range(seeds)))


def summarised(table: pd.DataFrame) -> pd.DataFrame:
    """A row per divergence of the invariance problem: means and SDs over seeds, and the choice.

    Args:
        table: divergence, seed, site_auc, biology_r2, epoch_seconds, failed.
    """
    rows = []
    for name, own in table.groupby("divergence", sort=False):
        row = {"divergence": name, "seeds": len(own), "failures": int(own["failed"].sum())}
        for column in ("site_auc", "biology_r2"):
            row |= {column: own[column].mean(), f"{column}_sd": own[column].std(ddof=0)}
        rows.append(row | {"epoch_seconds": own["epoch_seconds"].median()})
    found = pd.DataFrame(rows)
    return found.assign(chosen=found["divergence"] == chosen(found))


def chosen(summary: pd.DataFrame) -> str:
    """The divergence that hides the site best among those that keep biology and never failed.

    Kept is a mean R2 within 0.05 of the best one; `none` and what ignores the covariates are no
    candidates. Empty where there is no candidate.
    """
    ours = ~summary["divergence"].isin(["none"]) & ~summary["divergence"].str.contains(" ")
    candidates = summary[ours & (summary["failures"] == 0)]
    if candidates.empty:
        return ""
    kept = candidates["biology_r2"] >= candidates["biology_r2"].max() - LOST_BIOLOGY
    auc = np.where(kept, candidates["site_auc"], np.inf)
    return str(candidates["divergence"].iloc[int(auc.argmin())])
