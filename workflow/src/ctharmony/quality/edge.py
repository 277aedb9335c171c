"""Spatial resolution of a scan from its own skin: edge response, line spread, MTF.

After Sanders, Hurwitz and Samei (Med Phys 2016), who read the task transfer function off the
air-skin interface; distances are taken from a smooth curve through the sub-pixel crossings.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, signal

from ctharmony.quality.noise import FREQUENCIES

SEARCH = 4  # pixels before the first body pixel in which the skin is looked for


@dataclass(frozen=True)
class EdgeSettings:
    """How the edge response is measured.

    Attributes:
        level_hu: the skin is where the profile crosses this, HU.
        reach_mm: profile length on each side, mm.
        fit_mm: length of skin that one smooth curve is fitted to, mm.
        bin_mm: bin of the edge response, mm.
        max_slope: steepest skin relative to the image axis (1 is 45 degrees).
        max_blur_mm: skin that shifts more than this through one slice's thickness is left out, mm.
        max_residual_mm: crossings farther than this from the curve are left out, mm.
        min_profiles: fewer profiles give no MTF.
    """

    level_hu: float
    reach_mm: float
    fit_mm: float
    bin_mm: float
    max_slope: float
    max_blur_mm: float
    max_residual_mm: float
    min_profiles: int


def edge_response(
    hu: np.ndarray, body: np.ndarray, spacing: tuple[float, float, float], how: EdgeSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Mean profile across the skin, from air (negative distance) to tissue.

    Anterior and lateral skin is used; the back lies on the table.

    Args:
        hu: (slices, rows, columns) HU, rows growing to anterior.
        body: bool, same shape.
        spacing: (dz, dy, dx) mm.
        how: selection.

    Returns:
        distances (n,) mm and HU (n,); two empty arrays without enough profiles.
    """
    dz, dy, dx = spacing
    views = (
        (hu[:, ::-1], body[:, ::-1], (dz, dy, dx)),
        (hu.swapaxes(1, 2), body.swapaxes(1, 2), (dz, dx, dy)),
        (hu.swapaxes(1, 2)[:, ::-1], body.swapaxes(1, 2)[:, ::-1], (dz, dx, dy)),
    )
    profiles = [_profiles(*view, how) for view in views]
    distance = np.concatenate([part[0] for part in profiles])
    values = np.concatenate([part[1] for part in profiles])
    if sum(part[2] for part in profiles) < how.min_profiles:
        return np.empty(0), np.empty(0)
    count = int(2 * how.reach_mm / how.bin_mm)
    index = np.floor((distance + how.reach_mm) / how.bin_mm).astype(int)
    held = (index >= 0) & (index < count)
    counts = np.bincount(index[held], minlength=count)
    sums = np.bincount(index[held], values[held], minlength=count)
    if (counts == 0).any():
        return np.empty(0), np.empty(0)
    return (np.arange(count) + 0.5) * how.bin_mm - how.reach_mm, sums / counts


