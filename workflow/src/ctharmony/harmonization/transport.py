"""Carry a scan to the reference scanner: the decoder's difference plus the carried residual.

With D the decoder's mean for the scan's biology, harmonized = D(target) + carried(x - D(source)),
where `carried` gives signal and noise their own gains (`gains`, `bands`). Without a decoder both
means are 0 and what is left is physics alone. Everything happens on the scan's own grid.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import ndimage

from ctharmony.harmonization import bands
from ctharmony.harmonization.calibration import HIGHEST_HU, LOWEST_HU, HuCurve, hu_curve
from ctharmony.harmonization.gains import Gains, fused_gains
from ctharmony.harmonization.lung_noise import lung_factor, lung_weight, noise_share
from ctharmony.harmonization.noise_check import corrected_noise
from ctharmony.harmonization.noise_level import Carried, level_noise
from ctharmony.harmonization.noise_spectrum import level_spectrum
from ctharmony.harmonization.operators import ScannerOperator
from ctharmony.harmonization.settings import TransportSettings
from ctharmony.harmonization.through_plane import blend_slices, noise_factor, slice_weights

# (index of a slice, plan) -> the slice carried, SD of the noise left in it
Carry = Callable[[int, bands.Plan], tuple[np.ndarray, np.ndarray]]
PADDING_SIDE = 5  # voxels
SIZE_EXPONENT, SIZE_RANGE = 0.8, (0.5, 2.0)
LEVEL_SLICES = 5  # slices in which the noise of the result is measured


@dataclass(frozen=True)
class Decoded:
    """A network's view of a scan; all (slices, rows, columns) float32 HU.

    Attributes:
        source: mean as its own scanner shows it.
        target: mean as the target scanner shows it; None where it is not trusted at all.
        sd: standard deviation around `target`; None as above.
    """

    source: np.ndarray
    target: np.ndarray | None
    sd: np.ndarray | None


@dataclass(frozen=True)
class Harmonized:
    """Result of `transport`; all (slices, rows, columns) float32 HU.

    Attributes:
        hu: the harmonized scan.
        change: `hu` minus the scan.
        uncertainty: SD of `hu` around the noise-free target rendering.
    """

    hu: np.ndarray
    change: np.ndarray
    uncertainty: np.ndarray


@dataclass(frozen=True)
class Route:
    """How one scan is carried; the same for all its slices."""

    curve: HuCurve
    slices: np.ndarray
    gains: Gains
    plan: bands.Plan


def transport(
    hu: np.ndarray,
    spacing: tuple[float, float, float],
    operators: tuple[ScannerOperator, ScannerOperator],
    settings: TransportSettings,
    decoded: Decoded | None = None,
) -> Harmonized:
    """Harmonize one scan.

    Args:
        hu: (slices, rows, columns) float32 HU.
        spacing: (dz, dy, dx) mm.
        operators: of this scan (or its site), and of the target.
        settings: see `TransportSettings`.
        decoded: the network's means and SD on the same grid, or None for physics alone.

    Raises:
        ValueError: the arrays of `decoded` do not have the scan's shape.
    """
    if decoded is not None and decoded.source.shape != hu.shape:
        raise ValueError(f"decoded {decoded.source.shape} is not on the scan's grid {hu.shape}")
    route = plan_route(hu.shape, spacing, operators, settings)
    # slice by slice: a whole scan's intermediate volumes would fill memory
    calibrated = blend_slices(np.stack([route.curve(plane) for plane in hu]), route.slices)
    carry = _carrier(calibrated, decoded, route, settings.decoder_trust or 0.0)
    plan = route.plan
    if settings.look == "match":
        some = np.unique(np.linspace(0, len(hu) - 1, LEVEL_SLICES).round().astype(int))
        shown = partial(_few, some, carry)
        plan = _levelled(plan, hu[some], shown, (*operators, settings), spacing)
    result, spread = np.empty_like(hu), np.empty_like(hu)
    for index, plane in enumerate(hu):
        carried, spread[index] = carry(index, plan)
        result[index] = _bounded(plane, carried, settings.change_bound_hu)
    change = np.subtract(result, hu, out=calibrated if calibrated.base is None else None)
    return Harmonized(result, change, spread)


def _carrier(calibrated: np.ndarray, decoded: Decoded | None, route: Route, trust: float) -> Carry:
    """What carries a slice under a plan; the route gives the rest."""

    def carry(index: int, plan: bands.Plan) -> tuple[np.ndarray, np.ndarray]:
        plane = calibrated[index]
        if decoded is None:
            return bands.carry(plane, plan, lung=_lung(plane, plan))
        return _around(plane, decoded, index, replace(route, plan=plan), trust)

    return carry


def _lung(plane: np.ndarray, plan: bands.Plan) -> np.ndarray | None:
    return None if plan.lung is None else lung_weight(plane)


def _few(
    indices: np.ndarray,
    carry: Carry,
    plan: bands.Plan,
) -> np.ndarray:
    return np.stack([carry(index, plan)[0] for index in indices])


def _levelled(
    plan: bands.Plan,
    before: np.ndarray,
    carried: Carried,
    given: tuple[ScannerOperator, ScannerOperator, TransportSettings],
    spacing: tuple[float, float, float],
) -> bands.Plan:
    """The plan whose noise, measured in a few slices, has the target's level and spectrum."""
    source, target, settings = given
    ratio = noise_ratio(source, target)
    plan = level_noise(plan, before, carried, min(ratio, settings.gains.noise_cap), spacing[1])
    size = ratio * source.noise_sd / target.noise_sd
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.where(source.nps > 0, size**2 * target.nps / source.nps, np.nan)
    return level_spectrum(plan, before, carried, powers, spacing, settings.noise)


