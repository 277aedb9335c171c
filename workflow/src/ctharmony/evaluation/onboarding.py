"""How many scans does a new site need? Subsets to onboard it from, and what their errors say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

ALL = "all"
TRAINED = "trained on the site"


@dataclass(frozen=True)
class Subset:
    """Scans that a site is onboarded from in one repeat.

    Attributes:
        size: number of scans, or `all`.
        repeat: number of the draw, from 0.
        scans: their ids.
    """

    size: str
    repeat: int
    scans: tuple[str, ...]


def subsets(scans: Sequence[str], sizes: Sequence[int], repeats: int, seed: int) -> list[Subset]:
    """Random subsets of each size that is smaller than the site, and the whole site last.

    Args:
        scans: ids of the scans at hand, none of them judged later.
        sizes, repeats: how many scans, how many draws of each size.
        seed: of the draws.

    Raises:
        ValueError: no scan at hand.
    """
    if not scans:
        raise ValueError("the site has no scan to be onboarded from; only scans with truth")
    found = []
    for size in sorted(set(sizes)):
        if size >= len(scans):
            continue
        for repeat in range(repeats):
            random = np.random.default_rng([seed, size, repeat])
            chosen = sorted(random.choice(len(scans), size, replace=False))
            found.append(Subset(str(size), repeat, tuple(scans[index] for index in chosen)))
    return [*found, Subset(ALL, 0, tuple(scans))]


def summarise(errors: pd.DataFrame) -> pd.DataFrame:
    """Error by number of scans, and its ratios to two others: all scans, and training on them.

    Args:
        errors: columns size, repeat, scan, paired_mae_hu; one row per judged scan. Size TRAINED is
            of a model that was trained on the site.

    Returns:
        Columns size, repeats, n (judged scans), paired_mae_hu (mean over scans and repeats),
        worst_mae_hu (of the worst draw), ratio to the error of size ALL, and ratio_to_trained.
    """
    by_draw = errors.groupby(["size", "repeat"], sort=False)["paired_mae_hu"].mean()
    whole, trained = by_draw[ALL].mean(), by_draw[TRAINED].mean()
    rows = []
    for size, values in by_draw.groupby(level="size", sort=False):
        judged = errors.loc[errors["size"] == size, "scan"].nunique()
        rows.append(
            {
                "size": size,
                "repeats": len(values),
                "n": judged,
                "paired_mae_hu": values.mean(),
                "worst_mae_hu": values.max(),
                "ratio": values.mean() / whole,
                "ratio_to_trained": values.mean() / trained,
            }
        )
    return pd.DataFrame(rows)
