"""Divergence estimators against peers: estimation error and time per step or call.

Run: python tests/benchmarks/divergences.py [--repeats 5] [--steps 400]. Every critic has the same
network, samples and steps as its peer, and they take turns, so that a busy machine slows all alike.
Peers: the f-GAN duals as Nowozin et al. (arXiv 1606.00709, tables 2 and 6) print them, activation
and conjugate one after the other; WGAN with gradient penalty as algorithm 1 of Gulrajani et al.
(arXiv 1704.00028) reads; POT for exact, entropic and sliced Wasserstein; geomloss where it is
installed. The last line is JSON.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from ctharmony.demonstration.bounds import closed_form
from ctharmony.demonstration.play import new_critic, new_network
from ctharmony.information.optimal_transport import (
    sinkhorn,
    sliced_wasserstein,
    unit_directions,
    wasserstein_1d,
    wasserstein_exact,
)
from ctharmony.model.critics import BETAS, WASSERSTEIN, Samples
from ctharmony.model.settings import CriticSettings

SHIFT, DIMENSIONS, SAMPLES, WIDTH, RATE, PENALTY = 0.8, 4, 256, 64, 2e-3, 10.0
HELD_OUT = 100_000
HOW = CriticSettings(WIDTH, 1, SAMPLES, RATE, "penalty", PENALTY, 64)
LOG_TWO = math.log(2.0)
# name -> (output activation, conjugate) as printed; JS there is twice ours
PRINTED: dict[str, tuple[Callable, Callable, float]] = {
    "kl": (lambda v: v, lambda t: torch.exp(t - 1), 1.0),
    "reverse_kl": (lambda v: -torch.exp(v), lambda t: -1 - torch.log(-t), 1.0),
    "pearson": (lambda v: v, lambda t: 0.25 * t**2 + t, 1.0),
    "hellinger": (lambda v: 1 - torch.exp(v), lambda t: t / (1 - t), 1.0),
    "js": (
        lambda v: LOG_TWO - torch.log(1 + torch.exp(-v)),
        lambda t: -torch.log(2 - torch.exp(t)),
        0.5,
    ),
    "gan": (
        lambda v: -torch.log(1 + torch.exp(-v)),
        lambda t: -torch.log(1 - torch.exp(t)),
        1.0,
    ),
    "tv": (lambda v: 0.5 * torch.tanh(v), lambda t: t, 1.0),
}
PRINTED_SHIFT = {"gan": 2 * LOG_TWO}  # printed GAN is 2 JS - log 4


def gaussians(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Samples of N(m, I), |m| = SHIFT, and of N(0, I)."""
    p, q = torch.randn(2, count, DIMENSIONS, generator=generator)
    return p + SHIFT / math.sqrt(DIMENSIONS), q


class Peer:
    """A critic as its paper prints it, in plain torch."""

    def __init__(self, name: str, seed: int) -> None:
        self.name, self.network = name, new_network(DIMENSIONS, 1, WIDTH, seed)
        self.mover = torch.optim.Adam(self.network.parameters(), RATE, betas=BETAS)

    def value(self, p: Tensor, q: Tensor) -> Tensor:
        raw_p, raw_q = self.network(p), self.network(q)
        if self.name == WASSERSTEIN:
            return raw_p.mean() - raw_q.mean()
        activation, conjugate, scale = PRINTED[self.name]
        gap = activation(raw_p).mean() - conjugate(activation(raw_q)).mean()
        return scale * (gap + PRINTED_SHIFT.get(self.name, 0.0))

    def step(self, p: Tensor, q: Tensor, generator: torch.Generator) -> None:
        loss = -self.value(p, q)
        if self.name == WASSERSTEIN:
            share = torch.rand(len(p), 1, generator=generator)
            between = (share * p + (1 - share) * q).requires_grad_()
            out = self.network(between)
            ones = torch.ones_like(out)
            (slope,) = torch.autograd.grad(out, between, ones, create_graph=True)
            loss = loss + PENALTY * ((slope.norm(2, dim=1) - 1) ** 2).mean()
        self.mover.zero_grad()
        loss.backward()
        self.mover.step()


