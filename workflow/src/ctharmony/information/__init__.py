"""Information measures: every formula once, in nats.

Histograms (NumPy) can be measured from here; `gaussian`, `elbo`, `variational` and `parzen` hold
what needs torch.

    >>> from ctharmony import information
    >>> round(information.entropy([1, 1, 1, 1]), 4)  # log 4
    1.3863
    >>> round(information.kl([0.5, 0.5], [0.9, 0.1]), 4)
    0.5108
    >>> round(information.js([1, 0], [0, 1]), 4)  # log 2, its largest value
    0.6931
    >>> round(information.mutual_information([[1, 0], [0, 1]]), 4)
    0.6931
    >>> round(information.wasserstein_1d([-100.0, 0.0, 100.0], [1, 0, 0], [0, 0, 1]), 1)  # HU
    200.0
"""

from ctharmony.information.discrete import (
    entropy,
    js,
    kl,
    kl_to_uniform,
    mutual_information,
    normalised,
    total_correlation,
    wasserstein_1d,
)

__all__ = [
    "entropy",
    "js",
    "kl",
    "kl_to_uniform",
    "mutual_information",
    "normalised",
    "total_correlation",
    "wasserstein_1d",
]
