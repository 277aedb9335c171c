"""By what factor each spatial frequency of a scan must change to look like another scanner.

Signal and noise need different factors. The signal's is the ratio of modulation transfers; the
noise's is the square root of the ratio of noise power spectra, the optimal-transport map between
two stationary Gaussian fields. Both kernels of a filtered back-projection act on signal and noise
alike, so three measurements see the same kernel ratio, each blurred in its own way:

* edges (MTF): absolute, but poor where little modulation is left;
* noise (NPS): precise at high frequencies, up to an unknown dose factor; anatomy leaks in low down;
* the body's power spectrum: precise in the middle, up to how much structure the patients have.

One weighted least-squares fit of a smooth curve that is 0 at frequency 0 joins them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from ctharmony.harmonization.curves import smooth_bins
from ctharmony.harmonization.operators import ScannerOperator

UNIT_PER_MM = 0.5  # frequencies are counted in this unit, so that priors are of order one
LOW_PER_MM = 0.06
POWER_FLOOR = 1e-9
EXTRAS = ("dose", "structure", "aperture")


@dataclass(frozen=True)
class GainSettings:
    """What the measurements are trusted with; natural logarithms of amplitude throughout.

    Attributes:
        mtf_sd: SD of a measured MTF value (absolute; its logarithm errs by this over the MTF).
        nps_sd: SD of half the logarithm of an NPS ratio, well above `anatomy_per_mm`.
        spectrum_sd: the same for the body's power spectrum.
        anatomy_per_mm: below this frequency anatomy dominates the measured NPS.
        structure_sd: how much the structure of two groups of patients may differ.
        aperture_sd: how much focal spot and detector may part signal from noise at 0.5 per mm.
        dose_sd: how much two doses may differ, as log of noise amplitude.
        bend_sd: how fast the curve may bend: SD of its slope's random walk over 0.5 per mm.
        signal_cap, noise_cap: largest amplification of signal and of noise (factors >= 1).
        smoothing_bins: SD of the Gaussian that smooths what the fit leaves of the noise ratio.
    """

    mtf_sd: float
    nps_sd: float
    spectrum_sd: float
    anatomy_per_mm: float
    structure_sd: float
    aperture_sd: float
    dose_sd: float
    bend_sd: float
    signal_cap: float
    noise_cap: float
    smoothing_bins: float

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "GainSettings":
        """Read a config block with exactly these keys."""
        return cls(**{field.name: float(content[field.name]) for field in fields(cls)})


@dataclass(frozen=True)
class Gains:
    """Amplitude factors per spatial frequency.

    Attributes:
        frequencies: (bins,) cycles/mm.
        signal, noise: (bins,) factors, finite everywhere.
        signal_log_sd, noise_log_sd: (bins,) standard error of their natural logarithm.
    """

    frequencies: np.ndarray
    signal: np.ndarray
    noise: np.ndarray
    signal_log_sd: np.ndarray
    noise_log_sd: np.ndarray


@dataclass(frozen=True)
class _Evidence:
    """Rows of the least-squares system: value = design @ coefficients, with SD."""

    design: np.ndarray
    value: np.ndarray
    sd: np.ndarray


def fused_gains(source: ScannerOperator, target: ScannerOperator, settings: GainSettings) -> Gains:
    """Signal and noise gains from `source` to `target`.

    Unknowns: the curve's value in every bin (a cubic smoothing spline through 0 with slope 0 at
    frequency 0, in its Bayesian form: Wahba, J R Stat Soc B 1978;40:364), then dose, structure
    and aperture.
    """
    frequencies = source.frequencies
    evidence = [
        _mtf_evidence(source, target, settings),
        _nps_evidence(source, target, settings),
        _spectrum_evidence(source, target, settings),
    ]
    mean, covariance = _posterior(evidence, _prior_covariance(frequencies, settings))
    signal_design = _design(frequencies)
    noise_design = _noise_design(frequencies)
    reach = _reach(source, target)
    noise_log = noise_design @ mean + _noise_rest(evidence[1], mean, frequencies, settings)
    return Gains(
        frequencies=frequencies,
        signal=_capped(_damped(signal_design @ mean, frequencies), reach, settings.signal_cap),
        noise=_capped(noise_log, reach, settings.noise_cap),
        signal_log_sd=_log_sd(signal_design, covariance),
        noise_log_sd=_log_sd(noise_design, covariance),
    )


def ratio_gains(source: ScannerOperator, target: ScannerOperator, settings: GainSettings) -> Gains:
    """The plain ratios, no fit: MTF_t / MTF_s and sqrt(NPS_t / NPS_s), smoothed and capped.

    Where a curve is unknown its last known ratio is kept; the lowest bin's gain is 1.
    """
    signal = _log_ratio(source.mtf, target.mtf)
    noise = 0.5 * _log_ratio(source.nps, target.nps)
    signal[0] = 0.0
    noise[source.frequencies < settings.anatomy_per_mm] = np.nan
    noise[0] = 0.0
    gains = [
        np.exp(np.clip(_extended(smooth_bins(log, settings.smoothing_bins)), None, np.log(cap)))
        for log, cap in ((signal, settings.signal_cap), (noise, settings.noise_cap))
    ]
    unknown = np.zeros_like(signal)
    return Gains(source.frequencies, *gains, signal_log_sd=unknown, noise_log_sd=unknown)


def _prior_covariance(frequencies: np.ndarray, settings: GainSettings) -> np.ndarray:
    unit = frequencies / UNIT_PER_MM
    low, high = np.minimum.outer(unit, unit), np.maximum.outer(unit, unit)
    # once-integrated Wiener process: zero value and slope at 0, bending as little as the data let
    curve = settings.bend_sd**2 * low**2 * (high / 2 - low / 6)
    extras = np.square([settings.dose_sd, settings.structure_sd, settings.aperture_sd])
    return block_diag(curve, np.diag(extras))


def _design(frequencies: np.ndarray, **extras: np.ndarray | float) -> np.ndarray:
    bins = len(frequencies)
    columns = [np.broadcast_to(extras.get(name, 0.0), bins) for name in EXTRAS]
    return np.concatenate([np.eye(bins), np.stack(columns, axis=1)], axis=1)


def _noise_design(frequencies: np.ndarray) -> np.ndarray:
    return _design(frequencies, dose=1.0, aperture=(frequencies / UNIT_PER_MM) ** 2)


def _mtf_evidence(
    source: ScannerOperator, target: ScannerOperator, settings: GainSettings
) -> _Evidence:
    value = _log_ratio(source.mtf, target.mtf)
    lowest = np.fmin(source.mtf, target.mtf)
    sd = settings.mtf_sd / np.maximum(lowest, POWER_FLOOR)
    value[~(lowest > 2 * settings.mtf_sd)] = np.nan
    return _Evidence(_design(source.frequencies), value, sd)


def _nps_evidence(
    source: ScannerOperator, target: ScannerOperator, settings: GainSettings
) -> _Evidence:
    frequencies = source.frequencies
    # the anatomy left in the patches falls steeply with frequency, so does its weight
    sd = settings.nps_sd * (1 + (settings.anatomy_per_mm / frequencies) ** 4)
    value = 0.5 * _log_ratio(source.nps, target.nps)
    return _Evidence(_noise_design(frequencies), value, sd)


def _spectrum_evidence(
    source: ScannerOperator, target: ScannerOperator, settings: GainSettings
) -> _Evidence:
    rest = [operator.spectrum - operator.nps for operator in (source, target)]
    share = np.fmin(rest[0] / source.spectrum, rest[1] / target.spectrum)
    value = 0.5 * _log_ratio(*rest)
    sd = settings.spectrum_sd / np.maximum(share, POWER_FLOOR)
    value[~(share > 0.5)] = np.nan
    return _Evidence(_design(source.frequencies, structure=1.0), value, sd)


def _posterior(
    evidence: list[_Evidence], prior_covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of a Gaussian prior with mean 0 given linear Gaussian observations."""
    design = np.concatenate([part.design for part in evidence])
    value = np.concatenate([part.value for part in evidence])
    sd = np.concatenate([part.sd for part in evidence])
    known = np.isfinite(value) & np.isfinite(sd)
    design, value, sd = design[known], value[known], sd[known]
    crossed = prior_covariance @ design.T
    gain = np.linalg.solve(design @ crossed + np.diag(sd**2), crossed.T).T
    return gain @ value, prior_covariance - gain @ crossed.T


