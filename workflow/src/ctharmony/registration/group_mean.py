"""An unbiased mean of scans as template, made by iteration."""

import numpy as np
from scipy import linalg

from ctharmony.registration.engine import prepare_fixed, register_to
from ctharmony.registration.pyramid import Image
from ctharmony.registration.resampling import OUTSIDE_HU, Grid, resample
from ctharmony.registration.settings import RegistrationSettings
from ctharmony.registration.transforms import about


def group_mean(
    start: Image, images: list[Image], settings: RegistrationSettings, rounds: int, seed: int = 0
) -> tuple[Image, list[bool]]:
    """Register all to the mean so far, average, undo the mean shape change; `rounds` times.

    Without the last step the mean would keep the size and shape of the scan it began with. The
    mean of shapes is that of the matrices' logarithms (Alexa, ACM Trans Graph 21 (2002) 380).

    Args:
        start: the first template; its grid is kept.
        images: the scans, with masks.
        settings: how they are registered.
        rounds: at least 1.
        seed: of the sampled points.

    Returns:
        the mean (HU, mask by majority) and which images were used (not the failed ones).

    Raises:
        ValueError: every image failed.
    """
    mean, used = start, [False] * len(images)
    for _ in range(rounds):
        fixed = prepare_fixed(mean, settings, seed)
        found = [register_to(fixed, image, settings) for image in images]
        used = [result.status != "failed" for result in found]
        if not any(used):
            raise ValueError(
                "no scan could be registered to the first template of the group mean; "
                "name a file in the config's registration.template"
            )
        transforms = [result.transform for result in found if result.status != "failed"]
        undo = mean_shape_undone(transforms, fixed.points[0].frame.centre)
        kept = [image for image, fine in zip(images, used, strict=True) if fine]
        mean = _average(kept, [transform @ undo for transform in transforms], mean)
    return mean, used


def mean_shape_undone(transforms: list[np.ndarray], centre: np.ndarray) -> np.ndarray:
    """(4, 4) map about `centre` after which the mean logarithm of the stretches is nearly zero.

    Rotations are left alone: they are those of headers, not of patients.
    """
    squares = [transform[:3, :3].T @ transform[:3, :3] for transform in transforms]
    logarithms = [np.real(linalg.logm(square)) / 2 for square in squares]
    return about(linalg.expm(-np.mean(logarithms, axis=0)), centre, np.zeros(3))


def _average(images: list[Image], transforms: list[np.ndarray], like: Image) -> Image:
    grid = Grid(like.hu.shape, like.affine)
    total, count = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
    body, lung = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
    for image, transform in zip(images, transforms, strict=True):
        moved = resample(image.hu, image.affine, transform, grid, 1, np.nan)
        mask = resample(image.mask, image.affine, transform, grid, 0, 0.0)
        seen = np.isfinite(moved)
        total[seen] += moved[seen]
        count += seen
        body += mask > 0
        lung += mask == 2
    values = np.where(count > 0, total / count.clip(1), np.float32(OUTSIDE_HU))
    labels = (2 * body > count) & (count > 0)
    return Image(values, like.affine, labels.astype(np.uint8) + (labels & (2 * lung > count)))
