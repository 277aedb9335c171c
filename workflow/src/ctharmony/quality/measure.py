"""All quality measures of one scan: a row of numbers and its curves."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ctharmony.quality import edge, histogram, noise
from ctharmony.quality.calm import calm_power
from ctharmony.quality.masks import (
    LUNG,
    MaskSettings,
    block_factor,
    block_mean,
    segment,
    uniform_blocks,
)
from ctharmony.quality.table import table_present

MIXED = 255  # label of a block that holds several


@dataclass(frozen=True)
class QualitySettings:
    """Every number that the quality measures depend on; the config's block `ingest.quality`.

    Attributes:
        contrast_window_hu: (low, high) of contrast and entropy, HU.
        mode_smoothing_hu: kernel of the density whose peak is a tissue's mode, HU.
        expected_hu: where air, fat and soft tissue should lie, HU.
        table_above_hu: what is denser under the body may be a table, HU.
        table_width_mm: least width of a table, mm.
        masks, modes, bone, noise, edge: see their classes.
    """

    contrast_window_hu: tuple[float, float]
    mode_smoothing_hu: float
    expected_hu: dict[str, float]
    table_above_hu: float
    table_width_mm: float
    masks: MaskSettings
    modes: histogram.ModeSettings
    bone: histogram.BoneSettings
    noise: noise.NoiseSettings
    edge: edge.EdgeSettings

    @classmethod
    def from_config(cls, block: dict[str, Any]) -> "QualitySettings":
        """Build from the config's mapping of the same names.

        Raises:
            TypeError: a key is missing or unknown; the message names it.
        """
        nested = {
            "masks": MaskSettings,
            "modes": histogram.ModeSettings,
            "bone": histogram.BoneSettings,
            "noise": noise.NoiseSettings,
            "edge": edge.EdgeSettings,
        }
        return cls(
            **{
                name: nested[name](**value) if name in nested else value
                for name, value in block.items()
            }
        )


def analyse(
    hu: np.ndarray, spacing: tuple[float, float, float], how: QualitySettings
) -> tuple[np.ndarray, dict[str, float], pd.DataFrame]:
    """Segment and measure one scan: its labels, its row and its curves (see `measure`)."""
    labels = segment(hu, spacing, how.masks)
    return labels, *measure(hu, labels, spacing, how)


def measure(
    hu: np.ndarray, labels: np.ndarray, spacing: tuple[float, float, float], how: QualitySettings
) -> tuple[dict[str, float], pd.DataFrame]:
    """Measure one scan.

    Args:
        hu: (slices, rows, columns) HU, any number type, RAS.
        labels: same shape, uint8: 0 outside, 1 body, 2 lung (ctharmony.quality.masks.segment).
        spacing: (dz, dy, dx) mm.
        how: settings.

    Returns:
        The row (contrast_nats ... perc15_hu, NaN where a measure has no ground) and the curves
        (curve, x, y): histogram, nps, spectrum, lung, mtf.
    """
    body = labels > 0
    probabilities = histogram.histogram(hu, body)
    noise_sd = noise.noise_sd(hu, body, spacing, how.noise)
    corners, patches = noise.homogeneous_patches(hu, body, spacing, how.noise, noise_sd)
    enough = len(patches) >= how.noise.min_patches
    nps = noise.noise_power(patches if enough else patches[:0], spacing, how.noise)
    spectrum = noise.spectrum_of_body(hu, body, spacing, how.noise)
    transfer = _transfer(hu, body, spacing, how)
    contrast, information = histogram.contrast_and_entropy(probabilities, how.contrast_window_hu)
    peak, mean = noise.peak_and_mean_frequency(nps)
    row = {
        "contrast_nats": contrast,
        "entropy_nats": information,
        "noise_sd_hu": noise_sd,
        "nps_peak_per_mm": peak,
        "nps_mean_per_mm": mean,
        "mtf50_per_mm": edge.frequency_at(transfer, 0.5),
        "mtf10_per_mm": edge.frequency_at(transfer, 0.1),
        **_on_blocks(hu, labels, spacing, how),
        **_volumes(hu, labels, spacing),
        "slice_correlation": noise.slice_correlation(hu, corners, patches) if enough else np.nan,
        "body_coverage": float(body.mean()),
        "truncated_fraction": truncated_fraction(body),
    }
    lung = calm_power(hu, labels == LUNG, spacing, how.noise)
    powers = {"nps": nps, "spectrum": spectrum, "lung": lung, "mtf": transfer}
    return row, _curves(probabilities, powers)


def _transfer(
    hu: np.ndarray, body: np.ndarray, spacing: tuple[float, float, float], how: QualitySettings
) -> np.ndarray:
    transfer = edge.mtf(*edge.edge_response(hu, body, spacing, how.edge))
    transfer[0.5 / max(spacing[1:]) < noise.FREQUENCIES] = np.nan
    return transfer


def truncated_fraction(body: np.ndarray) -> float:
    """Share of the image border (all four sides of all slices) that the body touches."""
    border = np.concatenate(
        [body[:, 0].ravel(), body[:, -1].ravel(), body[:, :, 0].ravel(), body[:, :, -1].ravel()]
    )
    return float(border.mean())


def _on_blocks(
    hu: np.ndarray, labels: np.ndarray, spacing: tuple[float, float, float], how: QualitySettings
) -> dict[str, float]:
    """Modes of the tissues, how far they lie from where they should, and the table."""
    factor = block_factor(spacing, how.masks.coarse_mm)
    coarse = block_mean(hu, factor)
    groups = uniform_blocks(labels, factor, MIXED)
    blocks = (spacing[0], spacing[1] * factor[0], spacing[2] * factor[1])
    bone = histogram.bone_level(coarse, groups > 0, blocks, how.bone)
    table = (how.table_above_hu, how.table_width_mm)
    present = table_present(coarse, groups, blocks[2], table)
    # a block at the floor is padding or clipped air: it says nothing of the scanner's air
    groups[coarse <= hu.min()] = MIXED
    modes = histogram.tissue_modes(coarse, groups, how.modes, how.mode_smoothing_hu)
    offsets = {
        f"{tissue}_offset_hu": modes[f"{tissue}_mode_hu"] - expected
        for tissue, expected in how.expected_hu.items()
    }
    return {**modes, **offsets, "bone_level_hu": bone, "table_present": float(present)}


def _volumes(
    hu: np.ndarray, labels: np.ndarray, spacing: tuple[float, float, float]
) -> dict[str, float]:
    voxel_ml = float(np.prod(spacing)) / 1000.0
    lungs = histogram.lung_density(hu, labels == LUNG, voxel_ml)
    return {"body_volume_ml": float((labels > 0).sum()) * voxel_ml, **lungs}


def _curves(probabilities: np.ndarray, over_frequency: dict[str, np.ndarray]) -> pd.DataFrame:
    parts = [("histogram", histogram.CENTRES_HU, probabilities)]
    parts += [(name, noise.FREQUENCIES, values) for name, values in over_frequency.items()]
    frames = [pd.DataFrame({"curve": name, "x": x, "y": y}) for name, x, y in parts]
    return pd.concat(frames, ignore_index=True)
