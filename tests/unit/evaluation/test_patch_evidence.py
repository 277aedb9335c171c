"""The frequency band that a network goes by is the one in which a difference was planted."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from ctharmony.evaluation.cnn_probe import CnnSettings, patch_sample, train_probes
from ctharmony.evaluation.explanation import without_band
from ctharmony.evaluation.explanation_rows import COLUMNS
from ctharmony.evaluation.patch_evidence import patch_evidence_table
from ctharmony.evaluation.patches import PatchSettings

HOW = CnnSettings(
    PatchSettings(pixel_mm=1.0, pixels=24, smoothing_mm=0.6, per_scan=6),
    folds=2, steps=60, batch=32, width=8, learning_rate=0.005,
    evidence_edges_per_mm=(0.05, 0.15, 0.3, 0.5),
)  # fmt: skip
SUBJECTS, LABELS = [f"s{index:02d}" for index in range(20)], ["a", "b"] * 10


def noise(seed: int) -> np.ndarray:
    """(6, 24, 24) of unit SD."""
    found = gaussian_filter(np.random.default_rng(seed).normal(size=(6, 24, 24)), (0, 0.5, 0.5))
    return found / found.std()


def explained(patches: list[np.ndarray], quick) -> pd.DataFrame:
    sample = patch_sample(patches, SUBJECTS, LABELS)
    probes = train_probes(sample, HOW, quick)
    table = patch_evidence_table("none", sample, probes, HOW)
    assert tuple(table.columns) == COLUMNS
    assert set(table["site"]) == {"a", "b"} and (table["kl_nats"] >= 0).all()
    return table


def test_the_band_that_differs_is_the_evidence(quick):
    patches = []
    for number, site in enumerate(LABELS):
        texture = 15 * noise(number)
        if site == "b":
            texture = without_band(texture, (1.0, 1.0), 0.15, 0.3)
        patches.append(40 + texture)
    table = explained(patches, quick)
    bands = table[table["evidence"].str.endswith("_per_mm")]
    assert set(bands["n"]) == {10}
    mean = bands.groupby("evidence")[["kl_nats", "gain_nats"]].mean()
    assert mean["kl_nats"].idxmax() == "patch_0.15_to_0.3_per_mm"
    assert mean.loc["patch_0.15_to_0.3_per_mm", "gain_nats"] > 0.1


def test_no_difference_is_little_evidence(quick):
    table = explained([40 + 15 * noise(number) for number in range(20)], quick)
    bands = table[table["evidence"].str.endswith("_per_mm")]
    assert abs(bands["gain_nats"].mean()) < 0.1
    assert bands["kl_nats"].mean() == pytest.approx(0, abs=0.25)
