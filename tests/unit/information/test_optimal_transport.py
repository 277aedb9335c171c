"""Wasserstein distances against closed forms and against one another; coverage; Renyi."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from ctharmony.information.coverage import density_coverage, expected_coverage
from ctharmony.information.gaussian import kl_diagonal, renyi_diagonal
from ctharmony.information.optimal_transport import (
    gaussian_wasserstein,
    sinkhorn,
    sliced_wasserstein,
    unit_directions,
    wasserstein_1d,
    wasserstein_exact,
)

DOUBLE = torch.float64
quick = settings(max_examples=40, deadline=None)


@quick
@given(seed=st.integers(0, 10_000), n=st.integers(1, 20), m=st.integers(1, 20))
def test_weighted_distance_on_a_line_is_scipys(seed, n, m):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=n), rng.normal(1.0, 2.0, size=m)
    a, b = rng.uniform(0.1, 1, n), rng.uniform(0.1, 1, m)
    found = wasserstein_1d(*(torch.tensor(v) for v in (x, y, a / a.sum(), b / b.sum())))
    assert float(found) == pytest.approx(wasserstein_distance(x, y, a, b), abs=1e-9)


def test_columns_are_problems_of_their_own():
    x, y = torch.randn(9, 3, dtype=DOUBLE), torch.randn(5, 3, dtype=DOUBLE)
    whole = wasserstein_1d(x, y)
    single = [float(wasserstein_1d(x[:, k], y[:, k])) for k in range(3)]
    assert whole.tolist() == pytest.approx(single, abs=1e-12)


def test_a_shift_costs_its_length_with_slope_one():
    x = torch.randn(200, 2, dtype=DOUBLE)
    shift = torch.tensor([3.0, 4.0], dtype=DOUBLE)
    assert wasserstein_exact(x, x + shift) == pytest.approx(5.0, abs=1e-9)
    theta = torch.tensor(1.5, dtype=DOUBLE, requires_grad=True)
    (slope,) = torch.autograd.grad(wasserstein_1d(x[:, 0], x[:, 0] + theta), theta)
    assert float(slope) == pytest.approx(1.0)


def test_entropic_cost_nears_the_exact_one_from_above():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(80, 3, generator=generator)
    y = torch.randn(80, 3, generator=generator) + 1.0
    exact = wasserstein_exact(x, y)
    loose, tight = sinkhorn(x, y, 1.0), sinkhorn(x, y, 0.05)
    assert exact - 1e-4 <= tight <= loose
    assert tight == pytest.approx(exact, rel=0.02)


def test_sliced_distance_of_a_shift():
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(500, 3, generator=generator, dtype=torch.float32)
    directions = unit_directions(3, 2000, generator)
    shifted = sliced_wasserstein(x, x + torch.tensor([2.0, 0.0, 0.0]), directions)
    # the mean squared component of a unit vector is 1/d
    assert float(shifted) == pytest.approx(2.0 / math.sqrt(3.0), rel=0.05)
    moving = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(sliced_wasserstein(moving, x, directions), moving)
    assert torch.isfinite(slope).all()


def test_gaussian_distance_is_that_of_its_samples():
    one, two = torch.ones(1), 2.0 * torch.ones(1)
    place = torch.linspace(0.5 / 20_000, 1 - 0.5 / 20_000, 20_000, dtype=DOUBLE)
    normal = torch.special.ndtri(place)
    found = wasserstein_1d(normal, 1.0 + 2.0 * normal, order=2.0).sqrt()
    exact = gaussian_wasserstein(0 * one, one, one, two)
    assert float(found) == pytest.approx(float(exact), rel=1e-3)


def test_too_large_sets_are_refused():
    with pytest.raises(ValueError, match="take sliced_wasserstein"):
        wasserstein_exact(torch.zeros(4001, 1), torch.zeros(2, 1))


def test_renyi_tends_to_kl_and_gives_hellinger_and_pearson():
    m, v, zero = torch.tensor(0.7).double(), torch.tensor(-0.4).double(), torch.zeros(()).double()
    kl = float(kl_diagonal(m, v, zero, zero))
    assert float(renyi_diagonal(m, v, zero, zero, 1.0001)) == pytest.approx(kl, rel=1e-3)
    pearson = math.exp(float(renyi_diagonal(m, zero, zero, zero, 2.0))) - 1
    assert pearson == pytest.approx(math.exp(0.49) - 1)
    half = float(renyi_diagonal(m, v, zero, zero, 0.5))
    overlap = math.sqrt(2 * math.exp(-0.2) / (1 + math.exp(-0.4)))
    expected = overlap * math.exp(-0.25 * 0.49 / (1 + math.exp(-0.4)))
    assert math.exp(-half / 2) == pytest.approx(expected)
    with pytest.raises(ValueError, match="does not exist"):
        renyi_diagonal(zero, torch.tensor(3.0), zero, zero, 2.0)


def test_density_and_coverage():
    generator = torch.Generator().manual_seed(3)
    real = torch.randn(400, 2, generator=generator)
    same = torch.randn(400, 2, generator=generator)
    density, coverage = density_coverage(real, same, 5)
    assert density == pytest.approx(1.0, abs=0.15)
    assert coverage == pytest.approx(expected_coverage(400, 400, 5), abs=0.04)
    half = torch.cat([real, real + torch.tensor([50.0, 0.0])])
    assert density_coverage(half, same, 5)[1] < 0.55
    assert density_coverage(half, torch.full((9, 2), 1e3), 5) == (0.0, 0.0)
    with pytest.raises(ValueError, match="give more"):
        density_coverage(real[:5], same, 5)
