"""From path lengths to corrected water-equivalent line integrals, as a scanner measures them.

Chain: polychromatic attenuation behind a bowtie, focal and aperture blur, scatter, compound
Poisson noise in its Gaussian limit (Whiting et al., Med Phys 2006;33:3290) and electronic noise,
scatter correction, logarithm, water correction, bone correction.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ctharmony.phantom import detection
from ctharmony.phantom.detection import (
    BONE_MARGIN,
    BONE_NODES,
    BONE_STEP,
    IODINE_NODES,
    IODINE_STEP,
    LINEAR_NODES,
    WATER_NODES,
    WATER_STEP,
)
from ctharmony.phantom.scanner import Sampling, Scanner
from ctharmony.phantom.spectrum import BASIS, CM_PER_MM, Beam, make_beam, mass_attenuation

ISOCENTRE_M = 0.57  # tube to isocentre; the spectra are tabled at 1 m
DETECTION = 0.76  # share of photons that count: fill factor, absorption, overlap of rays
REFERENCE_PATH = 200.0  # g/cm3 mm of water at which bone's effective attenuation is taken
SCATTER_REACH_MM = 60.0  # scatter falls by 1/e over this: smooth against any anatomy
BLUR_TAPS = 5


@dataclass(frozen=True)
class Response:
    """Tables of one scanner's polychromatic response.

    Attributes:
        table: (iodine, bone, water, 2) float32: -log of the mean signal and of its variance,
            both relative to air.
        water: (LINEAR_NODES,) water path for -log signal on a uniform grid, g/cm3 mm.
        water_scale: nodes per unit of -log signal.
        bone_share: water-equivalent of 1 g/cm3 mm of bone behind REFERENCE_PATH of water.
        variance: variance of one photon's signal in air over its squared mean.
        photons: per mm2 of detector at the isocentre and mAs.
    """

    table: np.ndarray
    water: np.ndarray
    water_scale: float
    bone_share: float
    variance: float
    photons: float


def scanner_response(scanner: Scanner, iodine: bool = False) -> Response:
    """Tabulate the response of a scanner's beam; equal beams share one table."""
    return _tabulate(scanner.kvp, tuple(sorted(scanner.filters_mm.items())), iodine)


@lru_cache(maxsize=8)
def _tabulate(kvp: int, filters: tuple[tuple[str, float], ...], iodine: bool) -> Response:
    beam = make_beam(kvp, dict(filters))
    table = _attenuation_table(beam, IODINE_NODES if iodine else 1)
    curve = table[0, BONE_MARGIN, :, 0].astype(np.float64)
    scale = (LINEAR_NODES - 1) / curve[-1]
    paths = np.arange(WATER_NODES) * WATER_STEP
    inverse = np.interp(np.arange(LINEAR_NODES) / scale, curve, paths).astype(np.float32)
    energy = beam.photons * beam.energies_kev
    variance = beam.photons.sum() * (energy * beam.energies_kev).sum() / energy.sum() ** 2
    photons = beam.photons.sum() * CM_PER_MM**2 / ISOCENTRE_M**2 * DETECTION
    return Response(table, inverse, scale, _bone_share(beam), variance, photons)


def _attenuation_table(beam: Beam, iodine_nodes: int) -> np.ndarray:
    steps = (WATER_STEP, BONE_STEP, IODINE_STEP)
    counts = (WATER_NODES, BONE_NODES, iodine_nodes)
    firsts = (0, -BONE_MARGIN, 0)
    weights = []
    for name, step, count, first in zip(BASIS, steps, counts, firsts, strict=True):
        paths = (np.arange(count) + first) * step * CM_PER_MM
        weights.append(np.exp(-paths[:, None] * mass_attenuation(name)))
    table = np.empty((iodine_nodes, BONE_NODES, WATER_NODES, 2), np.float32)
    for moment in (1, 2):
        signal = beam.photons * beam.energies_kev**moment
        dense = (weights[2] * signal / signal.sum())[:, None, :] * weights[1][None]
        table[..., moment - 1] = -np.log(dense @ weights[0].T)
    return table


def water_equivalent(
    water: np.ndarray, bone: np.ndarray, kvp: int, filters_mm: dict[str, float]
) -> np.ndarray:
    """Density of water that attenuates like a mixture in a well-corrected scan, g/cm3."""
    return water + np.float32(_bone_share(make_beam(kvp, filters_mm))) * bone


