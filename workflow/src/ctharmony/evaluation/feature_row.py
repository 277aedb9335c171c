"""All features of one scan in one row: radiomics, and what a probe sees of the image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctharmony.evaluation.image_features import ImageFeatureSettings, image_features
from ctharmony.evaluation.radiomics import RadiomicsSettings, radiomics
from ctharmony.quality.noise import NoiseSettings


@dataclass(frozen=True)
class FeatureSettings:
    """Settings of both kinds of features."""

    radiomics: RadiomicsSettings
    image: ImageFeatureSettings

    @classmethod
    def from_dict(cls, block: Mapping[str, Any]) -> "FeatureSettings":
        """Read the `features` block; it has been checked against its schema before."""
        numbers = dict(block["radiomics"])
        ranges = numbers.pop("ranges_hu").items()
        limits = {name: (float(low), float(high)) for name, (low, high) in ranges}
        noise = NoiseSettings.from_dict(block["noise"])
        image = ImageFeatureSettings(noise, tuple(block["band_edges_per_mm"]))
        return cls(RadiomicsSettings(**numbers, ranges_hu=limits), image)


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
