"""Radial power spectra of patches in physical frequency, and what they say of the scanner."""

from functools import lru_cache

import torch
from torch import Tensor

FREQUENCY_STEP = 0.025  # cycles/mm, the one grid of every curve
N_FREQUENCIES = 40
FREQUENCIES = FREQUENCY_STEP * (torch.arange(N_FREQUENCIES) + 0.5)
# frequencies below this are anatomy, not scanner (cycles/mm)
HIGH_PASS = 0.1
BANDS = ((0.10, 0.20), (0.20, 0.30), (0.30, 0.40), (0.40, 0.55), (0.55, 0.80))
FLAT_WINDOWS_HU = ((-140.0, -60.0), (0.0, 110.0))
FLAT_BLUR_MM = 2.0
FLAT_GRADIENT_HU_PER_MM = 4.0
# a patch with less flat tissue than this says nothing of the noise
MIN_FLAT_MM2 = 150.0
TAPER_MM = 1.5
MIN_INDEPENDENT = 4.0  # fewer independent values make no level
MIN_POWER = 1e-3  # HU^2 mm^2


@lru_cache(maxsize=64)
def radial_layout(
    shape: tuple[int, int], pixel_mm: tuple[float, float], device: str = "cpu"
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Bin of every rfft2 coefficient, coefficients per bin, radius (cycles/mm), Hann window.

    Coefficients beyond the grid go to bin N_FREQUENCIES, and those of frequency 0 too.
    """
    vertical = torch.fft.fftfreq(shape[0], pixel_mm[0], dtype=torch.float64)
    horizontal = torch.fft.rfftfreq(shape[1], pixel_mm[1], dtype=torch.float64)
    radius = torch.hypot(vertical[:, None], horizontal[None])
    bins = (radius / FREQUENCY_STEP).long().clamp(max=N_FREQUENCIES)
    nyquist = 0.5 / max(pixel_mm)
    bins[(radius > nyquist) | (radius == 0)] = N_FREQUENCIES
    counts = torch.bincount(bins.flatten(), minlength=N_FREQUENCIES + 1)[:N_FREQUENCIES]
    window = torch.outer(
        torch.hann_window(shape[0], dtype=torch.float64),
        torch.hann_window(shape[1], dtype=torch.float64),
    )
    result = (bins.flatten(), counts.float(), radius.float(), window.float())
    return tuple(part.to(device) for part in result)


def radial_power(image: Tensor, pixel_mm: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Radial power (..., 40) in HU^2 mm^2 of patches (..., rows, columns), and counts (40,).

    Hann-windowed, mean removed; bins that hold no coefficient are 0 with count 0.
    """
    bins, counts, _, window = radial_layout(image.shape[-2:], pixel_mm, str(image.device))
    scale = pixel_mm[0] * pixel_mm[1] / window.square().sum()
    transformed = torch.fft.rfft2((image - image.mean((-2, -1), keepdim=True)) * window)
    power = (transformed.real.square() + transformed.imag.square()).flatten(-2) * scale
    return _by_radius(power, bins, counts), counts


def read_scanner(image: Tensor, pixel_mm: tuple[float, float]) -> tuple[Tensor, Tensor, Tensor]:
    """What patches (..., rows, columns) in HU say of their scanner.

    Returns features (..., 41): log radial power above 0.1 cycles/mm (36; NaN beyond Nyquist) and
    log noise power of flat tissue in five bands (NaN where a patch shows too little of it). Then
    the flat tissue's power (..., 40) and its independent values (..., 40). Only high-pass content
    enters, so that anatomy is left to the other posterior.
    """
    power, counts = radial_power(image, pixel_mm)
    log_power = power.clamp(min=MIN_POWER).log()
    log_power = torch.where(counts > 0, log_power, torch.nan)[..., FREQUENCIES > HIGH_PASS]
    noise, independent = flat_noise_power(image, pixel_mm)
    bands = [_band_level(noise, independent, band) for band in BANDS]
    return torch.cat([log_power, torch.stack(bands, -1)], dim=-1), noise, independent


def flat_noise_power(image: Tensor, pixel_mm: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Noise power (..., 40) in HU^2 mm^2 of flat tissue, and its independent values (..., 40).

    Only where an image (..., rows, columns) shows flat fat or soft tissue is its high-pass content
    noise, so it is seen through a tapered mask m of those places and the high-pass is divided out.
    A periodogram through m has (sum m^2)^2 / (N sum m^4) of a full one's independent values. Below
    0.1 cycles/mm anatomy leaks in: those bins count nothing.
    """
    shape = image.shape[-2:]
    bins, counts, radius, _ = radial_layout(shape, pixel_mm, str(image.device))
    blur = gaussian_gain(radius, FLAT_BLUR_MM)
    smooth = filtered(image, blur)
    flat = _flat_region(smooth, pixel_mm)
    taper = flat * filtered(flat, gaussian_gain(radius, TAPER_MM)).clamp(0.0, 1.0)
    energy = taper.square().sum((-2, -1)).clamp(min=1e-6)
    transformed = torch.fft.rfft2((image - smooth) * taper)
    power = transformed.real.square() + transformed.imag.square()
    power = power / (1.0 - blur).square().clamp(min=1e-3) * pixel_mm[0] * pixel_mm[1]
    radial = _by_radius(power.flatten(-2), bins, counts) / energy[..., None]
    seen = flat.sum((-2, -1)) * pixel_mm[0] * pixel_mm[1] > MIN_FLAT_MM2
    fourth = taper.pow(4).sum((-2, -1)).clamp(min=1e-6)
    share = seen * energy.square() / fourth / (shape[0] * shape[1])
    trusted = counts * (FREQUENCIES.to(counts.device) > HIGH_PASS)
    return radial, trusted * share[..., None]


def gaussian_gain(radius: Tensor, sigma_mm: float) -> Tensor:
    """Fourier gain of a Gaussian blur of `sigma_mm`, at `radius` cycles/mm."""
    return torch.exp(-2.0 * (torch.pi * sigma_mm * radius).square())


def filtered(patch: Tensor, gain: Tensor) -> Tensor:
    """Patches (..., rows, columns) with their rfft2 multiplied by `gain`."""
    return torch.fft.irfft2(torch.fft.rfft2(patch) * gain, s=patch.shape[-2:])


def _by_radius(power: Tensor, bins: Tensor, counts: Tensor) -> Tensor:
    total = power.new_zeros((*power.shape[:-1], N_FREQUENCIES + 1))
    total.index_add_(-1, bins, power)
    return total[..., :N_FREQUENCIES] / counts.clamp(min=1)


def _band_level(power: Tensor, counts: Tensor, band: tuple[float, float]) -> Tensor:
    frequencies = FREQUENCIES.to(power.device)
    weight = counts * ((frequencies >= band[0]) & (frequencies < band[1]))
    total = weight.sum(-1)
    mean = (power * weight).sum(-1) / total.clamp(min=1e-6)
    return torch.where(total > MIN_INDEPENDENT, mean.clamp(min=MIN_POWER).log(), torch.nan)


def _flat_region(smooth: Tensor, pixel_mm: tuple[float, float]) -> Tensor:
    inside = torch.zeros_like(smooth, dtype=torch.bool)
    for low, high in FLAT_WINDOWS_HU:
        inside |= (smooth > low) & (smooth < high)
    down, right = torch.gradient(smooth, dim=(-2, -1))
    slope = torch.hypot(down / pixel_mm[0], right / pixel_mm[1])
    flat = (inside & (slope < FLAT_GRADIENT_HU_PER_MM)).to(smooth.dtype)
    # the filters wrap around, so the rim is not trusted
    rim = [max(1, round(2.0 * FLAT_BLUR_MM / step)) for step in pixel_mm]
    flat[..., : rim[0], :] = flat[..., -rim[0] :, :] = 0.0
    flat[..., : rim[1]] = flat[..., -rim[1] :] = 0.0
    return flat
