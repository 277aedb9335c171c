"""f-divergences between distributions known by samples, through their Fenchel duals (torch).

D_f(P || Q) = E_Q[f(p/q)] >= E_P[T(x)] - E_Q[f*(T(x))] for every critic T whose values lie in the
domain of f*; equality at T = f'(p/q) (Nowozin, Cseke & Tomioka, arXiv 1606.00709). A network's raw
output v becomes such a T by the divergence's activation. All values are nats where the divergence
is a KL or JS, without unit otherwise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

Function = Callable[[Tensor], Tensor]
LOG_TWO = math.log(2.0)


@dataclass(frozen=True)
class Divergence:
    """One f-divergence.

    Attributes:
        generator: f(u), convex on u > 0 with f(1) = 0; u = p/q.
        derivative: f'(u), the optimal critic at density ratio u.
        conjugate: f*(t) = sup_u (u t - f(u)).
        activation: raw critic output (any real) to the domain of f*.
        ceiling: largest value, reached by disjoint supports; inf where there is none.
    """

    generator: Function
    derivative: Function
    conjugate: Function
    activation: Function
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
        activation=lambda v: v,
        ceiling=math.inf,
    ),
    "reverse_kl": Divergence(
        generator=lambda u: -u.log(),
        derivative=lambda u: -1.0 / u,
        conjugate=lambda t: -1.0 - torch.log(-t),
        activation=lambda v: -torch.exp(-v),
        ceiling=math.inf,
    ),
    "js": Divergence(
        generator=_js,
        derivative=lambda u: 0.5 * (LOG_TWO - torch.log1p(1.0 / u)),
        conjugate=lambda t: -0.5 * torch.log(2.0 - torch.exp(2.0 * t)),
        activation=lambda v: 0.5 * (LOG_TWO - softplus(-v)),
        ceiling=LOG_TWO,
    ),
    # the game of Goodfellow et al. without its constant: twice JS (their value is 2 JS - log 4)
    "gan": Divergence(
        generator=_gan,
        derivative=lambda u: LOG_TWO - torch.log1p(1.0 / u),
        conjugate=lambda t: -torch.log(2.0 - torch.exp(t)),
        activation=lambda v: LOG_TWO - softplus(-v),
        ceiling=2.0 * LOG_TWO,
    ),
    "pearson": Divergence(
        generator=lambda u: (u - 1.0).square(),
        derivative=lambda u: 2.0 * (u - 1.0),
        # u stays positive, so below t = -2 the supremum sits at u = 0
        conjugate=lambda t: torch.where(t > -2.0, 0.25 * t.square() + t, -1.0),
        activation=lambda v: v,
        ceiling=math.inf,
    ),
    "hellinger": Divergence(
        generator=lambda u: (u.sqrt() - 1.0).square(),
        derivative=lambda u: 1.0 - u.rsqrt(),
        conjugate=lambda t: t / (1.0 - t),
        activation=lambda v: 1.0 - torch.exp(-v),
        ceiling=2.0,
    ),
    "tv": Divergence(
        generator=lambda u: 0.5 * (u - 1.0).abs(),
        derivative=lambda u: 0.5 * torch.sign(u - 1.0),
        conjugate=lambda t: t,
        activation=lambda v: 0.5 * torch.tanh(v),
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


def lower_bound(name: str, raw_p: Tensor, raw_q: Tensor) -> Tensor:
    """E_P[T] - E_Q[f*(T)] from a critic's raw outputs on samples of P and of Q (any shapes).

    Never above the divergence in expectation; the critic ascends it. With a critic fitted on the
    very samples it is evaluated on, it over-estimates: use held-out ones to report.
    """
    chosen = divergence(name)
    inside_p, inside_q = chosen.activation(raw_p), chosen.activation(raw_q)
    return inside_p.mean() - chosen.conjugate(inside_q).mean()


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
