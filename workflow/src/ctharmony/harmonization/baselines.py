"""The simple methods that stand beside ours in every table. None of them sees a pair.

All take (slices, rows, columns) float32 HU and return the same shape; background outside the
body mask stays as it was where the method is defined on the body.
"""

from dataclasses import dataclass

import numpy as np

from ctharmony.harmonization import bands
from ctharmony.harmonization.calibration import HIGHEST_HU, LOWEST_HU, hu_curve
from ctharmony.harmonization.gains import Gains, ratio_gains
from ctharmony.harmonization.operators import ScannerOperator
from ctharmony.harmonization.settings import TransportSettings
from ctharmony.harmonization.transport import noise_floor


@dataclass(frozen=True)
class Histogram:
    """Probability of HU in the body: `centres` (bins,) HU evenly spaced, `probability` (bins,)."""

    centres: np.ndarray
    probability: np.ndarray

    def cumulative(self) -> tuple[np.ndarray, np.ndarray]:
        """HU at the bins' edges and the cumulative probability there, both (bins + 1,)."""
        width = self.centres[1] - self.centres[0]
        edges = np.append(self.centres - width / 2, self.centres[-1] + width / 2)
        total = np.concatenate([[0.0], np.cumsum(self.probability)])
        return edges, total / total[-1]


def match_histogram(
    hu: np.ndarray, body: np.ndarray, own: Histogram, target: Histogram
) -> np.ndarray:
    """Map HU inside `body` so that the scan's distribution becomes the target site's.

    The two cumulative distributions are composed by linear interpolation (Nyul & Udupa, Magn
    Reson Med 1999;42:1072, with every bin a landmark).

    Args:
        hu: (slices, rows, columns) HU.
        body: bool, same shape.
        own, target: distribution of this scan and of the target site.
    """
    edges, own_rank = own.cumulative()
    target_edges, target_rank = target.cumulative()
    rising = np.append(np.diff(target_rank) > 0, True)
    mapped = np.interp(own_rank, target_rank[rising], target_edges[rising])
    result = np.array(hu, dtype=np.float32)
    inside = hu[body]
    # beyond the table the end offset is kept
    offset = np.interp(inside, edges, mapped - edges)
    result[body] = np.clip(inside + offset, LOWEST_HU, HIGHEST_HU)
    return result


def match_band_energy(
    hu: np.ndarray,
    spacing: tuple[float, float, float],
    curves: tuple[np.ndarray, np.ndarray, np.ndarray],
    edges_per_mm: tuple[float, ...],
    gain_cap: float,
) -> np.ndarray:
    """Scale each frequency band to the target site's mean energy (Gallardo-Estrella, Eur Radiol
    2016;26:478), with bands in cycles/mm instead of voxels.

    Args:
        hu: (slices, rows, columns) HU.
        spacing: (dz, dy, dx) mm.
        curves: frequencies, power spectrum of this scan's body, mean one of the target site's,
            each (bins,); NaN = unknown.
        edges_per_mm: passages between bands; what lies below the first is left alone.
        gain_cap: largest amplification.
    """
    frequencies, own, target = curves
    gain = band_gain(frequencies, own, target, edges_per_mm)
    gain = np.minimum(gain, gain_cap)
    none = np.zeros_like(gain)
    plan = bands.make_plan(
        hu.shape[1:],
        spacing[1:],
        Gains(frequencies, gain, gain, none, none),
        none,
        bands.BandSettings(edges_per_mm, window_cycles=1.0, noise_margin=1.0),
    )
    filtered = np.stack([bands.filtered(plane, plan) for plane in hu])
    return np.clip(filtered, LOWEST_HU, HIGHEST_HU)


def band_gain(
    frequencies: np.ndarray, own: np.ndarray, target: np.ndarray, edges: tuple[float, ...]
) -> np.ndarray:
    """Gain (bins,) that gives every band of `own` the energy of `target`."""
    windows = bands.partition(frequencies, edges)
    gain = 1.0 - np.sum(windows, axis=0)
    known = np.isfinite(own) & np.isfinite(target)
    last = 1.0
    for window in windows:
        # energy in the plane: power times the ring's circumference
        ring = np.where(known, window**2 * frequencies, 0.0)
        energies = [(ring * np.where(known, curve, 0.0)).sum() for curve in (own, target)]
        last = float(np.sqrt(energies[1] / energies[0])) if min(energies) > 0 else last
        gain = gain + last * window
    return gain


def control_physics(
    hu: np.ndarray,
    spacing: tuple[float, float, float],
    operators: tuple[ScannerOperator, ScannerOperator],
    settings: TransportSettings,
) -> np.ndarray:
    """HU curve from tissue anchors, MTF ratio on signal, square root of the NPS ratio on noise.

    The plain site-to-site ratios, one band to tell signal from noise, nothing learned and nothing
    taken from the scan at hand.

    Args:
        hu: (slices, rows, columns) HU.
        spacing: (dz, dy, dx) mm.
        operators: of the scan's site and of the target site.
        settings: those of the transport, for caps and anchors.
    """
    source, target = operators
    gains = ratio_gains(source, target, settings.gains)
    edges = settings.bands.edges_per_mm
    one_band = bands.BandSettings(
        (edges[0], edges[1]), settings.bands.window_cycles, settings.bands.noise_margin
    )
    nps = noise_floor(source, settings.gains.anatomy_per_mm)
    plan = bands.make_plan(hu.shape[1:], spacing[1:], gains, nps, one_band)
    # bone by tube voltage alone: the control knows soft tissue and what the header says
    calibrated = hu_curve(source, target, settings.anchor_sd, settings.calibration_sd, 0.0)(hu)
    carried = np.stack([bands.carry(plane, plan)[0] for plane in calibrated])
    return np.clip(carried, LOWEST_HU, HIGHEST_HU)
