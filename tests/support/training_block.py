"""Model settings so small that a training run takes a second."""

import yaml

BLOCK = """
anchors_hu: {air: -1000, fat: -100, soft_tissue: 50, bone: 400}
anchor_sd_hu: {air: 8, fat: 6, soft_tissue: 6, bone: 40}
network: {decoder: plain, width: 8, biology_channels: 4, scanner_dimensions: 4, patch_mm: 64,
          grid_mm: 2, biology_blur_mm: 1.5, film_scale: 0.1}
objective: {beta_biology: 1, beta_scanner: 20, free_bits_biology: 1, free_bits_scanner: 0.1,
            mutual_information: 0, spectrum: 1, anchors: 200, twins: 1, warmup_share: 0.2}
invariance: {divergence: moyer, weight: 0.1, ramp_share: 0.5, covariates: []}
realism: {divergence: none, weight: 0.1, ramp_share: 0.5}
critics: {width: 16, steps: 2, samples: 128, learning_rate: 0.001, lipschitz: penalty,
          penalty_weight: 10, projections: 16}
training: {steps: 6, steps_per_epoch: 3, scans_per_step: 3, patches_per_scan: 2,
           simulated_share: 0.4, learning_rate: 0.004, gradient_norm: 20,
           checkpoint_minutes: 60,
           validation_patches: 3, patience_epochs: 0, accelerator: cpu, precision: 32-true,
           channels_last: never, compiled: never, bad_steps: 20, devices: 1, nodes: 1}
monitor: {least_biology_nats: 0.01, least_scanner_nats: 2, near_ceiling: 0.05,
          vanished_gradient: 0.01, lipschitz_tolerance: 0.1, overfit_share: 0.5,
          overfit_least: 0.05, least_coverage: 0.8}
adaptation: {shrinkage_scans: 2, refuse_above: 5, patches_per_scan: 6, least_tissues: 0.5,
             least_variance: 0.02}
"""


def training_block() -> dict:
    """A fresh copy that a test may change."""
    return yaml.safe_load(BLOCK)
