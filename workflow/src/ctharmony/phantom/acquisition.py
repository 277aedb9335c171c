"""From path lengths to corrected water-equivalent line integrals, as a scanner measures them.

Chain: polychromatic attenuation behind a bowtie, focal and aperture blur, scatter, compound
Poisson noise in its Gaussian limit (Whiting et al., Med Phys 2006;33:3290) and electronic noise,
scatter correction, logarithm, water correction, bone correction.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np

from ctharmony.phantom.scanner import Sampling, Scanner
from ctharmony.phantom.spectrum import BASIS, Beam, make_beam, mass_attenuation

CM_PER_MM = 0.1
ISOCENTRE_M = 0.57  # tube to isocentre; the spectra are tabled at 1 m
DETECTION = 0.76  # share of photons that count: fill factor, absorption, overlap of rays
WATER_STEP, BONE_STEP, IODINE_STEP = 3.0, 2.0, 0.5  # g/cm3 mm
WATER_NODES, BONE_NODES, BONE_MARGIN, IODINE_NODES = 241, 112, 10, 33
LINEAR_NODES = 4096
REFERENCE_PATH = 200.0  # g/cm3 mm of water at which bone's effective attenuation is taken
BLUR_TAPS = 5
FLOOR = 1e-6  # of the unattenuated signal; what a starved detector element reads


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
    iodine = flat[2] if len(flat) > 2 else np.zeros((0, flat[0].shape[1]), np.float32)
    photons = _photons_per_ray(paths[0], response, scanner, sampling).ravel()
    noise = np.zeros((0, flat[0].shape[1]), np.float32)
    if random is not None:
        noise = random.standard_normal(flat[0].shape, dtype=np.float32)
    cell = sampling.detector_pitch_mm * scanner.slice_thickness_mm
    numbers = (
        response.water_scale,
        response.bone_share,
        response.variance,
        scanner.electronic_noise**2 * cell,
        scanner.scatter,
        scanner.scatter_correction,
        scanner.bone_correction,
    )
    shape = (bowtie_path(scanner, sampling), blur_taps(scanner, sampling))
    tables = (response.table, response.water)
    result = np.empty(flat[0].shape, np.float32)
    _measure((flat[0], flat[1], iodine), (photons, noise), shape, tables, numbers, result)
    return result.reshape(paths.shape[1:])


def bowtie_path(scanner: Scanner, sampling: Sampling) -> np.ndarray:
    """(bins,) float32 water-equivalent thickness of the bowtie, g/cm3 mm, 0 at the centre."""
    offsets = (np.arange(sampling.bins) - (sampling.bins - 1) / 2) * sampling.detector_pitch_mm
    radius = scanner.bowtie_radius_mm
    chord = 2.0 * np.sqrt(np.maximum(radius**2 - offsets**2, 0.0))
    return (scanner.bowtie * (2.0 * radius - chord)).astype(np.float32)


def blur_taps(scanner: Scanner, sampling: Sampling) -> np.ndarray:
    """(2 BLUR_TAPS + 1,) float32 detector-row blur: aperture (box) times focal spot (Gaussian)."""
    pitch = sampling.detector_pitch_mm
    frequencies = np.fft.rfftfreq(256, pitch)
    deviation = scanner.focal_blur_mm / (2.0 * math.sqrt(2.0 * math.log(2.0)))
    transfer = np.sinc(frequencies * pitch)
    transfer *= np.exp(-2.0 * (math.pi * deviation * frequencies) ** 2)
    response = np.fft.irfft(transfer)
    taps = np.concatenate([response[-BLUR_TAPS:], response[: BLUR_TAPS + 1]])
    return (taps / taps.sum()).astype(np.float32)


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


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _look_up(table, water, bone, iodine):
    """-log of mean signal and of its variance for one ray, linear between the table's nodes."""
    w = min(max(water / WATER_STEP, 0.0), WATER_NODES - 1.001)
    b = min(max(bone / BONE_STEP + BONE_MARGIN, 0.0), BONE_NODES - 1.001)
    i, j = int(w), int(b)
    u, v = w - i, b - j
    if table.shape[0] == 1:
        return _between(table[0], i, j, u, v)
    place = min(max(iodine / IODINE_STEP, 0.0), IODINE_NODES - 1.001)
    k = int(place)
    s = place - k
    depth, spread = _between(table[k], i, j, u, v)
    more_depth, more_spread = _between(table[k + 1], i, j, u, v)
    return depth + s * (more_depth - depth), spread + s * (more_spread - spread)


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _between(plane, i, j, u, v):
    a, b = (1.0 - u) * (1.0 - v), u * (1.0 - v)
    c, d = (1.0 - u) * v, u * v
    near, far = plane[j], plane[j + 1]
    depth = a * near[i, 0] + b * near[i + 1, 0] + c * far[i, 0] + d * far[i + 1, 0]
    spread = a * near[i, 1] + b * near[i + 1, 1] + c * far[i, 1] + d * far[i + 1, 1]
    return depth, spread


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _to_water(curve, scale, value):
    place = min(max(value * scale, 0.0), LINEAR_NODES - 1.001)
    i = int(place)
    water = curve[i] + (place - i) * (curve[i + 1] - curve[i])
    # below zero (noise in air) the curve goes on with its first slope
    return water if value >= 0 else value * scale * curve[1]


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _measure(paths, quanta, shape, tables, numbers, out):
    bins = out.shape[1]
    signal, work = np.empty(bins), np.empty((3, bins))
    air = _air(shape, tables, numbers[0], signal, work)
    for ray in range(out.shape[0]):
        source = _primary(paths, ray, shape[0], tables, signal, work)
        _detect(ray, quanta, (source, shape[1]), numbers, signal, work)
        for b in range(bins):
            value = _to_water(tables[1], numbers[0], -math.log(signal[b])) - air[b]
            bone = paths[1][ray, b]
            if bone > 0:
                flat = _to_water(tables[1], numbers[0], work[1, b]) - shape[0][b]
                value -= numbers[6] * (flat - paths[0][ray, b] - numbers[1] * bone)
            out[ray, b] = value


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _air(shape, tables, scale, signal, work):
    """Water path that the blurred bowtie alone reads as: the air calibration."""
    for b in range(signal.size):
        work[2, b] = math.exp(-_look_up(tables[0], shape[0][b], 0.0, 0.0)[0])
    _blur(work[2], shape[1], signal)
    air = np.empty(signal.size)
    for b in range(signal.size):
        air[b] = _to_water(tables[1], scale, -math.log(signal[b]))
    return air


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _blur(values, taps, out):
    reach = taps.size // 2
    out[:] = values
    # the ends see air only
    for b in range(reach, values.size - reach):
        total = 0.0
        for tap in range(taps.size):
            total += taps[tap] * values[b + tap - reach]
        out[b] = total


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _primary(paths, ray, bowtie, tables, signal, work):
    """Rows of `work`: variance, -log signal, signal along one view; returns the scatter source.

    The -log signal kept for the bone correction leaves iodine out.
    """
    source = 0.0
    contrast = paths[2].shape[0] > 0
    for b in range(signal.size):
        water, bone = paths[0][ray, b] + bowtie[b], paths[1][ray, b]
        depth, spread = _look_up(tables[0], water, bone, 0.0)
        work[1, b] = depth
        if contrast and paths[2][ray, b] > 0:
            depth, spread = _look_up(tables[0], water, bone, paths[2][ray, b])
        work[0, b] = math.exp(-spread)
        work[2, b] = math.exp(-depth)
        source += work[2, b] * depth
    return source / signal.size


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _detect(ray, quanta, blur, numbers, signal, work):
    """Write what the detector reads, with scatter and noise, into `signal`."""
    photons, noise = quanta
    scatter = numbers[4] * blur[0]
    _blur(work[2], blur[1], signal)
    dark = numbers[3] / photons[ray] ** 2
    for b in range(signal.size):
        mean = signal[b] + scatter * (1.0 - numbers[5])
        if noise.shape[0]:
            quantum = numbers[2] * (work[0, b] + scatter) / photons[ray]
            mean += math.sqrt(quantum + dark) * noise[ray, b]
        signal[b] = max(mean, FLOOR)
