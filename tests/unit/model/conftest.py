"""Settings and scans small enough that a training run takes a second."""

import sys
from pathlib import Path

import pytest
import torch
import yaml

sys.path.insert(0, str(Path(__file__).parent))

import synthetic

from ctharmony.model.settings import Settings

BLOCK = """
anchors_hu: {air: -1000, fat: -100, soft_tissue: 50, bone: 400}
anchor_sd_hu: {air: 8, fat: 6, soft_tissue: 6, bone: 40}
network: {decoder: plain, width: 8, biology_channels: 4, scanner_dimensions: 4, patch_mm: 64,
          grid_mm: 2, biology_blur_mm: 1.5, film_scale: 0.1}
objective: {beta_biology: 1, beta_scanner: 20, free_bits_biology: 1, free_bits_scanner: 0.1,
            mutual_information: 0, spectrum: 1, anchors: 200, twins: 1, warmup_share: 0.2}
invariance: {divergence: moyer, weight: 0.1, ramp_share: 0.5}
training: {steps: 6, steps_per_epoch: 3, scans_per_step: 3, patches_per_scan: 2,
           simulated_share: 0.4, learning_rate: 0.004, gradient_norm: 20,
           checkpoint_minutes: 60,
           validation_patches: 3, accelerator: cpu, precision: 32-true}
adaptation: {shrinkage_scans: 2, refuse_above: 5, patches_per_scan: 6}
"""


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def block() -> dict:
    """A fresh config block that a test may change."""
    return yaml.safe_load(BLOCK)


@pytest.fixture
def settings(block) -> Settings:
    return Settings.from_dict(block)


@pytest.fixture(scope="session")
def scans():
    """Two training and one validation scan of each of three sites."""
    return synthetic.study(per_site=2, validation=1, field_mm=160.0, slices=3)
