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
FLAT_GRADIENT_HU_PER_MM = 8.0
MIN_FLAT_SHARE = 0.01
# a periodogram under a two-dimensional Hann window has this many fewer independent values
HANN_CORRELATION = 2.25
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
    total = power.new_zeros((*power.shape[:-1], N_FREQUENCIES + 1))
    total.index_add_(-1, bins, power)
    return total[..., :N_FREQUENCIES] / counts.clamp(min=1), counts


def scanner_features(patch: Tensor, pixel_mm: tuple[float, float]) -> Tensor:
    """What a patch (..., rows, columns) in HU says of its scanner: (..., 41) values.

    Log radial power above 0.1 cycles/mm (36), log mean amplitude in five frequency bands over
    flat fat and soft tissue (5; NaN where the patch shows too little of it). Bins beyond Nyquist
    are NaN. Only high-pass content enters, so that anatomy is left to the other posterior.
    """
    power, counts = radial_power(patch, pixel_mm)
    log_power = power.clamp(min=MIN_POWER).log()
    log_power = torch.where(counts > 0, log_power, torch.nan)[..., FREQUENCIES > HIGH_PASS]
    return torch.cat([log_power, _flat_amplitudes(patch, pixel_mm)], dim=-1)


def gaussian_gain(radius: Tensor, sigma_mm: float) -> Tensor:
    """Fourier gain of a Gaussian blur of `sigma_mm`, at `radius` cycles/mm."""
    return torch.exp(-2.0 * (torch.pi * sigma_mm * radius).square())


def filtered(patch: Tensor, gain: Tensor) -> Tensor:
    """Patches (..., rows, columns) with their rfft2 multiplied by `gain`."""
    return torch.fft.irfft2(torch.fft.rfft2(patch) * gain, s=patch.shape[-2:])


def _flat_amplitudes(patch: Tensor, pixel_mm: tuple[float, float]) -> Tensor:
    radius = radial_layout(patch.shape[-2:], pixel_mm, str(patch.device))[2]
    transformed = torch.fft.rfft2(patch)
    smooth = torch.fft.irfft2(transformed * gaussian_gain(radius, FLAT_BLUR_MM), s=patch.shape[-2:])
    flat = _flat_region(smooth, pixel_mm)
    share = flat.mean((-2, -1))
    values = []
    for low, high in BANDS:
        band = torch.fft.irfft2(
            transformed * ((radius >= low) & (radius < high)), s=patch.shape[-2:]
        )
        amplitude = (band.abs() * flat).mean((-2, -1)) / share.clamp(min=1e-6)
        seen = (share > MIN_FLAT_SHARE) & (0.5 / max(pixel_mm) > 0.5 * (low + high))
        values.append(torch.where(seen, amplitude.clamp(min=0.01).log(), torch.nan))
    return torch.stack(values, dim=-1)


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
