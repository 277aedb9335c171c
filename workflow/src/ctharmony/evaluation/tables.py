"""Feature tables and factors as arrays, aligned by scan."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ctharmony.evaluation.overlap import coded
from ctharmony.evaluation.probes import Prepare, Sample

KEYS = ("scan", "site", "subject", "folder", "status", "reason", "method")
NOT_FACTORS = (*KEYS, "travelling", "batch")


@dataclass(frozen=True)
class FeatureSet:
    """Features of one stage under one method.

    Attributes:
        method, stage: words of metrics.tsv; part: which features, for probes.tsv.
        main: whether its answers go to metrics.tsv; a stage has one main part per method.
        scans: (scans,) ids; names: (features,).
        sample: features, subjects and sites of these scans.
    """

    method: str
    stage: str
    part: str
    scans: tuple[str, ...]
    names: tuple[str, ...]
    sample: Sample
    main: bool = True


def feature_set(
    table: pd.DataFrame,
    scans: pd.DataFrame,
    words: tuple[str, str, str],
    prefix: str | tuple[str, ...] = "",
    prepare: Prepare | None = None,
) -> FeatureSet:
    """Numeric columns that begin with `prefix`, of scans that both tables know.

    Args:
        table: `scan` and one column per feature.
        scans: `scan`, `site`, `subject`.
        words: method, stage, part.
        prefix: of the columns that count.
        prepare: harmonizer run within folds.
    """
    names = [
        name
        for name in table.columns
        if name not in KEYS and name.startswith(prefix) and table[name].notna().any()
    ]
    joined = scans[["scan", "site", "subject"]].merge(table[["scan", *names]], on="scan")
    values = joined[names].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    sample = Sample(
        values,
        joined["subject"].to_numpy(dtype=str),
        joined["site"].to_numpy(dtype=str),
        prepare,
    )
    return FeatureSet(*words, tuple(joined["scan"]), tuple(names), sample)


def known_at_every_site(
    table: pd.DataFrame, scans: pd.DataFrame, least: float
) -> tuple[pd.DataFrame, dict[str, str]]:
    """`table` without the features that a whole site lacks: where they are missing names the site.

    A coarser pixel, for one, has no power in the highest bands.

    Args:
        table: `scan` and one column per feature; a scan may have several rows (methods).
        scans: `scan`, `site`.
        least: share of a site's rows that must know a feature, 0 to 1.

    Returns:
        The table, and of every feature left out the first site that lacks it.
    """
    names = [name for name in table.columns if name not in KEYS]
    sites = table["scan"].map(scans.set_index("scan")["site"])
    known = table[names].notna().groupby(sites).mean()
    # what no site knows says nothing about any
    lacking = known.lt(least) & known.any()
    lost = {name: str(lacking[name].idxmax()) for name in names if lacking[name].any()}
    return table.drop(columns=list(lost)), lost


def factor_table(
    scans: pd.DataFrame, truth: pd.DataFrame, covariates: Sequence[str]
) -> pd.DataFrame:
    """`scan` and one numeric column per biological factor: true ones, else the sheet's covariates.

    A factor that does not vary is left out.
    """
    if len(truth):
        table = truth.drop(columns=[name for name in NOT_FACTORS[1:] if name in truth])
    else:
        table = scans[["scan", *[name for name in covariates if name in scans]]]
    table = table.assign(**{name: coded(table[name]) for name in table.columns if name != "scan"})
    kept = [name for name in table.columns if name == "scan" or table[name].nunique() > 1]
    return table[kept]


def aligned(table: pd.DataFrame, scans: Sequence[str]) -> pd.DataFrame:
    """Rows of `table` in the order of `scans`; unknown scans become rows of missing values."""
    return table.drop_duplicates("scan").set_index("scan").reindex(list(scans))
