"""Every f-divergence's generator, conjugate, inverse and activation, for any argument."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ctharmony.information.variational import (
    DIVERGENCES,
    divergence,
    js_of_critic,
    lower_bound,
    mean_gap,
    nonsaturating_loss,
)

DOUBLE = torch.float64
every = pytest.mark.parametrize("name", DIVERGENCES)
quick = settings(max_examples=60, deadline=None)
ratios = st.floats(1e-4, 1e4)
outputs = st.floats(-12.0, 12.0)


def number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=DOUBLE)


@every
@quick
@given(u=ratios, w=ratios, share=st.floats(0.0, 1.0))
def test_generator_is_convex_and_vanishes_at_one(name, u, w, share):
    f = divergence(name).generator
    between, chord = f(number(share * u + (1 - share) * w)), share * f(number(u))
    chord = float(chord + (1 - share) * f(number(w)))
    assert float(between) <= chord + 1e-9 * max(1.0, abs(chord))
    assert float(f(number(1.0))) == pytest.approx(0.0, abs=1e-12)


@every
@quick
@given(u=ratios, v=outputs)
def test_fenchel_young_inequality_with_equality_at_the_derivative(name, u, v):
    chosen = divergence(name)
    t = chosen.activation(number(v))
    slack = float(chosen.generator(number(u)) + chosen.conjugate(t) - u * t)
    assert slack >= -1e-7 * max(1.0, u)
    best = chosen.derivative(number(u))
    tight = chosen.generator(number(u)) + chosen.conjugate(best) - u * best
    assert float(tight) == pytest.approx(0.0, abs=1e-6 * max(1.0, u**2))


@pytest.mark.parametrize("name", [name for name in DIVERGENCES if name != "tv"])
@quick
@given(u=st.floats(1e-3, 1e3))
def test_inverse_undoes_the_derivative(name, u):
    chosen = divergence(name)
    assert float(chosen.inverse(chosen.derivative(number(u)))) == pytest.approx(u, rel=1e-6)


@every
@quick
@given(v=outputs)
def test_inverse_is_the_slope_of_the_conjugate(name, v):
    chosen = divergence(name)
    t = chosen.activation(number(v)).requires_grad_()
    (slope,) = torch.autograd.grad(chosen.conjugate(t), t)
    assert float(slope) == pytest.approx(float(chosen.inverse(t.detach())), rel=1e-4, abs=1e-9)


@every
@quick
@given(v=st.floats(-1e3, 1e3))
def test_activation_stays_in_the_domain_and_rises(name, v):
    chosen = divergence(name)
    low, high = chosen.domain
    value = float(chosen.activation(number(v)))
    assert low <= value <= high  # the open interval's ends are reached by rounding alone
    assert value <= float(chosen.activation(number(v + 1.0)))


@every
@quick
@given(v=outputs)
def test_one_step_forms_agree_with_their_parts(name, v):
    chosen = divergence(name)
    t = chosen.activation(number(v))
    assert float(chosen.dual(number(v))) == pytest.approx(
        float(chosen.conjugate(t)), rel=1e-4, abs=1e-5
    )
    ratio = float(chosen.log_ratio(number(v)))
    if name == "tv":
        assert math.isnan(ratio)
    elif name != "pearson" or v > -1.9:
        assert ratio == pytest.approx(float(chosen.inverse(t).log()), abs=1e-3)


@every
def test_dual_is_finite_in_single_precision(name):
    raw = torch.linspace(-80.0, 80.0, 33)
    assert torch.isfinite(divergence(name).dual(raw)).all()


def test_weights_of_one_over_n_change_nothing():
    p, q = torch.randn(50, dtype=DOUBLE), torch.randn(50, dtype=DOUBLE)
    even = torch.full((50,), 0.02, dtype=DOUBLE)
    for name in DIVERGENCES:
        assert float(lower_bound(name, p, q, even)) == pytest.approx(float(lower_bound(name, p, q)))
    assert float(mean_gap(p, q, even)) == pytest.approx(float(mean_gap(p, q)))
    assert float(nonsaturating_loss(p, q, even)) == pytest.approx(float(nonsaturating_loss(p, q)))


def test_a_critic_of_any_name_tells_the_same_js():
    torch.manual_seed(0)
    p, q = 1.0 + torch.randn(20_000, dtype=DOUBLE), torch.randn(20_000, dtype=DOUBLE)
    log_p, log_q = p - 0.5, q - 0.5
    js = float(js_of_critic("js", log_p, log_q))
    assert 0.09 < js < 0.13
    assert float(js_of_critic("kl", log_p + 1, log_q + 1)) == pytest.approx(js, abs=1e-9)
    assert float(js_of_critic("hellinger", log_p / 2, log_q / 2)) == pytest.approx(js, abs=1e-9)


def test_nonsaturating_loss_keeps_its_slope_where_the_saturating_one_loses_it():
    raw = torch.full((4,), -30.0, dtype=DOUBLE, requires_grad=True)
    nothing = torch.zeros(4, dtype=DOUBLE)
    (kept,) = torch.autograd.grad(nonsaturating_loss(nothing, raw), raw)
    (lost,) = torch.autograd.grad(lower_bound("gan", nothing, raw), raw)
    assert float(kept.abs().sum()) == pytest.approx(1.0, abs=1e-6)
    assert float(lost.abs().sum()) < 1e-9
