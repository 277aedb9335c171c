"""Gaussian closed forms against sampling, quadrature and each other."""

import math

import pytest
import torch

from ctharmony.information.gaussian import (
    entropy,
    free_bits,
    kl_diagonal,
    kl_full,
    kl_standard,
    log_density,
    sample,
)

DOUBLE = torch.float64


def test_kl_diagonal_equals_the_sampled_expectation():
    q = torch.tensor(0.7, dtype=DOUBLE), torch.tensor(-0.4, dtype=DOUBLE)
    p = torch.tensor(-0.3, dtype=DOUBLE), torch.tensor(0.9, dtype=DOUBLE)
    z = sample(*(part.expand(400_000) for part in q), torch.Generator().manual_seed(1))
    sampled = (log_density(z, *q) - log_density(z, *p)).mean()
    assert float(kl_diagonal(*q, *p)) == pytest.approx(float(sampled), abs=4e-3)


def test_kl_vanishes_only_at_equality():
    mean, logvar = torch.randn(5, dtype=DOUBLE), torch.randn(5, dtype=DOUBLE)
    assert kl_diagonal(mean, logvar, mean, logvar).abs().max() < 1e-15
    assert (kl_diagonal(mean, logvar, mean + 0.1, logvar) > 0).all()
    assert (kl_diagonal(mean, logvar, mean, logvar + 0.1) > 0).all()


def test_kl_standard_known_value():
    value = kl_standard(torch.tensor(2.0, dtype=DOUBLE), torch.tensor(math.log(0.25), dtype=DOUBLE))
    assert float(value) == pytest.approx(0.5 * (0.25 + 4.0 - 1.0) + math.log(2.0), abs=1e-12)


def test_kl_full_agrees_with_the_diagonal_form():
    torch.manual_seed(0)
    means, logvars = torch.randn(2, 4, dtype=DOUBLE), torch.randn(2, 4, dtype=DOUBLE)
    full = kl_full(means[0], logvars[0].exp().diag(), means[1], logvars[1].exp().diag())
    diagonal = kl_diagonal(means[0], logvars[0], means[1], logvars[1]).sum()
    assert float(full) == pytest.approx(float(diagonal), abs=1e-12)


def test_kl_full_does_not_change_under_an_affine_map():
    torch.manual_seed(1)
    factors, move = torch.randn(2, 3, 3, dtype=DOUBLE), torch.randn(3, 3, dtype=DOUBLE)
    covariances = [f @ f.T + torch.eye(3, dtype=DOUBLE) for f in factors]
    means = torch.randn(2, 3, dtype=DOUBLE)
    before = kl_full(means[0], covariances[0], means[1], covariances[1])
    moved = [move @ c @ move.T for c in covariances]
    after = kl_full(move @ means[0], moved[0], move @ means[1], moved[1])
    assert float(after) == pytest.approx(float(before), rel=1e-9)


def test_kl_full_refuses_a_covariance_that_is_none():
    eye = torch.eye(2, dtype=DOUBLE)
    with pytest.raises(torch.linalg.LinAlgError):
        kl_full(eye[0], -eye, eye[1], eye)


def test_entropy_is_minus_the_expected_log_density():
    logvar = torch.tensor(0.6, dtype=DOUBLE)
    z = torch.linspace(-15, 15, 200_001, dtype=DOUBLE)
    density = log_density(z, torch.zeros((), dtype=DOUBLE), logvar)
    integral = -(density.exp() * density).sum() * (z[1] - z[0])
    assert float(entropy(logvar)) == pytest.approx(float(integral), abs=1e-9)


def test_free_bits_stop_the_gradient_below_the_floor():
    kl = torch.tensor([0.05, 0.5], requires_grad=True)
    kept = free_bits(kl, 0.1)
    kept.sum().backward()
    assert kept.tolist() == pytest.approx([0.1, 0.5])
    assert kl.grad.tolist() == [0.0, 1.0]


def test_sample_has_the_moments_asked_for_and_repeats():
    mean, logvar = torch.full((100_000,), 3.0), torch.full((100_000,), math.log(4.0))
    first = sample(mean, logvar, torch.Generator().manual_seed(7))
    again = sample(mean, logvar, torch.Generator().manual_seed(7))
    assert torch.equal(first, again)
    assert float(first.mean()) == pytest.approx(3.0, abs=0.03)
    assert float(first.std()) == pytest.approx(2.0, abs=0.03)
