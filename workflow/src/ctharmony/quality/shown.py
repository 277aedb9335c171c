"""Which scans and which slices of them are looked at and shown."""

from collections.abc import Collection

import numpy as np
import pandas as pd

Place = tuple[str, str]  # site, scan


def chosen_slices(mask: np.ndarray, count: int) -> list[int]:
    """Slice numbers evenly spread over those with lung (2), else body (1), else all.

    Args:
        mask: (slices, rows, columns); count: at most this many, at least one.
    """
    for label in (2, 1, 0):
        inside = np.flatnonzero((mask >= label).any(axis=(1, 2)))
        if len(inside):
            break
    shares = (np.arange(count) + 1) / (count + 1)
    return sorted({int(inside[round(float(share) * (len(inside) - 1))]) for share in shares})


def choose_scans(
    scans: pd.DataFrame, available: Collection[Place], per_site: int, total: int, last: str = ""
) -> list[Place]:
    """(site, scan) pairs to show: subjects seen at most sites first, sites taking turns.

    Args:
        scans: rows with site, scan, subject.
        available: (site, scan) pairs that have a picture to show.
        per_site: most scans of one site.
        total: most scans in all.
        last: a site that comes after all others, for the target, whose scans do not change.
    """
    if scans.empty or not available:
        return []
    kept = scans[[pair in available for pair in zip(scans["site"], scans["scan"], strict=True)]]
    kept = kept.assign(
        seen=-kept.groupby("subject")["site"].transform("nunique"), late=kept["site"] == last
    ).sort_values(["seen", "subject", "site", "scan"])
    kept = kept.assign(turn=kept.groupby("site").cumcount())
    kept = kept[kept["turn"] < per_site].sort_values(["turn", "late", "site"], kind="stable")
    return list(zip(kept["site"], kept["scan"], strict=True))[:total]
