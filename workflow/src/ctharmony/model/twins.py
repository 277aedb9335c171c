"""Twins: the same patch as another kernel, dose or calibration would show it."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ctharmony.information.gaussian import kl_diagonal
from ctharmony.model.curve import increasing, piecewise_linear
from ctharmony.model.scanner import UNKNOWN
from ctharmony.model.spectrum import filtered, radial_layout
from ctharmony.model.vae import Batch

BLUR_MM = (0.0, 0.7)
SHARPEN = (0.0, 0.8)
SHARPEN_AT = 0.35  # cycles/mm, where a sharp kernel's boost peaks
NOISE_SD_HU = (0.0, 30.0)
NOISE_POWER = (0.0, 1.5)  # noise amplitude rises with frequency to this power, then falls
NOISE_CUT = 0.45  # cycles/mm
CURVE_SDS = 2.0  # calibrations differ by more than the patients of one scanner do


def make_twin(patch: Tensor, pixel_mm: tuple[float, float], rng: np.random.Generator) -> Tensor:
    """Patches (n, 3, rows, columns) in HU under a random kernel (blurred or sharpened) and dose."""
    radius = radial_layout(patch.shape[-2:], pixel_mm, str(patch.device))[2]
    if rng.random() < 0.5:
        gain = torch.exp(-2.0 * (torch.pi * rng.uniform(*BLUR_MM) * radius).square())
    else:
        gain = 1.0 + rng.uniform(*SHARPEN) * (radius / SHARPEN_AT).square() * torch.exp(
            1.0 - (radius / SHARPEN_AT).square()
        )
    shape = radius ** rng.uniform(*NOISE_POWER) * torch.exp(-(radius / NOISE_CUT).square())
    white = torch.as_tensor(rng.standard_normal(tuple(patch.shape)), dtype=patch.dtype)
    noise = filtered(white.to(patch.device), shape)
    noise = noise / noise.std().clamp(min=1e-6) * rng.uniform(*NOISE_SD_HU)
    return filtered(patch, gain) + noise


def simulate_scanners(
    batch: Batch, share: float, tissues: tuple[Tensor, Tensor], rngs: list[np.random.Generator]
) -> Batch:
    """A batch in which about `share` of the scans come from scanners that do not exist.

    Kernel, dose and HU curve are drawn at random, each on its own, so that q(z_s|x) learns what
    each of them looks like instead of the few combinations that the reference sites have.
    `tissues` are (HU (k,), SD (k,)) of the anchors; their measured HU move with the curve. `rngs`
    has the random numbers of each scan.
    """
    native, anchors, site = list(batch.native), batch.anchors.clone(), batch.site.clone()
    hu, sd = tissues
    for index, rng in enumerate(rngs):
        if rng.random() >= share:
            continue
        shift = sd * torch.as_tensor(rng.normal(0.0, CURVE_SDS, len(sd)), dtype=sd.dtype).to(sd)
        knots = increasing(hu, shift[None])
        part = make_twin(native[index], batch.pixel_mm[index], rng)
        native[index] = piecewise_linear(part.flatten()[None], hu, knots).reshape(part.shape)
        anchors[index] = piecewise_linear(anchors[index][None], hu, knots)[0]
        site[index] = UNKNOWN
    return replace(batch, native=native, anchors=anchors, site=site)


def twin_penalty(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> Tensor:
    """Mean symmetrised KL between q(z_b|x) and q(z_b|twin), nats per patch.

    Each is (mean, logvar) of shape (m, c, h, w).
    """
    there = kl_diagonal(*first, *second)
    back = kl_diagonal(*second, *first)
    return 0.5 * (there + back).flatten(1).sum(1).mean()
