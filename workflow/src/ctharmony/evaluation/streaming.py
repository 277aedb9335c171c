"""All that needs an image, measured one scan at a time: read, measure, forget."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ctharmony.evaluation.cases import UNTOUCHED, Case
from ctharmony.evaluation.image_features import ImageFeatureSettings, image_features
from ctharmony.evaluation.paired import (
    PairedSettings,
    Truth,
    body_box,
    paired_measures,
    prepare_truth,
)
from ctharmony.evaluation.patches import PatchSettings, body_patches
from ctharmony.evaluation.slice_windows import Windows, WindowSettings, slice_windows
from ctharmony.quality.histogram import histogram


class Scan(Protocol):
    """What a reader gives: HU (slices, rows, columns) and (dz, dy, dx) in mm."""

    hu: np.ndarray
    spacing: tuple[float, float, float]


Read = Callable[[str], Scan]
# further versions of a scan, by method, that are made rather than read
Derive = Callable[[Case, Scan], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class SeenSettings:
    """What the probes see of an image.

    Attributes:
        image: features of the whole; patches: body patches.
        windows: places of one slice.
        mapped: methods whose places are looked at.
    """

    image: ImageFeatureSettings
    patches: PatchSettings
    windows: WindowSettings
    mapped: tuple[str, ...]


@dataclass
class Measured:
    """What one scan gave.

    Attributes:
        case: the scan.
        histograms: method -> (bins,) probabilities inside the body.
        features: method -> image features by name.
        patches: method -> (n, pixels, pixels) HU on the common pixel.
        windows: method -> places of one slice.
        paired: (method, metric, value) where there is a truth.
        faults: sentences about what could not be measured.
    """

    case: Case
    histograms: dict[str, np.ndarray] = field(default_factory=dict)
    features: dict[str, dict[str, float]] = field(default_factory=dict)
    patches: dict[str, np.ndarray] = field(default_factory=dict)
    windows: dict[str, Windows] = field(default_factory=dict)
    paired: list[tuple[str, str, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def see(
        self,
        method: str,
        hu: np.ndarray,
        labels: np.ndarray,
        spacing: tuple[float, float, float],
        how: SeenSettings,
    ) -> None:
        """Add the histogram and whatever probes see of one version.

        Raises:
            ValueError: image and labels differ in shape.
        """
        if hu.shape != labels.shape:
            raise ValueError(f"the image has the shape {hu.shape}, its mask {labels.shape}")
        self.histograms[method] = histogram(hu, labels > 0)
        self.features[method] = image_features(hu, labels, spacing, how.image)
        self.patches[method] = body_patches(hu, labels, spacing, how.patches, self.case.scan)
        if method in how.mapped:
            self.windows[method] = slice_windows(hu, labels, spacing, how.windows)

    def judge(
        self,
        method: str,
        hu: np.ndarray,
        labels: np.ndarray,
        truth: Truth | None,
        how: PairedSettings,
    ) -> None:
        """Add the paired measures of one version, where there is a truth."""
        if truth is not None:
            values = paired_measures(hu[body_box(labels)], truth, how)
            self.paired += [(method, metric, value) for metric, value in values.items()]


def nothing_derived(case: Case, scan: Scan) -> Mapping[str, np.ndarray]:
    """The `derive` of a study in which every version is read."""
    return {}


def measure_case(
    case: Case,
    read: Read,
    paired: PairedSettings,
    seen: SeenSettings,
    derive: Derive = nothing_derived,
) -> Measured:
    """Measure every version of a scan; a version that fails becomes a fault, not an end.

    Args:
        case: the scan; read: reads a version of it; derive: makes further ones.
        paired: measures against its truth.
        seen: what the probes see of it.
    """
    found = Measured(case)
    try:
        untouched = read(case.images[UNTOUCHED])
        labels = np.rint(read(case.mask).hu).astype(np.uint8)
        truth = _truth(case, labels, read, paired)
    except (ValueError, OSError) as error:
        found.faults.append(f"{case.site}, {case.scan}: {error}")
        return found
    for method, path in case.images.items():
        try:
            hu = untouched.hu if method == UNTOUCHED else read(path).hu
            found.see(method, hu, labels, untouched.spacing, seen)
            found.judge(method, hu, labels, truth, paired)
        except (ValueError, OSError) as error:
            found.faults.append(f"{case.site}, {case.scan}, {method}: {error}")
    for method, hu in (derive(case, untouched) if truth else {}).items():
        found.judge(method, hu, labels, truth, paired)
    return found


def _truth(case: Case, labels: np.ndarray, read: Read, how: PairedSettings) -> Truth | None:
    if case.target is None:
        return None
    target = read(case.target)
    clean = read(case.clean).hu if case.clean else None
    tissues = np.rint(read(case.tissues).hu).astype(np.uint8) if case.tissues else None
    return prepare_truth(target.hu, clean, labels, target.spacing, how, tissues)
