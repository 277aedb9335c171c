"""Covariates beside the latent: p(site | covariates) of the training scans.

Sites differ in patients, so z_b may differ between sites as far as the covariates explain it; a
penalty that ignored them would delete disease. Covariates enter the critics only: the encoder, the
decoder and every transform never see them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

LEAST_SHARE = 0.05  # a site's probability is kept at this: rare overlap must not rule the penalty


class Conditioning:
    """Fitted on the training scans.

    Args:
        covariates: (scans, k), NaN where missing; k may be 0.
        site: (scans,) index of each scan's site.
        sites: how many there are.
    """

    def __init__(self, covariates: np.ndarray, site: np.ndarray, sites: int) -> None:
        known = np.isfinite(covariates)
        count = np.maximum(known.sum(0), 1)
        self.centre = np.where(known, covariates, 0.0).sum(0) / count
        spread = np.sqrt(np.where(known, (covariates - self.centre) ** 2, 0.0).sum(0) / count)
        self.scale = np.where(spread > 0, spread, 1.0)
        self.sites, self.model = sites, None
        if covariates.shape[1] and sites > 1:
            # balanced, because the sites take turns in every batch
            self.model = LogisticRegression(class_weight="balanced", max_iter=1000)
            self.model.fit(self._standardised(covariates), site)

    def context(self, covariates: Tensor) -> Tensor:
        """(n, k) standardised covariates, 0 where missing."""
        return torch.from_numpy(self._standardised(covariates.cpu().numpy())).to(covariates)

    def share(self, covariates: Tensor) -> Tensor:
        """(n, sites) p(site | covariates), each at least LEAST_SHARE / sites."""
        even = np.full((len(covariates), self.sites), 1.0 / self.sites)
        if self.model is not None:
            even = self.model.predict_proba(self._standardised(covariates.cpu().numpy()))
        shares = np.maximum(even, LEAST_SHARE / self.sites)
        return torch.from_numpy(shares / shares.sum(1, keepdims=True)).to(covariates)

    def _standardised(self, covariates: np.ndarray) -> np.ndarray:
        return np.nan_to_num((covariates - self.centre) / self.scale, nan=0.0)


def covariate_values(
    rows: Sequence[Mapping[str, object]], names: Sequence[str]
) -> dict[tuple[str, str], tuple[float, ...]]:
    """(site, scan) -> numbers of the named columns of manifest rows; NaN where missing.

    A column with words becomes one column of 0 and 1 per word but the first. A column that no
    manifest has is left out.
    """
    columns: list[list[float]] = []
    for name in names:
        values = [row.get(name) for row in rows]
        known = [value for value in values if value not in (None, "") and value == value]
        columns += _numbers(values, known) if known else []
    return {
        (str(row["site"]), str(row["scan"])): tuple(column[index] for column in columns)
        for index, row in enumerate(rows)
    }


def _numbers(values: list, known: list) -> list[list[float]]:
    present = [value not in (None, "") and value == value for value in values]
    try:
        [float(value) for value in known]
    except (TypeError, ValueError):
        words = sorted({str(value) for value in known})
        pairs = list(zip(values, present, strict=True))
        return [
            [float(str(value) == word) if there else np.nan for value, there in pairs]
            for word in words[1:]
        ]
    return [[float(v) if there else np.nan for v, there in zip(values, present, strict=True)]]
