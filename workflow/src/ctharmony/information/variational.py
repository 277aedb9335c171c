"""f-divergences between distributions known by samples, through their Fenchel duals (torch).

D_f(P || Q) = E_Q[f(p/q)] >= E_P[T(x)] - E_Q[f*(T(x))] for every critic T whose values lie in the
domain of f*; equality at T = f'(p/q) (Nowozin, Cseke & Tomioka, arXiv 1606.00709). A network's raw
output v becomes such a T by the divergence's activation. All values are nats where the divergence
is a KL or JS, without unit otherwise.

The GAN of Goodfellow et al. (arXiv 1406.2661) is the member "gan"; its generator may instead climb
the critic's log odds ("gan_nonsaturating"). A Wasserstein critic (Arjovsky et al., arXiv
1701.07875) is no f-divergence's: it needs no activation but has to be 1-Lipschitz.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

Function = Callable[[Tensor], Tensor]
LOG_TWO = math.log(2.0)
TINY = 1e-6  # least density ratio that a critic of Pearson's chi2 may tell


@dataclass(frozen=True)
class Divergence:
    """One f-divergence.

    Attributes:
        generator: f(u), convex on u > 0 with f(1) = 0; u = p/q.
        derivative: f'(u), the optimal critic at density ratio u.
        conjugate: f*(t) = sup_u (u t - f(u)).
        inverse: (f*)'(t), the density ratio that a critic's value t tells: inverse of f'.
        activation: raw critic output v (any real) to the domain of f*.
        dual: f*(activation(v)) in one step, finite wherever the value is.
        log_ratio: log inverse(activation(v)) in one step, nats; NaN where v tells none (tv).
        domain: open interval of f*.
        ceiling: largest value, reached by disjoint supports; inf where there is none.
    """

    generator: Function
    derivative: Function
    conjugate: Function
    inverse: Function
    activation: Function
    dual: Function
    log_ratio: Function
    domain: tuple[float, float]
    ceiling: float


def _js(u: Tensor) -> Tensor:
    return 0.5 * (u * u.log() - (u + 1.0) * ((u + 1.0) / 2.0).log())


def _gan(u: Tensor) -> Tensor:
    return 2.0 * _js(u)


# total variation is half the L1 distance; its critic is any step between -1/2 and 1/2
DIVERGENCES: dict[str, Divergence] = {
    "kl": Divergence(
        generator=lambda u: u * u.log(),
        derivative=lambda u: 1.0 + u.log(),
        conjugate=lambda t: torch.exp(t - 1.0),
        inverse=lambda t: torch.exp(t - 1.0),
        activation=lambda v: v,
        dual=lambda v: torch.exp(v - 1.0),
        log_ratio=lambda v: v - 1.0,
        domain=(-math.inf, math.inf),
        ceiling=math.inf,
    ),
    "reverse_kl": Divergence(
        generator=lambda u: -u.log(),
        derivative=lambda u: -1.0 / u,
        conjugate=lambda t: -1.0 - torch.log(-t),
        inverse=lambda t: -1.0 / t,
        activation=lambda v: -torch.exp(-v),
        dual=lambda v: v - 1.0,
        log_ratio=lambda v: v,
        domain=(-math.inf, 0.0),
        ceiling=math.inf,
    ),
    "js": Divergence(
        generator=_js,
        derivative=lambda u: 0.5 * (LOG_TWO - torch.log1p(1.0 / u)),
        conjugate=lambda t: -0.5 * torch.log(2.0 - torch.exp(2.0 * t)),
        inverse=lambda t: torch.exp(2.0 * t) / (2.0 - torch.exp(2.0 * t)),
        activation=lambda v: 0.5 * (LOG_TWO - softplus(-v)),
        dual=lambda v: 0.5 * (softplus(v) - LOG_TWO),
        log_ratio=lambda v: v,
        domain=(-math.inf, 0.5 * LOG_TWO),
        ceiling=LOG_TWO,
    ),
    # the game of Goodfellow et al. without its constant: twice JS (their value is 2 JS - log 4)
    "gan": Divergence(
        generator=_gan,
        derivative=lambda u: LOG_TWO - torch.log1p(1.0 / u),
        conjugate=lambda t: -torch.log(2.0 - torch.exp(t)),
        inverse=lambda t: torch.exp(t) / (2.0 - torch.exp(t)),
        activation=lambda v: LOG_TWO - softplus(-v),
        dual=lambda v: softplus(v) - LOG_TWO,
        log_ratio=lambda v: v,
        domain=(-math.inf, LOG_TWO),
        ceiling=2.0 * LOG_TWO,
    ),
    "pearson": Divergence(
        generator=lambda u: (u - 1.0).square(),
        derivative=lambda u: 2.0 * (u - 1.0),
        # u stays positive, so below t = -2 the supremum sits at u = 0
        conjugate=lambda t: torch.where(t > -2.0, 0.25 * t.square() + t, -1.0),
        inverse=lambda t: (1.0 + 0.5 * t).clamp(min=0.0),
        activation=lambda v: v,
        dual=lambda v: torch.where(v > -2.0, 0.25 * v.square() + v, -1.0),
        log_ratio=lambda v: (1.0 + 0.5 * v).clamp(min=TINY).log(),
        domain=(-math.inf, math.inf),
        ceiling=math.inf,
    ),
    "hellinger": Divergence(
        generator=lambda u: (u.sqrt() - 1.0).square(),
        derivative=lambda u: 1.0 - u.rsqrt(),
        conjugate=lambda t: t / (1.0 - t),
        inverse=lambda t: (1.0 - t).pow(-2.0),
        activation=lambda v: 1.0 - torch.exp(-v),
        dual=lambda v: torch.exp(v) - 1.0,
        log_ratio=lambda v: 2.0 * v,
        domain=(-math.inf, 1.0),
        ceiling=2.0,
    ),
    "tv": Divergence(
        generator=lambda u: 0.5 * (u - 1.0).abs(),
        derivative=lambda u: 0.5 * torch.sign(u - 1.0),
        conjugate=lambda t: t,
        inverse=torch.ones_like,
        activation=lambda v: 0.5 * torch.tanh(v),
        dual=lambda v: 0.5 * torch.tanh(v),
        log_ratio=lambda v: torch.full_like(v, math.nan),
        domain=(-0.5, 0.5),
        ceiling=1.0,
    ),
}


def divergence(name: str) -> Divergence:
    """The divergence of that name.

    Raises:
        ValueError: the name is unknown; the message lists those that are known.
    """
    if name not in DIVERGENCES:
        raise ValueError(f"divergence {name!r} is none of {', '.join(DIVERGENCES)}")
    return DIVERGENCES[name]


def lower_bound(name: str, raw_p: Tensor, raw_q: Tensor, weight_q: Tensor | None = None) -> Tensor:
    """E_P[T] - E_Q[f*(T)] from a critic's raw outputs on samples of P and of Q (any shapes).

    Never above the divergence in expectation; the critic ascends it. With a critic fitted on the
    very samples it is evaluated on, it over-estimates: use held-out ones to report. `weight_q`
    (shape of raw_q) sums to one and replaces the plain mean.
    """
    chosen = divergence(name)
    return chosen.activation(raw_p).mean() - _mean(chosen.dual(raw_q), weight_q)


def mean_gap(raw_p: Tensor, raw_q: Tensor, weight_q: Tensor | None = None) -> Tensor:
    """E_P[T] - E_Q[T]: Wasserstein-1 where T is the best 1-Lipschitz critic, in units of x.

    Kantorovich-Rubinstein duality, arXiv 1701.07875, equation 2.
    """
    return raw_p.mean() - _mean(raw_q, weight_q)


def nonsaturating_loss(raw_p: Tensor, raw_q: Tensor, weight_q: Tensor | None = None) -> Tensor:
    """The generator's other loss, -E_P[log(1 - D)] - E_Q[log D] with D = sigmoid(raw), nats.

    arXiv 1406.2661, section 3; its gradient stays where the critic is sure. The first part counts
    only where P moves with the generator too, as the joint of a latent and its site does.
    """
    return softplus(raw_p).mean() + _mean(softplus(-raw_q), weight_q)


def js_of_critic(name: str, raw_p: Tensor, raw_q: Tensor, weight_q: Tensor | None = None) -> Tensor:
    """What the critic of any f-divergence says of JS, nats: JS's bound at its density ratio.

    A lower bound of JS whatever the critic; NaN for a critic that tells no ratio (tv).
    """
    ratio = divergence(name).log_ratio
    return lower_bound("js", ratio(raw_p), ratio(raw_q), weight_q)


def optimal_bound(name: str, log_ratio_p: Tensor, log_ratio_q: Tensor) -> Tensor:
    """The bound at the optimal critic, given log(p/q) on samples of P and of Q: estimates D."""
    chosen = divergence(name)
    best_p = chosen.derivative(torch.exp(log_ratio_p))
    best_q = chosen.derivative(torch.exp(log_ratio_q))
    return best_p.mean() - chosen.conjugate(best_q).mean()


def discrete(name: str, p: Tensor, q: Tensor) -> Tensor:
    """D_f(P || Q) of histograms p, q (bins,) that share their support (q > 0 and p > 0)."""
    return (q * divergence(name).generator(p / q)).sum()


def saturation(name: str, value: float) -> float:
    """Share of the divergence's ceiling that an estimate reaches; 0 where there is no ceiling.

    Near 1 the supports hardly overlap and the gradient says nothing any more.
    """
    ceiling = divergence(name).ceiling
    return max(0.0, value / ceiling) if math.isfinite(ceiling) else 0.0


def _mean(values: Tensor, weight: Tensor | None) -> Tensor:
    return values.mean() if weight is None else (values * weight).sum()
