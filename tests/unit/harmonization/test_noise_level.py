"""The measured noise of a result, and the larger body that is noisier on every scanner."""

import numpy as np
import pytest

from ctharmony.harmonization.noise_level import block_noise
from ctharmony.harmonization.transport import noise_ratio
from scanners import SPACING, noise, scanner, tissue


def test_block_noise_is_proportional_to_the_noise_whatever_structure_lies_beside() -> None:
    flat = 50.0 + noise(0.3, 3000.0, 1)
    double = 50.0 + 2.0 * noise(0.3, 3000.0, 1)
    once, twice = (block_noise(hu, hu, SPACING[1]) for hu in (flat, double))
    assert twice / once == pytest.approx(2.0, rel=0.02)
    edges = flat.copy()
    edges[:, :, ::48] += 200.0
    assert block_noise(edges, flat, SPACING[1]) == pytest.approx(once, rel=0.05)


def test_no_soft_tissue_gives_no_noise() -> None:
    air = np.full(tissue().shape, -1000.0)
    assert np.isnan(block_noise(air, air, SPACING[1]))


def test_larger_body_is_allowed_more_noise() -> None:
    target, same = scanner(0.6, 2000.0), scanner(0.6, 2000.0)
    large = scanner(0.6, 2000.0, body_area_cm2=2 * target.body_area_cm2)
    assert noise_ratio(same, target) == pytest.approx(1.0)
    assert noise_ratio(large, target) == pytest.approx(2**0.8)
