"""ELBO surgery against a linear-Gaussian VAE, of which everything is known in closed form."""

import math

import pytest
import torch

from ctharmony.information.elbo import (
    active_units,
    aggregate_log_density,
    decompose,
    dimension_rates,
    mutual_information_bounds,
    total_correlation_minibatch,
)
from ctharmony.information.gaussian import kl_full, kl_standard, log_density, sample

DOUBLE = torch.float64


class LinearGaussian:
    """x ~ N(0, I_d), q(z|x) = N(A x + b, diag s): q(z) = N(b, A A^T + diag s)."""

    def __init__(self, dimensions: int = 2) -> None:
        generator = torch.Generator().manual_seed(3)
        self.a = 0.8 * torch.randn(dimensions, dimensions, generator=generator, dtype=DOUBLE)
        self.b = 0.3 * torch.ones(dimensions, dtype=DOUBLE)
        self.s = torch.full((dimensions,), 0.4, dtype=DOUBLE)
        self.covariance = self.a @ self.a.T + self.s.diag()

    def posteriors(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(4)
        x = torch.randn(count, len(self.b), generator=generator, dtype=DOUBLE)
        return x @ self.a.T + self.b, self.s.log().expand(count, -1)

    def rate(self) -> float:
        second = (self.a @ self.a.T).diagonal() + self.b**2
        return float(0.5 * (self.s + second - 1.0 - self.s.log()).sum())

    def mutual_information(self) -> float:
        return float(0.5 * (torch.logdet(self.covariance) - self.s.log().sum()))

    def marginal_kl(self) -> float:
        zero, eye = torch.zeros_like(self.b), torch.eye(len(self.b), dtype=DOUBLE)
        return float(kl_full(self.b, self.covariance, zero, eye))

    def dimension_kl(self) -> float:
        return float(kl_standard(self.b, self.covariance.diagonal().log()).sum())

    def total_correlation(self) -> float:
        variances = self.covariance.diagonal()
        return float(0.5 * (variances.log().sum() - torch.logdet(self.covariance)))


def test_identities_are_exact_in_closed_form():
    truth = LinearGaussian(3)
    assert truth.rate() == pytest.approx(
        truth.mutual_information() + truth.marginal_kl(), abs=1e-12
    )
    assert truth.marginal_kl() == pytest.approx(
        truth.total_correlation() + truth.dimension_kl(), abs=1e-12
    )


def test_decompose_finds_the_closed_forms():
    truth = LinearGaussian(2)
    found = decompose(*truth.posteriors(1000), draws=2)
    for name in ("rate", "mutual_information", "marginal_kl", "total_correlation", "dimension_kl"):
        assert found[name] == pytest.approx(getattr(truth, name)(), abs=0.08), name


def test_sampled_identities_hold_to_rounding():
    found = decompose(*LinearGaussian(4).posteriors(200))
    split = found["mutual_information"] + found["marginal_kl"]
    assert found["rate_sampled"] == pytest.approx(split, abs=1e-9)
    split = found["total_correlation"] + found["dimension_kl"]
    assert found["marginal_kl"] == pytest.approx(split, abs=1e-9)


def test_exact_identity_for_a_finite_mixture():
    """Two scans, one dimension: every term by quadrature; the identity holds to 1e-6."""
    mean, logvar = torch.tensor([-1.0, 2.0], dtype=DOUBLE), torch.tensor([-0.5, 0.3], dtype=DOUBLE)
    z = torch.linspace(-14, 14, 400_001, dtype=DOUBLE)
    step = float(z[1] - z[0])
    joint, _ = aggregate_log_density(z[:, None], mean[:, None], logvar[:, None])
    prior = log_density(z, torch.zeros((), dtype=DOUBLE), torch.zeros((), dtype=DOUBLE))
    conditional = torch.stack([log_density(z, m, v) for m, v in zip(mean, logvar, strict=True)])
    information = float((conditional.exp() * (conditional - joint)).sum() * step / 2)
    marginal = float((joint.exp() * (joint - prior)).sum() * step)
    rate = float(kl_standard(mean, logvar).mean())
    assert information + marginal == pytest.approx(rate, abs=1e-6)
    assert information < math.log(2.0)
    found = decompose(mean[:, None], logvar[:, None], draws=5_000)
    assert found["mutual_information"] == pytest.approx(information, abs=0.02)


def test_mutual_information_is_capped_by_the_number_of_scans():
    found = decompose(100.0 * torch.arange(8.0)[:, None], torch.zeros(8, 1))
    assert found["mutual_information"] == pytest.approx(math.log(8), abs=1e-9)
    assert found["log_n"] == pytest.approx(math.log(8))


def test_a_collapsed_posterior_carries_nothing():
    found = decompose(torch.zeros(30, 3), torch.zeros(30, 3))
    for name in ("rate", "mutual_information", "marginal_kl", "total_correlation"):
        assert found[name] == pytest.approx(0.0, abs=1e-9)
    assert active_units(torch.zeros(30, 3)) == 0
    assert dimension_rates(torch.zeros(30, 3), torch.zeros(30, 3)).tolist() == [0.0, 0.0, 0.0]


def test_a_site_prior_is_used_per_scan():
    mean = torch.tensor([[-2.0], [2.0], [-2.0], [2.0]])
    prior = mean.clone(), torch.zeros(4, 1)
    found = decompose(mean, torch.zeros(4, 1), prior)
    assert found["rate"] == pytest.approx(0.0, abs=1e-12)
    assert found["mutual_information"] == pytest.approx(-found["marginal_kl"], abs=1e-9)
    assert 0.5 < found["mutual_information"] < math.log(2.0)


def test_information_bounds_enclose_the_truth():
    truth = LinearGaussian(2)
    lower, upper = mutual_information_bounds(*truth.posteriors(800))
    assert float(lower) < truth.mutual_information() < float(upper)


def test_minibatch_weighting_errs_on_the_side_it_states():
    mean, logvar = LinearGaussian(2).posteriors(512)
    z = sample(mean, logvar, torch.Generator().manual_seed(5))
    full, _ = aggregate_log_density(z, mean, logvar)
    part, _ = aggregate_log_density(z[:64], mean[:64], logvar[:64], dataset_size=512)
    assert float(part.mean()) < float(full.mean())
    value = total_correlation_minibatch(mean[:64], logvar[:64], z[:64], 512)
    exact = LinearGaussian(2).total_correlation()
    # two dimensions: the log N of the joint and those of the marginals leave one log N over
    assert exact < float(value) < exact + math.log(512) + 1.0
    assert value.requires_grad is False


def test_total_correlation_has_a_gradient():
    mean, logvar = (part.clone().requires_grad_() for part in LinearGaussian(2).posteriors(32))
    z = sample(mean, logvar, torch.Generator().manual_seed(6))
    total_correlation_minibatch(mean, logvar, z, 32).backward()
    assert torch.isfinite(mean.grad).all()
    assert float(mean.grad.abs().sum()) > 0


@pytest.mark.parametrize("active", [0, 2, 3])
def test_active_units_counts_what_varies(active):
    torch.manual_seed(0)
    mean = torch.zeros(50, 3)
    mean[:, :active] = torch.randn(50, active)
    assert active_units(mean) == active
