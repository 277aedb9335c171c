"""The noise of the result, measured and brought to the wanted level."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ctharmony.harmonization import bands
from ctharmony.quality.histogram import mode

BLOCK_MM = 6.0
SOFT_HU = (-20.0, 130.0)
MIN_BLOCKS = 20
QUARTILE = 25.0  # of the blocks' SDs: a first guess, the upper ones hold structure
ROUNDS = 2
LEAST, MOST = 0.4, 1.6  # of the factor on the noise gain
LIKELY_SHARE = 0.02  # closer than this to the wanted ratio is good enough

Carried = Callable[[bands.Plan], np.ndarray]


def block_noise(hu: np.ndarray, where: np.ndarray, pixel_mm: float) -> float:
    """Noise SD in HU: mode of the SD of small soft-tissue blocks, as ingest measures it.

    Args:
        hu: (slices, rows, columns) HU whose noise is wanted.
        where: same shape, HU that decide which blocks are soft tissue by their mean.
        pixel_mm: pixel size.

    Returns:
        SD in HU; NaN with too few blocks.
    """
    side = max(4, round(BLOCK_MM / pixel_mm))
    values, places = _blocks(hu, side), _blocks(where, side).mean(axis=1)
    soft = (places > SOFT_HU[0]) & (places < SOFT_HU[1])
    if soft.sum() < MIN_BLOCKS:
        return float("nan")
    spread = values[soft].std(axis=1, ddof=1)
    typical = float(np.percentile(spread, QUARTILE))
    return mode(spread, (0.2 * typical, 3 * typical), 0.08 * typical) if typical > 0 else 0.0


def level_noise(
    plan: bands.Plan, before: np.ndarray, carried: Carried, ratio: float, pixel_mm: float
) -> bands.Plan:
    """The plan with its noise gain scaled so that noise SD changes by `ratio`.

    Real tissue has faint texture in which some noise passes for signal; what that adds is only
    seen in the scan itself. The noise gain is scaled until the measured SD fits.

    Args:
        plan: of the scan.
        before: (slices, rows, columns) HU, a few slices of the scan.
        carried: function of a plan that gives these slices carried.
        ratio: wanted noise SD over the scan's.
        pixel_mm: pixel size.
    """
    start = block_noise(before, before, pixel_mm)
    if not (np.isfinite(ratio) and start > 0):
        return plan
    factor = 1.0
    for _ in range(ROUNDS):
        found = block_noise(carried(replace(plan, noise=plan.noise * factor)), before, pixel_mm)
        step = ratio * start / max(found, bands.POWER_FLOOR)
        if not np.isfinite(step) or abs(step - 1.0) < LIKELY_SHARE:
            break
        factor = float(np.clip(factor * step, LEAST, MOST))
    return replace(plan, noise=plan.noise * np.float32(factor))


def _blocks(hu: np.ndarray, side: int) -> np.ndarray:
    slices, rows, columns = hu.shape[0], hu.shape[1] // side, hu.shape[2] // side
    whole = hu[:, : rows * side, : columns * side]
    tiles = whole.reshape(slices, rows, side, columns, side).swapaxes(2, 3)
    return tiles.reshape(-1, side * side)