def _noise_rest(
    noise: _Evidence, mean: np.ndarray, frequencies: np.ndarray, settings: GainSettings
) -> np.ndarray:
    rest = noise.value - noise.design @ mean
    rest = _extended(smooth_bins(rest, settings.smoothing_bins))
    # trusted only where noise, not anatomy, was measured
    return rest / (1 + (settings.anatomy_per_mm / frequencies) ** 4)


def _reach(source: ScannerOperator, target: ScannerOperator) -> int:
    """Number of leading bins where both scanners were measured (at least 2)."""
    known = np.isfinite(source.nps) & np.isfinite(target.nps)
    return max(2, int(np.flatnonzero(known)[-1]) + 1) if known.any() else 2


def _damped(log_gain: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Draw the lowest gains to 1: one percent there shifts a whole lung by many HU, and kernels
    agree there, while a measured MTF errs by its normalisation."""
    return log_gain * (1.0 - np.exp(-((frequencies / LOW_PER_MM) ** 2)))


def _capped(log_gain: np.ndarray, reach: int, cap: float) -> np.ndarray:
    held = np.where(np.arange(len(log_gain)) < reach, log_gain, log_gain[reach - 1])
    # the mean of a region is the calibration's business, not the kernel's
    held[0] = 0.0
    return np.exp(np.minimum(held, np.log(cap)))


def _log_sd(design: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(np.einsum("fi,ij,fj->f", design, covariance, design), 0.0))


def _log_ratio(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    good = (source > POWER_FLOOR) & (target > POWER_FLOOR)
    ratio = np.where(good, target, 1.0) / np.where(good, source, 1.0)
    return np.where(good, np.log(ratio), np.nan)


def _extended(values: np.ndarray) -> np.ndarray:
    known = np.flatnonzero(np.isfinite(values))
    if known.size == 0:
        return np.zeros_like(values)
    return np.interp(np.arange(len(values)), known, values[known])