def mtf(distances: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Modulation transfer function on FREQUENCIES from an edge response.

    Args:
        distances: (n,) equidistant, mm.
        response: (n,) HU.

    Returns:
        (40,) float64, 1 at frequency zero; NaN without a response.
    """
    if len(distances) < 8:
        return np.full(FREQUENCIES.size, np.nan)
    step = distances[1] - distances[0]
    spread = np.diff(response)
    middle = (distances[1:] + distances[:-1]) / 2
    centre = _centre(middle, spread)
    half = min(centre - middle[0], middle[-1] - centre)
    # flat in the middle: a window that bends there would narrow the spread it lets through
    fall = np.clip(2 * np.abs(middle - centre) / half - 1, 0, 1)
    window = np.cos(0.5 * np.pi * fall) ** 2
    phase = np.exp(-2j * np.pi * np.outer(np.append(0, FREQUENCIES), middle - centre))
    transfer = np.abs(phase @ (spread * window))
    # binning and differencing each average over one bin
    lost = np.sinc(FREQUENCIES * step) ** 2
    return transfer[1:] / transfer[0] / lost


def frequency_at(curve: np.ndarray, level: float) -> float:
    """First frequency, cycles/mm, at which an MTF falls to `level`; NaN if it never does."""
    known = np.isfinite(curve)
    values = np.append(1.0, curve[known])
    frequencies = np.append(0.0, FREQUENCIES[known])
    below = np.flatnonzero(values < level)
    if below.size == 0:
        return float("nan")
    after = below[0]
    share = (values[after - 1] - level) / (values[after - 1] - values[after])
    return float(frequencies[after - 1] + share * (frequencies[after] - frequencies[after - 1]))


def _centre(middle: np.ndarray, spread: np.ndarray) -> float:
    smooth = np.clip(ndimage.gaussian_filter1d(spread, 3.0), 0, None)
    near = smooth >= 0.5 * smooth.max()
    return float((middle * smooth * near).sum() / (smooth * near).sum())


def _profiles(
    hu: np.ndarray, body: np.ndarray, spacing: tuple[float, float, float], how: EdgeSettings
) -> tuple[np.ndarray, np.ndarray, int]:
    """Distances (mm) and HU of pixels near the first skin met when the row index grows."""
    _, dy, dx = spacing
    crossing = _crossings(hu, body, how.level_hu)
    width = max(7, 2 * int(how.fit_mm / dx / 2) + 1)
    reach = int(np.ceil(1.5 * how.reach_mm / dy)) + 1
    if width >= crossing.shape[1]:
        return np.empty(0), np.empty(0), 0
    known = np.isfinite(crossing)
    filled = np.where(known, crossing, 0.0)
    curve = signal.savgol_filter(filled, width, 2, axis=1, mode="nearest")
    slope = signal.savgol_filter(filled, width, 2, deriv=1, axis=1, mode="nearest") * dy / dx
    smooth = _good_fit(crossing, curve, width, how.max_residual_mm / dy)
    steep = np.abs(np.gradient(curve, axis=0)) * dy if len(curve) > 1 else np.zeros_like(curve)
    good = smooth & (np.abs(slope) < how.max_slope) & (steep < how.max_blur_mm)
    good &= (curve > reach) & (curve < hu.shape[1] - reach - 1)
    z, x = np.nonzero(good)
    rows = np.rint(curve[z, x]).astype(int)[:, None] + np.arange(-reach, reach + 1)
    values = hu[z[:, None], rows, x[:, None]].astype(np.float64)
    distance = (rows - curve[z, x][:, None]) * dy / np.hypot(1, slope[z, x])[:, None]
    clear = _clear_of_objects(values, distance, how)
    return distance[clear].ravel(), values[clear].ravel(), int(clear.sum())


def _crossings(hu: np.ndarray, body: np.ndarray, level: float) -> np.ndarray:
    """Sub-pixel row (slices, columns) where the profile enters the body; NaN where it does not."""
    first = body.argmax(axis=1)
    z, x = np.indices(first.shape)
    # the mask begins above the level: the crossing lies up to a few pixels before it
    rows = first[..., None] + np.arange(-SEARCH, 2)
    near = hu[z[..., None], np.clip(rows, 0, hu.shape[1] - 1), x[..., None]].astype(np.float64)
    rising = (near[..., :-1] < level) & (near[..., 1:] >= level)
    last = near.shape[-1] - 2 - rising[..., ::-1].argmax(axis=-1)
    outer = np.take_along_axis(near, last[..., None], -1)[..., 0]
    inner = np.take_along_axis(near, last[..., None] + 1, -1)[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (level - outer) / (inner - outer)
    found = body.any(axis=1) & rising.any(axis=-1) & (first > SEARCH)
    padding = hu.max(axis=0) == hu.min()
    row = first - SEARCH + last
    found &= ~padding[np.clip(row, 0, hu.shape[1] - 1), x]
    return np.where(found, row + share, np.nan)


def _good_fit(crossing: np.ndarray, curve: np.ndarray, width: int, limit: float) -> np.ndarray:
    # one outlier bends the curve of its whole neighbourhood: all of the window must fit
    far = ~(np.abs(crossing - curve) < limit)
    return ~ndimage.maximum_filter1d(far.view(np.uint8), width, axis=1).view(bool)


def _clear_of_objects(values: np.ndarray, distance: np.ndarray, how: EdgeSettings) -> np.ndarray:
    """Profiles whose outer end is air and whose inner end is tissue."""
    outer = np.where(distance < -0.5 * how.reach_mm, values, -np.inf).max(axis=1, initial=-np.inf)
    inner = np.where(distance > 0.5 * how.reach_mm, values, np.inf).min(axis=1, initial=np.inf)
    return (outer < how.level_hu) & (inner > how.level_hu)
