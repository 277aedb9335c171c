"""Information measures of histograms, in nats, and the distance to move one into another.

Every function takes counts or probabilities; they are normalised here. 0 log 0 is 0.
Source of the definitions: Cover and Thomas, Elements of Information Theory, chapter 2.
"""

import numpy as np


def normalised(histogram: np.ndarray) -> np.ndarray:
    """Probabilities (same shape, float64) of non-negative counts.

    Raises:
        ValueError: a count is negative or not finite, or all are zero.
    """
    counts = np.asarray(histogram, dtype=np.float64)
    total = counts.sum()
    if not np.isfinite(total) or total <= 0 or counts.min() < 0:
        raise ValueError("a histogram needs finite counts of at least zero, and one above zero")
    return counts / total


def entropy(histogram: np.ndarray) -> float:
    """Shannon entropy H(p) in nats of a histogram of any shape."""
    p = normalised(histogram)
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def kl(p: np.ndarray, q: np.ndarray) -> float:
    """Kullback-Leibler divergence D(p || q) in nats; infinite where q lacks what p has.

    Raises:
        ValueError: the two differ in shape.
    """
    p, q = _pair(p, q)
    held = p > 0
    if np.any(q[held] == 0):
        return float("inf")
    return max(0.0, float((p[held] * np.log(p[held] / q[held])).sum()))


def js(p: np.ndarray, q: np.ndarray) -> float:
    """Jensen-Shannon divergence in nats, between 0 and log 2 (Lin 1991)."""
    p, q = _pair(p, q)
    middle = (p + q) / 2
    return (kl(p, middle) + kl(q, middle)) / 2


def kl_to_uniform(histogram: np.ndarray) -> float:
    """Contrast: D(p || uniform) in nats, from 0 (flat) to log(number of bins) (one bin)."""
    p = normalised(histogram)
    return kl(p, np.full(p.shape, 1.0 / p.size))


def total_correlation(joint: np.ndarray) -> float:
    """Total correlation D(p(x1..xn) || p(x1)..p(xn)) in nats of a joint histogram (Watanabe 1960).

    Args:
        joint: one axis per variable.
    """
    p = normalised(joint)
    product = np.ones(())
    for axis in range(p.ndim):
        others = tuple(other for other in range(p.ndim) if other != axis)
        product = np.multiply.outer(product, p.sum(axis=others))
    return kl(p, product)


def mutual_information(joint: np.ndarray) -> float:
    """Mutual information D(p(x, y) || p(x) p(y)) in nats of a joint histogram (two axes).

    Raises:
        ValueError: the histogram does not have two axes.
    """
    if np.ndim(joint) != 2:
        raise ValueError(f"a joint histogram of two variables has two axes, not {np.ndim(joint)}")
    return total_correlation(joint)


def wasserstein_1d(positions: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    """Wasserstein-1 distance of two histograms on one axis, in the unit of `positions`.

    W1 is the area between the two cumulative distributions (Vallender 1974).

    Args:
        positions: (n,) increasing bin centres, e.g. HU.
        p: (n,) counts or probabilities.
        q: (n,) counts or probabilities.

    Raises:
        ValueError: shapes differ or positions do not increase.
    """
    p, q = _pair(p, q)
    positions = np.asarray(positions, dtype=np.float64)
    if positions.shape != p.shape or p.ndim != 1 or np.any(np.diff(positions) <= 0):
        raise ValueError("positions must increase and match the histograms, one value per bin")
    return float((np.abs(np.cumsum(p - q))[:-1] * np.diff(positions)).sum())


def _pair(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p, q = normalised(p), normalised(q)
    if p.shape != q.shape:
        raise ValueError(f"histograms of shapes {p.shape} and {q.shape} cannot be compared")
    return p, q