def critics(name: str, steps: int, seed: int) -> dict[str, float]:
    """Errors (relative) and microseconds per step of ours and the printed form, in turns."""
    ours, theirs = new_critic(name, DIMENSIONS, HOW, seed), Peer(name, seed)
    spent = [0.0, 0.0]
    streams = [torch.Generator().manual_seed(seed) for _ in range(2)]
    movers = (
        lambda p, q: ours.climb(Samples(p, q), streams[0]),
        lambda p, q: theirs.step(p, q, streams[1]),
    )
    drawn = torch.Generator().manual_seed(seed + 1)
    for _ in range(steps):
        p, q = gaussians(drawn, SAMPLES)
        for index, move in enumerate(movers):
            start = time.perf_counter()
            move(p, q)
            spent[index] += time.perf_counter() - start
    p, q = gaussians(torch.Generator().manual_seed(seed + 2), HELD_OUT)
    truth = SHIFT if name == WASSERSTEIN else closed_form(name, SHIFT)
    with torch.no_grad():
        found = float(ours.value(Samples(p, q), drawn)), float(theirs.value(p, q))
    errors = [abs(value - truth) / truth for value in found]
    micro = [1e6 * seconds / steps for seconds in spent]
    return {"error": errors[0], "peer_error": errors[1], "us": micro[0], "peer_us": micro[1]}


def timed(call: Callable[[], float]) -> tuple[float, float]:
    """Value and microseconds of one call."""
    start = time.perf_counter()
    value = float(call())
    return value, 1e6 * (time.perf_counter() - start)


def transports(seed: int) -> dict[str, dict[str, float]]:
    """Wasserstein estimators on 500 against 500 samples: ours, then POT's or geomloss's."""
    import ot

    generator = torch.Generator().manual_seed(seed)
    x, y = gaussians(generator, 500)
    line_x, line_y = x[:, 0].contiguous(), y[:, 0].contiguous()
    directions = unit_directions(DIMENSIONS, 64, generator)
    cost = torch.cdist(x.double(), y.double()).numpy()
    even = torch.full((500,), 1 / 500, dtype=torch.double).numpy()
    pairs = {
        "wasserstein_1d": (
            lambda: wasserstein_1d(line_x, line_y),
            lambda: ot.wasserstein_1d(line_x, line_y),
        ),
        "wasserstein_exact": (lambda: wasserstein_exact(x, y), lambda: ot.emd2(even, even, cost)),
        "sliced_wasserstein": (
            lambda: sliced_wasserstein(x, y, directions),
            lambda: ot.sliced_wasserstein_distance(x, y, projections=directions),
        ),
    }
    try:
        from geomloss import SamplesLoss
    except ImportError:
        pass
    else:
        exact = wasserstein_exact(x, y)
        loss = SamplesLoss("sinkhorn", p=1, blur=0.05, debias=False, backend="tensorized")
        pairs["sinkhorn"] = (lambda: sinkhorn(x, y, 0.05) / exact, lambda: loss(x, y) / exact)
    found = {}
    for name, (ours, theirs) in pairs.items():
        (value, micro), (peer, peer_micro) = timed(ours), timed(theirs)
        found[name] = {"value": value, "peer_value": peer, "us": micro, "peer_us": peer_micro}
    return found


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    """Median of every number over the repeats, and the median ratio of the times."""
    found = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    return found | {"time_ratio": statistics.median(row["us"] / row["peer_us"] for row in rows)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seeds = range(arguments.repeats)
    names = [*PRINTED, WASSERSTEIN]
    result = {n: medians([critics(n, arguments.steps, 10 * s) for s in seeds]) for n in names}
    transports(99)  # imports and first calls are no one's time
    turns = [transports(seed) for seed in seeds]
    result |= {name: medians([turn[name] for turn in turns]) for name in turns[0]}
    for name, row in result.items():
        print(name, {key: float(f"{value:.4g}") for key, value in row.items()})
    print(json.dumps({n: {k: float(f"{v:.4g}") for k, v in r.items()} for n, r in result.items()}))


if __name__ == "__main__":
    main()
