"""A factor for the lung's noise, so that it comes out as the target scanner shows it there.

How much noisier soft tissue is than lung depends on the scanner: its bow-tie filter, current
modulation and electronic noise. One noise gain for both leaves that difference in the lung, where
it betrays the site. What both scanners show in calm lung foretells it; nothing is fitted to the
scan at hand, whose lung is its patient's.
"""

import numpy as np

from ctharmony.harmonization.blocks import in_blocks, spread_out
from ctharmony.harmonization.curves import smooth_bins
from ctharmony.harmonization.operators import ScannerOperator

TOP_SHARE = 0.2  # of the known frequencies: there the lung's power is noise
LEAST, MOST = 0.7, 1.4
SMOOTHING_BINS = 1.0
BLOCK = 4  # voxels; a vessel's wall must not make the lung's noise stop and go
DENSEST_HU, SURE_HU = -400.0, -600.0  # mean HU of a block between which it becomes lung


def lung_factor(
    source: ScannerOperator, target: ScannerOperator, signal: np.ndarray
) -> np.ndarray | None:
    """What the lung's noise is multiplied by besides its gain, (bins,); None where no lung is seen.

    Args:
        source, target: with their power in calm lung.
        signal: (bins,) gain of signal from one to the other.
    """
    share = noise_share(source)
    # where anatomy is half of the target's power or more, that power says nothing of noise
    trust = np.clip(2.0 * noise_share(target) - 1.0, 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = target.nps / source.nps  # what soft tissue's noise is brought to
        foretold = source.lung * (share * noise + (1.0 - share) * signal**2)
        log_factor = smooth_bins(0.5 * trust * np.log(target.lung / foretold), SMOOTHING_BINS)
    if not np.isfinite(log_factor).any():
        return None
    return np.clip(np.exp(np.where(np.isfinite(log_factor), log_factor, 0.0)), LEAST, MOST)


def noise_share(operator: ScannerOperator) -> np.ndarray:
    """Share of noise in the power of a scanner's calm lung, (bins,) from 0 to 1; 0 where unknown.

    The noise has the shape of soft tissue's, at the level of the highest frequencies.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = operator.lung / operator.nps
    known = np.flatnonzero(np.isfinite(ratio) & (ratio > 0))
    share = np.zeros_like(ratio)
    if known.size:
        level = np.median(ratio[known[-max(1, round(TOP_SHARE * known.size)) :]])
        share[known] = np.clip(level / ratio[known], 0.0, 1.0)
    return share


def lung_weight(plane: np.ndarray) -> np.ndarray:
    """How much of a slice's neighbourhood is lung or air, (rows, columns) from 0 to 1."""
    mean = in_blocks(plane, BLOCK).mean(axis=-1)
    weight = np.clip((DENSEST_HU - mean) / (DENSEST_HU - SURE_HU), 0.0, 1.0)
    return spread_out(weight, plane.shape, BLOCK)
