"""The image-domain shortcut: a kernel as a filter, a dose as stationary noise of its spectrum.

Fast, and as good as the projector in the middle of uniform water. It never serves as truth: it
knows neither the direction of noise behind long and short paths, nor that noise is lower at the
edge of the body than in its middle, nor beam hardening, scatter and streaks
(tests/unit/phantom/test_shortcut.py shows the first two). Use it for augmentation only.

Spectra follow from filtered back-projection of white projection noise (Riederer et al., Phys Med
Biol 1978;23:446).
"""

import itertools
import math
from dataclasses import replace

import numpy as np
import scipy.fft

from ctharmony.phantom.acquisition import detector_transfer, measure
from ctharmony.phantom.kernels import UPSAMPLING, get_kernel
from ctharmony.phantom.scanner import Sampling, Scanner
from ctharmony.phantom.streams import stream

HU_PER_DENSITY = 1000.0
RAYS = 4000  # views of the sample that tells how noisy a line integral is
CENTRAL_SHARE = 0.1  # of the cylinder's radius: the rays that make its middle
AIR_AROUND = 1.15  # detector's width over the cylinder's
LEAST_TRANSFER = 0.05  # of the source's MTF, below which a ratio of kernels is not trusted
CAP = 4.0


def modulation_transfer(
    scanner: Scanner, sampling: Sampling, frequencies: np.ndarray
) -> np.ndarray:
    """MTF of kernel, detector, focal spot and interpolation at frequencies in cycles/mm."""
    pitch = sampling.detector_pitch_mm
    blur = detector_transfer(scanner, pitch, frequencies)
    return blur * get_kernel(scanner.kernel).window(frequencies) * _between(frequencies, pitch)


def noise_power(
    scanner: Scanner, sampling: Sampling, water_mm: float, frequencies: np.ndarray
) -> np.ndarray:
    """NPS of the middle of a cylinder of water before it is sampled by pixels, HU^2 mm^2.

    Args:
        scanner: the scanner.
        sampling: detector pitch and views.
        water_mm: diameter of the cylinder.
        frequencies: any shape, cycles/mm.
    """
    pitch = sampling.detector_pitch_mm
    gain = get_kernel(scanner.kernel).window(frequencies) * _between(frequencies, pitch)
    level = _ray_variance(scanner, sampling, water_mm) * pitch * math.pi / sampling.views
    seen = frequencies < 0.5 / pitch
    return HU_PER_DENSITY**2 * level * frequencies * gain**2 * seen


def image_domain_scan(
    image: np.ndarray,
    scanner: Scanner,
    sampling: Sampling,
    water_mm: float,
    random: np.random.Generator,
    source: Scanner | None = None,
) -> np.ndarray:
    """What a scanner would roughly show; see the module for what is missing.

    Args:
        image: (slices, n, n) noise-free HU on the image grid of `sampling`.
        scanner: kernel, focal spot, dose and thickness that are imitated.
        sampling: pixel, detector pitch and views.
        water_mm: diameter of the cylinder of water that is as noisy as the patient.
        random: stream of the noise.
        source: scanner whose blur the image already has; None for a sharp image.

    Returns:
        (slices, n, n) float32 HU.
    """
    size, pixel = image.shape[-1], sampling.pixel_mm
    radius = _radius(size, pixel)
    transfer = modulation_transfer(scanner, sampling, radius)
    if source is not None:
        before = modulation_transfer(source, sampling, radius)
        transfer = np.minimum(transfer / np.maximum(before, LEAST_TRANSFER), CAP)
    amplitude = np.sqrt(sampled_noise_power(scanner, sampling, water_mm, size)) / pixel
    white = random.standard_normal(image.shape, dtype=np.float32)
    spectrum = scipy.fft.rfft2(image + HU_PER_DENSITY) * transfer
    spectrum += scipy.fft.rfft2(white) * amplitude
    return (scipy.fft.irfft2(spectrum, s=image.shape[-2:]) - HU_PER_DENSITY).astype(np.float32)


def sampled_noise_power(
    scanner: Scanner, sampling: Sampling, water_mm: float, size: int
) -> np.ndarray:
    """NPS on the half plane of `rfft2` of (size, size) pixels, aliases folded in, HU^2 mm^2."""
    repeat = 1.0 / sampling.pixel_mm
    total = np.zeros((size, size // 2 + 1))
    for shift in itertools.product((-repeat, 0.0, repeat), repeat=2):
        radius = _radius(size, sampling.pixel_mm, shift)
        total += noise_power(scanner, sampling, water_mm, radius)
    return total


def _radius(size: int, pixel_mm: float, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """(size, size // 2 + 1) distance of the frequencies of `rfft2` from a place, cycles/mm."""
    rows = scipy.fft.fftfreq(size, pixel_mm)[:, None] + shift[0]
    return np.hypot(rows, scipy.fft.rfftfreq(size, pixel_mm)[None] + shift[1])


def _between(frequencies: np.ndarray, pitch_mm: float) -> np.ndarray:
    """Transfer of the linear interpolation between the filtered rays."""
    return np.sinc(frequencies * pitch_mm / UPSAMPLING) ** 2


def _ray_variance(scanner: Scanner, sampling: Sampling, water_mm: float) -> float:
    """Variance of corrected line integrals through a cylinder's middle, (g/cm3 mm)^2.

    Sampled from the measurement itself, so that it knows all that a measured ray knows.
    """
    sampling = replace(sampling, field_of_view_mm=AIR_AROUND * water_mm)
    offsets = (np.arange(sampling.bins) - (sampling.bins - 1) / 2) * sampling.detector_pitch_mm
    chord = 2.0 * np.sqrt(np.maximum(0.25 * water_mm**2 - offsets**2, 0.0))
    paths = np.zeros((2, 1, RAYS, sampling.bins), np.float32)
    paths[0] = chord
    noise = measure(paths, scanner, sampling, stream(0, "shortcut"))[0]
    return float(noise[:, np.abs(offsets) < 0.5 * CENTRAL_SHARE * water_mm].var(axis=0).mean())
