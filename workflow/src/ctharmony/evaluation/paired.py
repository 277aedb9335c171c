"""One scan against its truth: the same patient on the target scanner, voxel by voxel."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter

from ctharmony.evaluation.agreement import (
    mean_absolute_error,
    peak_signal_to_noise,
    root_mean_square_error,
    structural_similarity,
)
from ctharmony.evaluation.image_features import BODY, LUNG, cut, spectral_distance
from ctharmony.evaluation.nodules import nodule_reach, nodule_volume
from ctharmony.quality.histogram import lung_density
from ctharmony.quality.noise import (
    NoiseSettings,
    detrended,
    homogeneous_patches,
    power_spectrum,
)

LUNG_BELOW_HU = -500.0  # lung is lighter; half way between lung and soft tissue
REACH = 3  # pixels beyond the lung of the mask in which a voxel may turn into lung


@dataclass(frozen=True)
class PairedSettings:
    """How a scan is held against its truth.

    Attributes:
        data_range_hu: HU between black and white in PSNR and SSIM.
        ssim_window: odd width of the SSIM window, pixels.
        tissues_hu: name -> (low, high) HU in the noise-free or smoothed truth.
        smoothing_mm: Gaussian SD that smooths a noisy truth before tissues are told apart.
        highest_per_mm: frequency up to which noise spectra are compared, cycles/mm.
        noise: patches for noise.
    """

    data_range_hu: float
    ssim_window: int
    tissues_hu: dict[str, tuple[float, float]]
    smoothing_mm: float
    highest_per_mm: float
    noise: NoiseSettings


@dataclass(frozen=True)
class Truth:
    """What a scan should look like, prepared once for all methods.

    Attributes:
        target: (slices, rows, columns) HU, the patient on the target scanner, its noise included.
        clean: the same without noise, or None where it is not known.
        labels: 0 outside, 1 body, 2 lung.
        tissues: name -> bool mask of the voxels that are surely this tissue.
        corners: (n, 3) places of flat soft tissue; patches: (n, rows, columns) of the target.
        lung_density: LAA-950 and Perc15 of the target.
        lung_reach: bool, the lung and a rim of REACH pixels, in which its volume is counted.
        nodules: bool, in and around true nodules; all false where none are known.
        spacing: (dz, dy, dx) mm.
    """

    target: np.ndarray
    clean: np.ndarray | None
    labels: np.ndarray
    tissues: dict[str, np.ndarray]
    corners: np.ndarray
    patches: np.ndarray
    lung_density: dict[str, float]
    lung_reach: np.ndarray
    nodules: np.ndarray
    spacing: tuple[float, float, float]


def prepare_truth(
    target: np.ndarray,
    clean: np.ndarray | None,
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    how: PairedSettings,
    true_tissues: np.ndarray | None = None,
) -> Truth:
    """Crop to the body and find tissues, flat patches and, in the true tissues, nodules.

    Raises:
        ValueError: the arrays differ in shape, or the mask is empty.
    """
    if target.shape != labels.shape or (clean is not None and clean.shape != labels.shape):
        raise ValueError(f"the truth has the shape {target.shape}, the scan {labels.shape}")
    if not labels.any():
        raise ValueError("the body mask is empty")
    box = body_box(labels)
    target, labels = target[box], labels[box]
    clean = None if clean is None else clean[box]
    calm = clean if clean is not None else _smoothed(target, spacing, how.smoothing_mm)
    known = np.zeros_like(labels) if true_tissues is None else true_tissues[box]
    corners, patches = homogeneous_patches(target, labels == BODY, spacing, how.noise)
    return Truth(
        target=target,
        clean=clean,
        labels=labels,
        tissues=tissue_masks(calm, labels, how.tissues_hu),
        corners=corners,
        patches=patches,
        lung_density=lung_density(target, labels == LUNG, 1.0),
        lung_reach=_reach(labels == LUNG),
        nodules=nodule_reach(known, spacing),
        spacing=spacing,
    )


def body_box(labels: np.ndarray) -> tuple[slice, slice, slice]:
    """The smallest box that holds every labelled voxel."""
    axes = ((1, 2), (0, 2), (0, 1))
    held = [np.flatnonzero(labels.any(axis=others)) for others in axes]
    z, y, x = (slice(int(where[0]), int(where[-1]) + 1) for where in held)
    return z, y, x


def tissue_masks(
    calm: np.ndarray, labels: np.ndarray, windows: dict[str, tuple[float, float]]
) -> dict[str, np.ndarray]:
    """Voxels in the inner part of each tissue; `lung` is sought in the lung, others elsewhere."""
    found = {}
    for name, (low, high) in windows.items():
        region = labels == (LUNG if name == "lung" else BODY)
        within = region & (calm > low) & (calm < high)
        found[name] = binary_erosion(within, structure=np.ones((1, 3, 3), dtype=bool))
    return found


def paired_measures(image: np.ndarray, truth: Truth, how: PairedSettings) -> dict[str, float]:
    """Every paired measure of one image (already cropped to the body box of its truth).

    Raises:
        ValueError: the image differs in shape from its truth.
    """
    if image.shape != truth.target.shape:
        raise ValueError(f"the image has the shape {image.shape}, its truth {truth.target.shape}")
    body = truth.labels > 0
    rmse = root_mean_square_error(image, truth.target, body)
    found = {
        "paired_mae_hu": mean_absolute_error(image, truth.target, body),
        "paired_rmse_hu": rmse,
        "paired_psnr_db": peak_signal_to_noise(rmse, how.data_range_hu),
        "paired_ssim": structural_similarity(
            image, truth.target, body, how.data_range_hu, how.ssim_window
        ),
    }
    if truth.clean is not None:
        found["clean_mae_hu"] = mean_absolute_error(image, truth.clean, body)
    found |= _tissue_shifts(image, truth) | _noise(image, truth, how)
    return found | _lung(image, truth) | _nodules(image, truth)


def _tissue_shifts(image: np.ndarray, truth: Truth) -> dict[str, float]:
    reference = truth.target if truth.clean is None else truth.clean
    shifts = {
        f"tissue_shift_hu_{name}": float((image[mask] - reference[mask]).mean(dtype=np.float64))
        for name, mask in truth.tissues.items()
        if mask.any()
    }
    if shifts:
        shifts["tissue_shift_hu"] = float(np.mean(np.abs(list(shifts.values()))))
    return shifts


def _noise(image: np.ndarray, truth: Truth, how: PairedSettings) -> dict[str, float]:
    if len(truth.patches) < how.noise.min_patches:
        return {}
    patches = detrended(cut(image, truth.corners, truth.patches.shape[1:]))
    distance = spectral_distance(
        power_spectrum(patches, truth.spacing),
        power_spectrum(truth.patches, truth.spacing),
        how.highest_per_mm,
    )
    return {
        "nps_distance": distance,
        "noise_sd_ratio": float(patches.std() / truth.patches.std()),
    }


def _lung(image: np.ndarray, truth: Truth) -> dict[str, float]:
    found = lung_density(image, truth.labels == LUNG, 1.0)
    return {
        "laa950_bias_points": found["laa950_percent"] - truth.lung_density["laa950_percent"],
        "perc15_bias_hu": found["perc15_hu"] - truth.lung_density["perc15_hu"],
        "lung_volume_bias_ml": _volume(image, truth) - _volume(truth.target, truth),
    }


def _nodules(image: np.ndarray, truth: Truth) -> dict[str, float]:
    if not truth.nodules.any():
        return {}
    shown, true = (nodule_volume(hu, truth.nodules, truth.spacing) for hu in (image, truth.target))
    return {"nodule_volume_bias_mm3": shown - true}


def _reach(lung: np.ndarray) -> np.ndarray:
    """The lung (slices, rows, columns) and a rim of REACH pixels within its slices."""
    return binary_dilation(lung, np.ones((1, 3, 3), dtype=bool), iterations=REACH)


def _volume(image: np.ndarray, truth: Truth) -> float:
    """Volume (ml) lighter than LUNG_BELOW_HU in and around the lung; NaN without a lung."""
    if not truth.lung_reach.any():
        return float("nan")
    voxel_ml = float(np.prod(truth.spacing)) / 1000
    return voxel_ml * int(np.count_nonzero(image[truth.lung_reach] < LUNG_BELOW_HU))


def _smoothed(
    hu: np.ndarray, spacing: tuple[float, float, float], smoothing_mm: float
) -> np.ndarray:
    return gaussian_filter(hu, [0.0, smoothing_mm / spacing[1], smoothing_mm / spacing[2]])
