"""Which scan becomes the template."""

from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy import ndimage

from ctharmony.registration.engine import find_transform, prepare_fixed
from ctharmony.registration.judgement import measure
from ctharmony.registration.pyramid import Image, above_threshold
from ctharmony.registration.resampling import Grid, isotropic_grid, resample
from ctharmony.registration.settings import RegistrationSettings


def take_evenly(items: list, most: int) -> list:
    """At most `most` items at even steps through the list, first one included."""
    if len(items) <= most:
        return items
    return [items[(number * len(items)) // most] for number in range(most)]


def medoid(
    images: list[Image], settings: RegistrationSettings, seed: int = 0
) -> tuple[int, np.ndarray]:
    """The scan that shares most information with all the others after a coarse registration.

    A pair's likeness is the share of entropy explained times the root of the smaller of the two
    coverages, so a short scan cannot win by being easy to cover.

    Returns:
        the winner's place, and the (n,) mean likeness of each scan to the others.

    Raises:
        ValueError: there is no image, or one has an empty body mask.
    """
    if not images:
        raise ValueError("no training scan of a reference site is usable as template")
    coarse = _coarse(settings)
    scans = [prepare_fixed(image, coarse, seed) for image in images]
    likeness = np.zeros((len(images), len(images)))
    for one, two in combinations(range(len(images)), 2):
        transform, _ = find_transform(scans[one], scans[two].levels, coarse)
        there = measure(scans[one].levels[-1], scans[two].levels[-1], transform)
        back = measure(scans[two].levels[-1], scans[one].levels[-1], np.linalg.inv(transform))
        shared = np.sqrt(min(there.coverage, back.coverage))
        likeness[one, two] = likeness[two, one] = shared * (there.explained + back.explained) / 2
    mean = likeness.sum(axis=1) / max(1, len(images) - 1)
    return int(mean.argmax()), mean


def freeze(image: Image, step_mm: float) -> tuple[np.ndarray, np.ndarray, Grid]:
    """The template on cubic voxels: HU (z, y, x), mask (0 outside, 1 body, 2 lung) and grid.

    A scan with thick slices is interpolated between them; its outline stays where it was.
    """
    grid = isotropic_grid(image.hu.shape, image.affine, step_mm)
    volume = resample(image.hu, image.affine, np.eye(4), grid, order=1)
    mask = resample(image.mask, image.affine, np.eye(4), grid, order=0, outside=0.0)
    return volume, mask.astype(np.uint8), grid


def find_body(volume: np.ndarray) -> np.ndarray:
    """The largest piece above Otsu's threshold, filled slice by slice; uint8, shape of `volume`."""
    pieces, count = ndimage.label(above_threshold(volume))
    if not count:
        return np.zeros(volume.shape, dtype=np.uint8)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    largest = pieces == sizes.argmax()
    return np.stack([ndimage.binary_fill_holes(plane) for plane in largest]).astype(np.uint8)


def _coarse(settings: RegistrationSettings) -> RegistrationSettings:
    return replace(
        settings,
        levels_mm=settings.levels_mm[:1],
        points=settings.points[:1],
        bins=settings.bins[:1],
        iterations=settings.iterations[:1],
    )
