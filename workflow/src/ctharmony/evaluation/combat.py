"""ComBat of feature tables, fitted on training scans and applied to others.

Location and scale of every batch are shrunk by empirical Bayes across features (Johnson, Li and
Rabinovic, Biostatistics 2007, equations 3.1 to 3.3, parametric priors), with the estimators of the
reference R code, which the tests hold to 1e-6. combatlearn 2.3 is not used for it: it shrinks
across batches instead of features and differs from the reference by up to two units.
"""

from dataclasses import dataclass

import numpy as np

TOLERANCE = 1e-4
ROUNDS = 1000


@dataclass(frozen=True)
class ComBatOptions:
    """Variants of ComBat.

    Attributes:
        mean_only: adjust location, leave scale.
        reference: batch that stays as it is, or None.
        shrink: empirical Bayes across features; off, each feature keeps its own estimates.
    """

    mean_only: bool = False
    reference: str | None = None
    shrink: bool = True


@dataclass(frozen=True)
class ComBat:
    """A fitted ComBat.

    Attributes:
        mean, scale: (features,) of the pooled model, in the features' units.
        slopes: (covariates, features) effects that are kept.
        location, spread: batch -> (features,) adjustments in standardised units.
        reference: batch that stays as it is, or None.
    """

    mean: np.ndarray
    scale: np.ndarray
    slopes: np.ndarray
    location: dict[str, np.ndarray]
    spread: dict[str, np.ndarray]
    reference: str | None

    def apply(
        self, features: np.ndarray, batches: np.ndarray, covariates: np.ndarray | None = None
    ) -> np.ndarray:
        """Harmonized features (scans, features); scans of a batch never fitted pass unchanged."""
        kept = 0.0 if covariates is None else covariates @ self.slopes
        standard = (features - self.mean - kept) / self.scale
        adjusted = np.array(features, dtype=np.float64)
        for batch, location in self.location.items():
            own = np.asarray(batches) == batch
            if batch != self.reference:
                part = (standard[own] - location) / np.sqrt(self.spread[batch])
                back = kept[own] if covariates is not None else 0.0
                adjusted[own] = part * self.scale + self.mean + back
        return adjusted


def fit_combat(
    features: np.ndarray,
    batches: np.ndarray,
    options: ComBatOptions,
    covariates: np.ndarray | None = None,
) -> ComBat:
    """Fit ComBat.

    Args:
        features: (scans, features), complete, every column varying.
        batches: (scans,) names, at least two of them, each with two scans or more.
        options: variant.
        covariates: (scans, covariates) numbers whose effect is kept. Never a label that is to be
            predicted: it would leak.

    Raises:
        ValueError: too few batches or scans, or values missing.
    """
    features, batches = np.asarray(features, dtype=np.float64), np.asarray(batches)
    names, counts = np.unique(batches, return_counts=True)
    if len(names) < 2 or counts.min() < 2 or not np.isfinite(features).all():
        raise ValueError("ComBat needs complete features and two batches of at least two scans")
    mean, slopes, scale = _pooled_model(features, batches, options.reference, covariates)
    kept = 0.0 if covariates is None else covariates @ slopes
    standard = (features - mean - kept) / scale
    location, spread = {}, {}
    for name in names:
        part = standard[batches == name]
        location[str(name)], spread[str(name)] = _adjustment(part, options)
    return ComBat(mean, scale, slopes, location, spread, options.reference)


def _pooled_model(
    features: np.ndarray,
    batches: np.ndarray,
    reference: str | None,
    covariates: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    names, counts = np.unique(batches, return_counts=True)
    design = (batches[:, None] == names[None]).astype(np.float64)
    if covariates is not None:
        design = np.concatenate([design, covariates], axis=1)
    effects = np.linalg.lstsq(design, features, rcond=None)[0]
    residual = np.square(features - design @ effects)
    slopes = effects[len(names) :]
    if reference is None:
        return counts / len(batches) @ effects[: len(names)], slopes, np.sqrt(residual.mean(0))
    own = batches == reference
    mean = effects[int(np.flatnonzero(names == reference)[0])]
    return mean, slopes, np.sqrt(residual[own].mean(0))


def _adjustment(standard: np.ndarray, options: ComBatOptions) -> tuple[np.ndarray, np.ndarray]:
    """Location and variance (features,) of one batch from its standardised scans."""
    location = standard.mean(axis=0)
    ones = np.ones_like(location)
    variance = ones if options.mean_only else standard.var(axis=0, ddof=1)
    if not options.shrink or len(location) < 2:
        return location, variance
    prior_mean, prior_variance = location.mean(), location.var(ddof=1)
    if options.mean_only:
        return (prior_variance * location + prior_mean) / (prior_variance + 1), ones
    return _posterior(standard, location, variance, (prior_mean, prior_variance))


def _posterior(
    standard: np.ndarray,
    location: np.ndarray,
    variance: np.ndarray,
    prior: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Iterated conditional modes of location and variance (Johnson 2007, equations 3.1, 3.2)."""
    n = len(standard)
    mean, spread = variance.mean(), max(variance.var(ddof=1), 1e-300)
    shape, rate = (2 * spread + mean**2) / spread, (mean * spread + mean**3) / spread
    old_location, old_variance = location, variance
    for _ in range(ROUNDS):
        top = prior[1] * n * location + old_variance * prior[0]
        new_location = top / (prior[1] * n + old_variance)
        squares = np.square(standard - new_location).sum(axis=0)
        new_variance = (squares / 2 + rate) / (n / 2 + shape - 1)
        # divided by the signed old value, as the reference code does
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = np.max(np.abs(new_location - old_location) / old_location)
            widened = np.max(np.abs(new_variance - old_variance) / old_variance)
        old_location, old_variance = new_location, new_variance
        if not max(moved, widened) > TOLERANCE:
            break
    return old_location, old_variance
