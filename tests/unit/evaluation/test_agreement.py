"""Agreement measures against closed forms and published or independent values."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity as skimage_ssim

from ctharmony.evaluation import agreement


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    reference = generator.normal(0, 100, (20, 24, 26)).astype(np.float32)
    mask = np.zeros(reference.shape, dtype=bool)
    mask[:, 4:-4, 4:-4] = True
    return reference, reference + np.where(mask, 10, 500).astype(np.float32), mask


def test_errors_of_a_constant_offset_inside_the_mask(images):
    reference, shifted, mask = images
    assert agreement.mean_absolute_error(shifted, reference, mask) == pytest.approx(10, abs=1e-4)
    rmse = agreement.root_mean_square_error(shifted, reference, mask)
    assert rmse == pytest.approx(10, abs=1e-4)
    # 20 log10(2000 / 10)
    assert agreement.peak_signal_to_noise(rmse, 2000) == pytest.approx(46.0206, abs=1e-3)
    assert agreement.peak_signal_to_noise(0.0, 2000) == np.inf


def test_rmse_exceeds_mae_by_the_factor_of_a_gaussian():
    noise = np.random.default_rng(1).normal(0, 20, (8, 128, 128)).astype(np.float32)
    mask = np.ones(noise.shape, dtype=bool)
    zero = np.zeros_like(noise)
    ratio = agreement.root_mean_square_error(noise, zero, mask) / agreement.mean_absolute_error(
        noise, zero, mask
    )
    assert ratio == pytest.approx(np.sqrt(np.pi / 2), rel=0.01)


def test_ssim_equals_scikit_image_slice_by_slice(images):
    reference, _, mask = images
    noisy = reference + np.random.default_rng(2).normal(0, 40, reference.shape).astype(np.float32)
    maps = [
        skimage_ssim(a, b, data_range=2000, win_size=7, full=True)[1]
        for a, b in zip(noisy.astype(float), reference.astype(float), strict=True)
    ]
    found = agreement.structural_similarity(noisy, reference, mask, 2000, 7)
    assert found == pytest.approx(float(np.stack(maps)[mask].mean()), abs=1e-5)
    assert agreement.structural_similarity(reference, reference, mask, 2000, 7) == pytest.approx(1)


def test_concordance_is_one_for_equal_and_falls_with_shift_and_scale():
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert agreement.concordance(x, x) == pytest.approx(1)
    # 2 s_xy / (s_x^2 + s_y^2 + d^2) with variance 1.25 and a shift of 1
    assert agreement.concordance(x, x + 1) == pytest.approx(2.5 / 3.5)
    assert agreement.concordance(x, -x + 5) == pytest.approx(-1)
    assert np.isnan(agreement.concordance(np.ones(4), np.ones(4)))
    assert np.isnan(agreement.concordance(np.array([1.0]), np.array([1.0])))


def test_concordance_leaves_out_missing_pairs():
    first, second = np.array([1.0, np.nan, 3.0, 4.0]), np.array([1.0, 7.0, 3.0, np.nan])
    assert agreement.concordance(first, second) == pytest.approx(1)


def test_icc_reproduces_the_table_of_shrout_and_fleiss():
    ratings = np.array(
        [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    )
    assert agreement.intraclass_correlation(ratings) == pytest.approx(0.2898, abs=1e-4)
    assert np.isnan(agreement.intraclass_correlation(ratings[:1]))


def test_bland_altman_limits():
    first = np.array([10.0, 12.0, 14.0, 16.0])
    found = agreement.bland_altman(first, first - np.array([1.0, 2.0, 3.0, 4.0]))
    spread = 1.96 * np.std([1, 2, 3, 4], ddof=1)
    assert (found.bias, found.n) == (2.5, 4)
    assert found.lower == pytest.approx(2.5 - spread)
    assert found.upper == pytest.approx(2.5 + spread)
