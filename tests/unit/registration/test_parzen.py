"""The smooth joint histogram: its information, its bias and its derivative."""

import numpy as np
import pytest
import torch

from ctharmony.information import discrete, parzen

BINS = 16


def paired(count: int, independent: bool, seed: int = 0) -> parzen.Samples:
    random = np.random.default_rng(seed)
    fixed = random.integers(0, BINS, count)
    moving = random.uniform(0, BINS - 1, count)
    if not independent:
        moving = np.clip(fixed + random.normal(0, 1.0, count), 0, BINS - 1)
    weight = np.ones((1, count))
    return parzen.Samples(
        torch.from_numpy(fixed), torch.from_numpy(moving)[None], torch.from_numpy(weight)
    )


def test_value_equals_the_discrete_formula_on_the_same_histogram():
    joint = parzen.joint_histogram(parzen.count_cells(paired(5000, False), BINS))
    expected = discrete.mutual_information(joint[0].numpy())
    assert float(parzen.mutual_information(joint)) == pytest.approx(expected, abs=1e-9)
    assert expected > 0.5


def test_histogram_is_a_distribution_with_the_fixed_marginal():
    samples = paired(4000, False)
    joint = parzen.joint_histogram(parzen.count_cells(samples, BINS))[0]
    counts = torch.bincount(samples.fixed_bin, minlength=BINS).double() / 4000
    assert float(joint.sum()) == pytest.approx(1.0, abs=1e-12)
    torch.testing.assert_close(joint.sum(1), counts)


def test_an_image_tells_its_whole_entropy_about_itself():
    joint = np.diag(np.array([1.0, 2, 3, 4]) / 10)
    value = float(parzen.mutual_information(torch.from_numpy(joint)[None]))
    assert value == pytest.approx(discrete.entropy(joint.sum(1)), abs=1e-12)
    ratio = float(parzen.normalized_mutual_information(torch.from_numpy(joint)[None]))
    assert ratio == pytest.approx(2.0, abs=1e-12)


def test_independent_images_share_no_more_than_the_stated_bias():
    random = np.random.default_rng(3)
    values = []
    for _ in range(40):
        joint = np.zeros((BINS, BINS))
        np.add.at(joint, (random.integers(0, BINS, 4000), random.integers(0, BINS, 4000)), 1)
        values.append(discrete.mutual_information(joint))
    bias = parzen.independence_bias(4000, BINS)
    assert np.mean(values) == pytest.approx(bias, rel=0.1)
    smooth = parzen.joint_histogram(parzen.count_cells(paired(4000, True), BINS))
    assert 0 <= float(parzen.mutual_information(smooth)) < bias


@pytest.mark.parametrize("normalized", [False, True])
def test_sample_slopes_equal_finite_differences(normalized):
    samples = paired(400, False)
    measure = parzen.normalized_mutual_information if normalized else parzen.mutual_information
    cells = parzen.count_cells(samples, BINS)
    joint = parzen.joint_histogram(cells)
    slopes = parzen.sample_slopes(cells, parzen.slope_table(joint, normalized))[0] / 400

    def value_with(sample: int, step: float) -> float:
        moved = samples.moving.clone()
        moved[0, sample] += step
        again = parzen.Samples(samples.fixed_bin, moved, samples.weight)
        return float(measure(parzen.joint_histogram(parzen.count_cells(again, BINS))))

    inner = [k for k in range(60) if 0.01 < float(samples.moving[0, k]) % 1 < 0.99]
    for sample in inner[:20]:
        difference = (value_with(sample, 1e-5) - value_with(sample, -1e-5)) / 2e-5
        assert float(slopes[sample]) == pytest.approx(difference, rel=1e-4, abs=1e-9)


def test_conditional_variance_is_that_of_each_bin():
    samples = paired(3000, False)
    found = parzen.conditional_variance(parzen.count_cells(samples, BINS), 0.25)[0]
    for bin_ in (3, 9):
        chosen = samples.moving[0][samples.fixed_bin == bin_]
        assert float(found[bin_]) == pytest.approx(float(chosen.var(correction=0)) + 0.25)