def noise_ratio(source: ScannerOperator, target: ScannerOperator) -> float:
    """Noise SD that the target scanner would show in this body, over the scan's own.

    Larger bodies are noisier on any scanner. Attenuation over the diameter d of a chest gives
    d ln(SD) / d ln(area) = mu d / 4, about 1.1; tube-current modulation takes part of it away.
    """
    size = source.body_area_cm2 / target.body_area_cm2
    size = np.clip(size, *SIZE_RANGE) if np.isfinite(size) else 1.0
    return float(target.noise_sd * size**SIZE_EXPONENT / source.noise_sd)


def plan_route(
    shape: tuple[int, ...],
    spacing: tuple[float, float, float],
    operators: tuple[ScannerOperator, ScannerOperator],
    settings: TransportSettings,
) -> Route:
    """Curve, slice blend and gains for scans of this geometry."""
    source, target = operators
    thickness = source.slice_thickness_mm
    wanted = target.slice_thickness_mm if settings.match_thickness else thickness
    slices = slice_weights(thickness, wanted, spacing[0], settings.through_plane)
    blended = after_blend(source, noise_factor(slices, spacing[0], thickness))
    gains = fused_gains(blended, target, settings.gains)
    lung = None
    if settings.look == "match":
        lung = lung_factor(blended, target, gains.signal)
    else:
        gains = Gains(**{**vars(gains), "noise": np.full_like(gains.noise, settings.clean_noise)})
    nps = noise_floor(blended, settings.gains.anatomy_per_mm)
    gains = corrected_noise(gains, spacing[1:], nps, settings.bands)
    plan = bands.make_plan(shape[1:], spacing[1:], gains, nps, settings.bands)
    plan = bands.with_lung(plan, spacing[1:], gains.frequencies, lung)
    curve = hu_curve(
        source, target, settings.anchor_sd, settings.calibration_sd, settings.bone_scale_sd
    )
    return Route(curve, slices, gains, plan)


def after_blend(operator: ScannerOperator, factor: float) -> ScannerOperator:
    """The operator with its noise SD multiplied by `factor`."""
    content = {**vars(operator), "nps": operator.nps * factor**2}
    # the body's spectrum keeps its structure and loses only the noise that was blended away
    content["spectrum"] = operator.spectrum - operator.nps * (1 - factor**2)
    content["lung"] = operator.lung * (1 - noise_share(operator) * (1 - factor**2))
    content["noise_sd"] = operator.noise_sd * factor
    return ScannerOperator(**content)


def noise_floor(operator: ScannerOperator, anatomy_per_mm: float) -> np.ndarray:
    """The noise power spectrum without leaked anatomy, (bins,) finite, HU^2 mm^2.

    Below `anatomy_per_mm` it falls in proportion to frequency, as the noise of filtered
    back-projection does (Riederer, Phys Med Biol 1978;23:446); beyond Nyquist it is 0.
    """
    frequencies, nps = operator.frequencies, operator.nps
    known = np.flatnonzero(np.isfinite(nps))
    floor = np.where(np.isfinite(nps), nps, 0.0)
    inside = known[frequencies[known] >= anatomy_per_mm]
    if inside.size:
        first = inside[0]
        ramp = nps[first] * frequencies[:first] / frequencies[first]
        floor[:first] = np.fmin(ramp, np.where(floor[:first] > 0, floor[:first], ramp))
    return floor


def _around(
    plane: np.ndarray, decoded: Decoded, index: int, route: Route, trust: float
) -> tuple[np.ndarray, np.ndarray]:
    """A slice carried around the decoder's mean, and the SD of what is left of its noise.

    `trust` draws the target mean from the physics' rendering of the source's (0) to the
    network's (1).
    """
    source = route.curve(decoded.source[index])
    lung = _lung(plane, route.plan)
    carried, noise = bands.carry(plane - source, route.plan, (1.0 - trust) * source, lung)
    if trust == 0.0:
        return carried, noise
    return carried + trust * decoded.target[index], np.hypot(noise, trust * decoded.sd[index])


def padding(plane: np.ndarray) -> np.ndarray:
    """Pixels of padding: they and all their neighbours in the slice lie at the floor of the scale.

    A single pixel at the floor is clipped air noise and is treated like any other.
    """
    return ndimage.maximum_filter(plane, PADDING_SIDE, mode="nearest") <= LOWEST_HU


def _bounded(plane: np.ndarray, carried: np.ndarray, bound: float) -> np.ndarray:
    """The carried slice, no pixel changed by more than `bound` HU and padding not at all."""
    change = np.clip(carried - plane, -bound, bound)
    change[padding(plane)] = 0.0
    return np.clip(plane + change, np.minimum(plane, LOWEST_HU), HIGHEST_HU)
