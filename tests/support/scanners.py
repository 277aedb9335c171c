"""Scanners with known blur and noise, and scans that they made."""

import numpy as np

from ctharmony.harmonization.operators import ScannerOperator

FREQUENCIES = 0.0125 + 0.025 * np.arange(40)
SPACING = (5.0, 0.8, 0.8)
SHAPE = (6, 192, 192)
ANCHORS = {"air": -1000.0, "lung": -860.0, "fat": -100.0, "soft_tissue": 50.0}

TRANSPORT = {
    "look": "match",
    "clean_noise": 0.1,
    "decoder_trust": 0.0,
    "change_bound_hu": 600,
    "match_thickness": True,
    "through_plane": {"anatomy_mm": 6.0, "noise_share": 0.1},
    "anchor_sd": {"air": 2.0, "lung": 15.0, "fat": 5.0, "soft_tissue": 5.0, "bone": 25.0},
    "calibration_sd": 10.0,
    "bone_scale_sd": 0.08,
    "gains": {
        "mtf_sd": 0.05,
        "nps_sd": 0.05,
        "spectrum_sd": 0.05,
        "anatomy_per_mm": 0.3,
        "structure_sd": 0.15,
        "dose_sd": 2.0,
        "bend_sd": 10.0,
        "aperture_sd": 0.1,
        "signal_cap": 3.0,
        "noise_cap": 2.5,
        "smoothing_bins": 1.5,
    },
    "bands": {
        "edges_per_mm": [0.05, 0.12, 0.25, 0.4, 0.6],
        "window_cycles": 1.0,
        "noise_margin": 1.8,
    },
    "noise": {
        "tissue_hu": [-20, 130],
        "block_mm": 6,
        "patch_mm": 16,
        "spectrum_patch_mm": 60,
        "sd_ratio": 1.25,
        "min_patches": 12,
        "max_patches": 400,
        "min_body_fraction": 0.75,
    },
}


def kernel(blur_mm: float, frequencies: np.ndarray = FREQUENCIES) -> np.ndarray:
    """Gaussian MTF."""
    return np.exp(-2 * (np.pi * blur_mm * frequencies) ** 2)


def noise_power(blur_mm: float, level: float, frequencies: np.ndarray = FREQUENCIES) -> np.ndarray:
    """Ramp times squared kernel, as filtered back-projection gives."""
    return level * frequencies * kernel(blur_mm, frequencies) ** 2


def scanner(blur_mm: float, level: float, **changes: object) -> ScannerOperator:
    """Operator of a scanner with Gaussian blur and ramp noise; 8 scans, 5 mm slices."""
    structure = 2e5 / (1 + (FREQUENCIES / 0.03) ** 3) * kernel(blur_mm) ** 2
    nps = noise_power(blur_mm, level)
    content = {
        "frequencies": FREQUENCIES,
        "nps": nps,
        "mtf": kernel(blur_mm),
        "spectrum": structure + nps,
        "lung": nps,
        "nps_log_sd": np.full(40, np.nan),
        "mtf_log_sd": np.full(40, np.nan),
        "hu_anchors": dict(ANCHORS),
        "noise_sd": float(noise(blur_mm, level, 0, SHAPE[1:]).std()),
        "body_area_cm2": 600.0,
        "slice_thickness_mm": 5.0,
        "kvp": 120.0,
        "n_scans": 8,
    }
    return ScannerOperator(**{**content, **changes})


def radius() -> np.ndarray:
    """Spatial frequency of rfft2 of a slice, cycles/mm."""
    fy = np.fft.fftfreq(SHAPE[1], SPACING[1])[:, None]
    return np.hypot(fy, np.fft.rfftfreq(SHAPE[2], SPACING[2])[None])


def blurred(volume: np.ndarray, blur_mm: float) -> np.ndarray:
    """What a noise-free scanner of that blur shows."""
    transformed = np.fft.rfft2(volume) * kernel(blur_mm, radius())
    return np.fft.irfft2(transformed, s=SHAPE[1:])


def noise(blur_mm: float, level: float, seed: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Gaussian noise with the power spectrum of `noise_power`."""
    white = np.random.default_rng(seed).standard_normal(shape)
    gain = np.sqrt(noise_power(blur_mm, level, radius()) / (SPACING[1] * SPACING[2]))
    return np.fft.irfft2(np.fft.rfft2(white) * gain, s=shape[-2:])


def body() -> np.ndarray:
    """A disc of soft tissue with a lung, vessels and bone, in air; (slices, rows, columns) HU."""
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    plane = np.full(SHAPE[1:], -1000.0)
    plane[(y - 96) ** 2 + (x - 96) ** 2 < 84**2] = 50.0
    lung = (y - 96) ** 2 + (x - 66) ** 2 < 34**2
    plane[lung] = -860.0
    rng = np.random.default_rng(5)
    for cy, cx in rng.uniform((72, 42), (120, 90), (25, 2)):
        plane[lung & ((y - cy) ** 2 + (x - cx) ** 2 < 6)] = 30.0
    plane[(abs(y - 130) < 9) & (abs(x - 110) < 12)] = 600.0
    return np.repeat(plane[None], SHAPE[0], axis=0)


def tissue() -> np.ndarray:
    """Mask of homogeneous soft tissue, away from every edge."""
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    inside = (abs(y - 70) < 22) & (abs(x - 134) < 18)
    return np.repeat(inside[None], SHAPE[0], axis=0)
