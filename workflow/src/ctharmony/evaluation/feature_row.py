"""All features of one scan in one row: radiomics, and what a probe sees of the image."""

from dataclasses import dataclass

import numpy as np

from ctharmony.evaluation.image_features import ImageFeatureSettings, image_features
from ctharmony.evaluation.radiomics import RadiomicsSettings, radiomics


@dataclass(frozen=True)
class FeatureSettings:
    """Settings of both kinds of features."""

    radiomics: RadiomicsSettings
    image: ImageFeatureSettings


def scan_features(
    hu: np.ndarray,
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    how: FeatureSettings,
) -> dict[str, float]:
    """Features by name: `body_..`, `lung_..` (radiomics) and `image_..`; NaN where undefined.

    Args:
        hu: (slices, rows, columns) HU.
        labels: same shape: 0 outside, 1 body, 2 lung.
        spacing: (dz, dy, dx) mm.
        how: settings.

    Raises:
        ValueError: image and labels differ in shape.
    """
    if hu.shape != labels.shape:
        raise ValueError(f"the image has the shape {hu.shape}, its mask {labels.shape}")
    found = radiomics(hu, labels, spacing, how.radiomics)
    return found | image_features(hu, labels, spacing, how.image)
