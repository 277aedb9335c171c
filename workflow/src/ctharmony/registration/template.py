"""Which scan becomes the template."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import ndimage

from ctharmony.registration.engine import find_transform, prepare_fixed
from ctharmony.registration.judgement import measure
from ctharmony.registration.pyramid import Image, above_threshold
from ctharmony.registration.resampling import isotropic_grid, resample
from ctharmony.registration.settings import RegistrationSettings


def candidates(scans: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most `most` usable training scans, at even steps through the sites' rows.

    Args:
        scans: rows of the reference sites' scans.tsv, in order.
        most: as many as are compared; comparing costs the square of this.

    Raises:
        ValueError: no training scan is usable.
    """
    usable = scans[scans.status.isin(["ok", "warned"]) & (scans.split == "train")]
    if usable.empty:
        raise ValueError(
            "no reference site has a usable training scan to make the template from; "
            "add scans, or name a file in the config's registration.template"
        )
    count = min(most, len(usable))
    return usable.iloc[[(number * len(usable)) // count for number in range(count)]]


def medoid(
    images: list[Image], settings: RegistrationSettings, seed: int = 0
) -> tuple[int, np.ndarray]:
    """The scan that shares most information with all the others after a coarse registration.

    A pair's likeness is the share of entropy explained times the root of the smaller of the two
    coverages, so a short scan cannot win by being easy to cover.

    Returns:
        the winner's place, and the (n,) mean likeness of each scan to the others.

    Raises:
        ValueError: an image has an empty body mask.
    """
    coarse = _coarse(settings)
    scans = [prepare_fixed(image, coarse, seed) for image in images]
    likeness = np.zeros((len(images), len(images)))
    for one, two in combinations(range(len(images)), 2):
        transform = find_transform(scans[one], scans[two].levels, coarse).matrix
        there = measure(scans[one].levels[-1], scans[two].levels[-1], transform)
        back = measure(scans[two].levels[-1], scans[one].levels[-1], np.linalg.inv(transform))
        shared = np.sqrt(min(there.coverage, back.coverage))
        likeness[one, two] = likeness[two, one] = shared * (there.explained + back.explained) / 2
    mean = likeness.sum(axis=1) / max(1, len(images) - 1)
    return int(mean.argmax()), mean


def freeze(image: Image, step_mm: float) -> Image:
    """The template on cubic voxels of `step_mm`: HU (z, y, x) and mask (0 outside, 1 body, 2 lung).

    A scan with thick slices is interpolated between them; its outline stays where it was.
    """
    grid, still = isotropic_grid(image.hu.shape, image.affine, step_mm), np.eye(4)
    volume = resample(image.hu, image.affine, still, grid, order=1)
    mask = resample(image.mask, image.affine, still, grid, order=0, outside=0.0)
    return Image(volume, grid.affine, mask.astype(np.uint8))


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
