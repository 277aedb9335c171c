"""f-divergences: generators, conjugates, bounds, against closed forms."""

import math

import pytest
import torch

from ctharmony.information.gaussian import kl_diagonal, log_density
from ctharmony.information.variational import (
    DIVERGENCES,
    discrete,
    divergence,
    lower_bound,
    optimal_bound,
    saturation,
)

DOUBLE = torch.float64
RATIOS = torch.logspace(-3, 3, 200, dtype=DOUBLE)
every = pytest.mark.parametrize("name", DIVERGENCES)


@every
def test_generators_are_convex_and_vanish_at_one(name):
    f = divergence(name).generator
    assert float(f(torch.ones((), dtype=DOUBLE))) == pytest.approx(0.0, abs=1e-12)
    left, right = RATIOS[:-7], RATIOS[7:]
    assert (f(0.5 * (left + right)) <= 0.5 * (f(left) + f(right)) + 1e-9).all()


@every
def test_conjugate_is_the_supremum(name):
    chosen = divergence(name)
    u = torch.logspace(-6, 6, 40_001, dtype=DOUBLE)
    for t in chosen.activation(torch.tensor([-1.0, -0.3, 0.0, 0.4, 0.9], dtype=DOUBLE)):
        supremum = float((u * t - chosen.generator(u)).max())
        assert float(chosen.conjugate(t)) == pytest.approx(supremum, abs=5e-4)


@every
def test_conjugate_at_the_derivative_gives_the_generator_back(name):
    chosen = divergence(name)
    t = chosen.derivative(RATIOS)
    back = RATIOS * t - chosen.conjugate(t)
    assert back.numpy() == pytest.approx(chosen.generator(RATIOS).numpy(), rel=1e-6, abs=1e-6)


@every
def test_derivative_is_the_derivative(name):
    if name == "tv":
        u = torch.tensor([0.2, 0.7, 1.4, 5.0], dtype=DOUBLE, requires_grad=True)
    else:
        u = torch.linspace(0.1, 5.0, 30, dtype=DOUBLE, requires_grad=True)
    chosen = divergence(name)
    (slope,) = torch.autograd.grad(chosen.generator(u).sum(), u)
    found = chosen.derivative(u.detach())
    assert found.numpy() == pytest.approx(slope.numpy(), abs=1e-9)


@every
def test_activations_stay_in_the_domain(name):
    chosen = divergence(name)
    inside = chosen.activation(torch.linspace(-20, 20, 101, dtype=DOUBLE))
    assert torch.isfinite(chosen.conjugate(inside)).all()


def gaussians(name: str, shift: float) -> float:
    """D_f(N(shift, 1) || N(0, 1)) by quadrature."""
    x = torch.linspace(-14, 16, 30_001, dtype=DOUBLE)
    zero = torch.zeros((), dtype=DOUBLE)
    log_q = log_density(x, zero, zero)
    log_p = log_density(x, zero + shift, zero)
    u = torch.exp(log_p - log_q)
    return float((log_q.exp() * divergence(name).generator(u)).sum() * (x[1] - x[0]))


@every
def test_the_bound_at_the_optimal_critic_is_the_divergence(name):
    torch.manual_seed(0)
    shift = 0.8
    p, q = torch.randn(2, 100_000, dtype=DOUBLE)
    ratios = (shift * (p + shift) - shift**2 / 2, shift * q - shift**2 / 2)
    assert float(optimal_bound(name, *ratios)) == pytest.approx(gaussians(name, shift), rel=0.05)


@every
def test_other_critics_stay_below(name):
    torch.manual_seed(1)
    p, q = 0.8 + torch.randn(50_000, dtype=DOUBLE), torch.randn(50_000, dtype=DOUBLE)
    truth = gaussians(name, 0.8)
    for slope in (-0.5, 0.0, 0.2, 1.5):
        assert float(lower_bound(name, slope * p, slope * q)) < truth + 0.02


def test_kl_and_total_variation_agree_with_their_closed_forms():
    one, zero = torch.ones(1, dtype=DOUBLE), torch.zeros(1, dtype=DOUBLE)
    exact = float(kl_diagonal(0.8 * one, zero, zero, zero))
    assert gaussians("kl", 0.8) == pytest.approx(exact, abs=1e-6)
    assert gaussians("reverse_kl", 0.8) == pytest.approx(exact, abs=1e-6)
    assert gaussians("tv", 0.8) == pytest.approx(math.erf(0.4 / math.sqrt(2)), abs=1e-5)
    assert gaussians("pearson", 0.8) == pytest.approx(math.exp(0.64) - 1.0, abs=1e-5)
    hellinger = 2.0 * (1.0 - math.exp(-0.64 / 8))
    assert gaussians("hellinger", 0.8) == pytest.approx(hellinger, abs=1e-6)


def test_a_trained_critic_reaches_js_from_below():
    torch.manual_seed(2)
    p, q = 1.0 + torch.randn(10_000), torch.randn(10_000)
    slope, offset = torch.zeros((), requires_grad=True), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.Adam([slope, offset], 0.05)
    for _ in range(200):
        optimiser.zero_grad()
        (-lower_bound("js", slope * p + offset, slope * q + offset)).backward()
        optimiser.step()
    held = 1.0 + torch.randn(50_000), torch.randn(50_000)
    with torch.no_grad():
        found = float(lower_bound("js", *(slope * part + offset for part in held)))
    truth = gaussians("js", 1.0)
    assert found == pytest.approx(truth, rel=0.05)
    assert float(slope.detach()) == pytest.approx(1.0, abs=0.1)


def test_disjoint_supports_saturate_js_and_kill_its_gradient():
    shift = torch.tensor(40.0, dtype=DOUBLE, requires_grad=True)
    p, q = shift + torch.randn(1000, dtype=DOUBLE), torch.randn(1000, dtype=DOUBLE)
    value = lower_bound("js", 2.0 * (p - 20.0), 2.0 * (q - 20.0))
    value.backward()
    assert float(value.detach()) == pytest.approx(math.log(2.0), abs=1e-6)
    assert abs(float(shift.grad)) < 1e-9
    assert saturation("js", float(value.detach())) > 0.95
    assert saturation("kl", 100.0) == 0.0


def test_discrete_js_of_known_histograms():
    p = torch.tensor([0.5, 0.5 - 1e-12, 1e-12], dtype=DOUBLE)
    q = torch.tensor([1e-12, 1e-12, 1.0 - 2e-12], dtype=DOUBLE)
    assert float(discrete("js", p, q)) == pytest.approx(math.log(2.0), abs=1e-6)
    assert float(discrete("gan", p, q)) == pytest.approx(2 * math.log(2.0), abs=1e-6)
    assert float(discrete("tv", p, q)) == pytest.approx(1.0, abs=1e-6)


def test_unknown_names_are_told():
    with pytest.raises(ValueError, match="'jsd' is none of kl"):
        divergence("jsd")
