import numpy as np
import pytest

from ctharmony.information.discrete import (
    entropy,
    js,
    kl,
    kl_to_uniform,
    mutual_information,
    normalised,
    total_correlation,
    wasserstein_1d,
)


def test_entropy_of_even_and_certain_histograms():
    assert entropy(np.ones(8)) == pytest.approx(np.log(8))
    assert entropy(np.array([0, 5, 0])) == 0
    assert entropy(np.array([[1, 1], [1, 1]])) == pytest.approx(np.log(4))


def test_kl_of_two_coins():
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert kl(np.array([2, 2]), np.array([1, 3])) == pytest.approx(expected)
    assert kl(np.array([1, 0]), np.array([0, 1])) == np.inf
    assert kl(np.array([1, 0]), np.array([1, 1])) == pytest.approx(np.log(2))


def test_js_is_bounded_symmetric_and_zero_for_equals():
    p, q = np.array([1.0, 2.0, 3.0]), np.array([3.0, 0.0, 1.0])
    assert js(p, q) == pytest.approx(js(q, p))
    assert js(p, 10 * p) == pytest.approx(0, abs=1e-12)
    assert js(np.array([1, 0]), np.array([0, 1])) == pytest.approx(np.log(2))


def test_contrast_and_entropy_add_up_to_the_log_of_the_bins():
    counts = np.random.default_rng(3).integers(0, 50, size=64)
    assert kl_to_uniform(counts) + entropy(counts) == pytest.approx(np.log(64))
    assert kl_to_uniform(np.ones(64)) == pytest.approx(0, abs=1e-12)


def test_mutual_information_of_a_gaussian_pair():
    correlation = 0.7
    grid = np.linspace(-5, 5, 201)
    x, y = np.meshgrid(grid, grid, indexing="ij")
    exponent = (x**2 - 2 * correlation * x * y + y**2) / (2 * (1 - correlation**2))
    expected = -0.5 * np.log(1 - correlation**2)
    assert mutual_information(np.exp(-exponent)) == pytest.approx(expected, rel=1e-3)


def test_mutual_information_of_independent_and_identical_variables():
    p = np.array([0.2, 0.3, 0.5])
    assert mutual_information(np.outer(p, p)) == pytest.approx(0, abs=1e-12)
    assert mutual_information(np.diag(p)) == pytest.approx(entropy(p))
    with pytest.raises(ValueError, match="two axes"):
        mutual_information(np.ones((2, 2, 2)))


def test_total_correlation_of_three_copies_is_twice_the_entropy():
    p = np.array([0.25, 0.75])
    joint = np.zeros((2, 2, 2))
    joint[0, 0, 0], joint[1, 1, 1] = p
    assert total_correlation(joint) == pytest.approx(2 * entropy(p))


def test_wasserstein_of_a_shift_is_the_shift():
    positions = np.arange(0, 1000, 10.0)
    p = np.exp(-((positions - 300) ** 2) / 5000)
    assert wasserstein_1d(positions, p, np.roll(p, 7)) == pytest.approx(70, rel=1e-6)
    assert wasserstein_1d(positions, p, p) == 0
    uneven = np.array([0.0, 1.0, 5.0])
    assert wasserstein_1d(uneven, np.array([1, 0, 0]), np.array([0, 0, 1])) == 5


@pytest.mark.parametrize("bad", [[0, 0], [-1, 2], [np.nan, 1], [np.inf, 1]])
def test_a_histogram_without_meaning_is_refused(bad):
    with pytest.raises(ValueError, match="counts"):
        normalised(np.array(bad))


def test_unlike_histograms_are_refused():
    with pytest.raises(ValueError, match="shapes"):
        kl(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="increase"):
        wasserstein_1d(np.array([1.0, 0.0]), np.ones(2), np.ones(2))
