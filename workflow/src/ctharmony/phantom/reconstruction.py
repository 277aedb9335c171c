"""What one scanner shows of given material maps."""

import numpy as np

from ctharmony.phantom.acquisition import measure
from ctharmony.phantom.kernels import UPSAMPLING, filter_sinograms, get_kernel
from ctharmony.phantom.projection import backproject, project, view_angles
from ctharmony.phantom.scanner import Sampling, Scanner


def project_materials(maps: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Path lengths of every material along every ray.

    Args:
        maps: (materials, slices, rows, columns) float32 mass densities in g/cm3.
        sampling: object pixel, detector and views.

    Returns:
        (materials, slices, views, bins) float32, g/cm3 mm.
    """
    angles = view_angles(sampling.views)
    stack = maps.reshape(-1, *maps.shape[2:])
    pitch = sampling.detector_pitch_mm
    paths = project(stack, sampling.object_pixel_mm, angles, sampling.bins, pitch)
    return paths.reshape(*maps.shape[:2], *paths.shape[1:])


def acquire(
    paths: np.ndarray,
    scanner: Scanner,
    sampling: Sampling,
    random: np.random.Generator | None,
) -> np.ndarray:
    """Measure and filter with the scanner's kernel.

    Args:
        paths: (materials, slices, views, bins) as of `project_materials`.
        scanner: the scanner.
        sampling: the grids.
        random: stream of the noise; None for a noise-free image.

    Returns:
        (slices, views, fine bins) float32, ready for `reconstruct`.
    """
    water = measure(paths, scanner, sampling, random)
    kernel = get_kernel(scanner.kernel)
    return filter_sinograms(water, sampling.detector_pitch_mm, kernel, sampling.margin)


def reconstruct(filtered: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Images of filtered sinograms: (slices, matrix, matrix) float32 HU, uncalibrated."""
    fine = sampling.detector_pitch_mm / UPSAMPLING
    angles = view_angles(sampling.views)
    density = backproject(filtered, angles, fine, sampling.matrix, sampling.pixel_mm)
    density -= 1.0
    density *= 1000.0
    return density


def slice_weights(centre_mm: float, planes_mm: np.ndarray, thickness_mm: float) -> np.ndarray:
    """Share of every plane of the patient in a slice: a box of the slice's thickness.

    Args:
        centre_mm: the slice's centre.
        planes_mm: (planes,) centres of evenly spaced planes.
        thickness_mm: full width of the profile.

    Returns:
        (planes,) float64, sum 1: overlap of each plane's layer with the slice.
    """
    layer = planes_mm[1] - planes_mm[0]
    low = np.maximum(planes_mm - layer / 2, centre_mm - thickness_mm / 2)
    high = np.minimum(planes_mm + layer / 2, centre_mm + thickness_mm / 2)
    overlap = np.maximum(high - low, 0.0)
    return overlap / overlap.sum()