def _bone_share(beam: Beam) -> float:
    water, bone = mass_attenuation("water"), mass_attenuation("bone")
    behind = beam.photons * beam.energies_kev * np.exp(-REFERENCE_PATH * CM_PER_MM * water)
    return float((behind * bone).sum() / (behind * water).sum())


def measure(
    paths: np.ndarray,
    scanner: Scanner,
    sampling: Sampling,
    random: np.random.Generator | None,
) -> np.ndarray:
    """Water-equivalent line integrals after all corrections.

    Args:
        paths: (materials, slices, views, bins) float32 in g/cm3 mm; materials water, bone and,
            on request, iodine.
        scanner: the scanner.
        sampling: pitch and number of views are used.
        random: stream of the noise; None for a noise-free measurement.

    Returns:
        (slices, views, bins) float32, g/cm3 mm of water.
    """
    response = scanner_response(scanner, len(paths) > 2)
    flat = [np.ascontiguousarray(part).reshape(-1, part.shape[-1]) for part in paths]
    nothing = np.zeros((0, sampling.bins), np.float32)
    materials = (flat[0], flat[1], flat[2] if len(flat) > 2 else nothing)
    photons = _photons_per_ray(paths[0], response, scanner, sampling).ravel()
    noise = nothing
    if random is not None:
        noise = random.standard_normal(flat[0].shape, dtype=np.float32)
    shape = (bowtie_path(scanner, sampling), blur_taps(scanner, sampling))
    tables = (response.table, response.water)
    numbers = _numbers(response, scanner, sampling)
    result = np.empty(flat[0].shape, np.float32)
    detection.measure_rays(materials, (photons, noise), shape, tables, numbers, result)
    return result.reshape(paths.shape[1:])


def _numbers(response: Response, scanner: Scanner, sampling: Sampling) -> tuple[float, ...]:
    """What the compiled detection needs, in its order."""
    cell = sampling.detector_pitch_mm * scanner.slice_thickness_mm
    return (
        float(response.water_scale),
        float(response.bone_share),
        float(response.variance),
        float(scanner.electronic_noise**2 * cell),
        float(scanner.scatter),
        float(scanner.scatter_correction),
        float(scanner.bone_correction),
        math.exp(-sampling.detector_pitch_mm / SCATTER_REACH_MM),
    )


def bowtie_path(scanner: Scanner, sampling: Sampling) -> np.ndarray:
    """(bins,) float32 water-equivalent thickness of the bowtie, g/cm3 mm, 0 at the centre."""
    offsets = (np.arange(sampling.bins) - (sampling.bins - 1) / 2) * sampling.detector_pitch_mm
    radius = scanner.bowtie_radius_mm
    chord = 2.0 * np.sqrt(np.maximum(radius**2 - offsets**2, 0.0))
    return (scanner.bowtie * (2.0 * radius - chord)).astype(np.float32)


def blur_taps(scanner: Scanner, sampling: Sampling) -> np.ndarray:
    """(2 BLUR_TAPS + 1,) float32 detector-row blur: `detector_transfer` in the space of bins."""
    pitch = sampling.detector_pitch_mm
    response = np.fft.irfft(detector_transfer(scanner, pitch, np.fft.rfftfreq(256, pitch)))
    taps = np.concatenate([response[-BLUR_TAPS:], response[: BLUR_TAPS + 1]])
    return (taps / taps.sum()).astype(np.float32)


def detector_transfer(scanner: Scanner, pitch_mm: float, frequencies: np.ndarray) -> np.ndarray:
    """Transfer of aperture (box) and focal spot (Gaussian) at frequencies in cycles/mm."""
    deviation = scanner.focal_blur_mm / (2.0 * math.sqrt(2.0 * math.log(2.0)))
    aperture = np.sinc(frequencies * pitch_mm)
    return aperture * np.exp(-2.0 * (math.pi * deviation * frequencies) ** 2)


def _photons_per_ray(
    water: np.ndarray, response: Response, scanner: Scanner, sampling: Sampling
) -> np.ndarray:
    """(slices, views) photons per detector element in air; current follows the patient."""
    cell = sampling.detector_pitch_mm * scanner.slice_thickness_mm
    even = response.photons * scanner.mas / sampling.views * cell
    if scanner.current_modulation == 0:
        return np.full(water.shape[:2], even)
    per_mm = response.table[0, BONE_MARGIN, :, 0][int(REFERENCE_PATH / WATER_STEP)] / REFERENCE_PATH
    central = water.max(axis=2) * per_mm
    current = np.exp(scanner.current_modulation * (central - REFERENCE_PATH * per_mm))
    return even * np.clip(current, 0.2, 5.0)
