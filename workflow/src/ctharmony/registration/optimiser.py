"""Levenberg-Marquardt ascent of a batch of maps, rigid or affine.

Source: Marquardt, SIAM J Appl Math 11 (1963) 431, with the curvature of `objective.align`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ctharmony.information.arithmetic import LIBRARY, Arithmetic
from ctharmony.registration.objective import Alignment

DAMPING_START, DAMPING_DOWN, DAMPING_UP = 1e-2, 0.2, 8.0
DAMPING_RANGE = (1e-7, 1e6)
RIDGE = 1e-9
LEAST_FALL = 0.02

Evaluate = Callable[[torch.Tensor, torch.Tensor, bool], Alignment]


@dataclass(frozen=True)
class Ascent:
    """Where a batch of ascents ended: maps (B, 3, 4), their values and overlaps (B,)."""

    maps: torch.Tensor
    value: torch.Tensor
    overlap: torch.Tensor


@dataclass(frozen=True)
class Rules:
    """When an ascent may move and when it is done.

    Attributes:
        rigid: rotate and shift only.
        iterations: most steps.
        tolerance_mm: done when no map moves its points more than this.
        floor: lowest overlap that a step may reach, unless it starts lower.
    """

    rigid: bool
    iterations: int
    tolerance_mm: float
    floor: float


def ascend(
    evaluate: Evaluate, maps: torch.Tensor, rules: Rules, how: Arithmetic = LIBRARY
) -> Ascent:
    """Climb from each of the (B, 3, 4) maps; maps of a batch do not influence one another.

    `evaluate` takes maps, the numbers that their ascents began with and whether their curvature is
    wanted, which is learned after the first time. Ascents that are done cost nothing more.
    """
    rows = torch.arange(len(maps), device=maps.device)
    here = evaluate(maps, rows, True)
    ends = Ascent(maps.clone(), here.value.clone(), here.overlap.clone())
    curvature, damping = here.curvature, torch.full_like(here.value.double(), DAMPING_START)
    for _ in range(rules.iterations):
        trial, size = _step(maps, here.gradient, _Model(curvature, damping), rules.rigid, how)
        there = evaluate(trial, rows, False)
        allowed = there.overlap >= here.overlap.clamp(max=rules.floor)
        better = (there.value > here.value) & allowed
        fall = here.gradient - there.gradient
        curvature = _learn(curvature, (trial - maps).flatten(1), fall, how)
        maps = torch.where(better[:, None, None], trial, maps)
        here = _choose(better, there, here)
        damping = torch.where(better, damping * DAMPING_DOWN, damping * DAMPING_UP)
        damping = damping.clamp(*DAMPING_RANGE)
        ends.maps[rows], ends.value[rows], ends.overlap[rows] = maps, here.value, here.overlap
        going = size > rules.tolerance_mm
        if not going.any():
            break
        rows, maps, curvature, damping = rows[going], maps[going], curvature[going], damping[going]
        here = here.of(going)
    return ends


def _learn(
    curvature: torch.Tensor, step: torch.Tensor, fall: torch.Tensor, how: Arithmetic
) -> torch.Tensor:
    """The curvature (B, 12, 12) after a step (B, 12) along which the gradient fell by `fall`.

    Source: the BFGS update (Nocedal and Wright, Numerical Optimization, equation 6.19). The
    Gauss-Newton start takes every edge for one that the fixed scan explains, so between patients
    it is far too stiff; the gradients seen on the way correct it. Steps along which the measure is
    not concave teach nothing.
    """
    along = how.product(curvature, step[:, :, None])[:, :, 0]
    expected, found = how.total(step * along, 1), how.total(step * fall, 1)
    learnt = (found > LEAST_FALL * expected) & (expected > 0)
    new = curvature - along[:, :, None] * along[:, None] / expected.clamp_min(1e-300)[:, None, None]
    new = new + fall[:, :, None] * fall[:, None] / found.clamp_min(1e-300)[:, None, None]
    return torch.where(learnt[:, None, None], new, curvature)


@dataclass(frozen=True)
class _Model:
    """What an ascent knows of the measure around it: curvature (B, 12, 12) and damping (B,)."""

    curvature: torch.Tensor
    damping: torch.Tensor


def _step(
    maps: torch.Tensor, slope: torch.Tensor, model: _Model, rigid: bool, how: Arithmetic
) -> tuple[torch.Tensor, torch.Tensor]:
    """Trial maps and how far (mm, root mean square over the points) they move."""
    gradient, curvature = slope[:, :, None], model.curvature
    if rigid:
        basis = _rigid_basis(maps, how)
        gradient = how.product(basis.mT, gradient)
        curvature = how.product(how.product(basis.mT, curvature), basis)
    diagonal = torch.diagonal(curvature, dim1=1, dim2=2)
    ridge = model.damping[:, None] * diagonal + RIDGE * diagonal.amax(1, keepdim=True) + 1e-300
    step = how.solve(curvature + torch.diag_embed(ridge), gradient)[:, :, 0]
    trial = _turn(maps, step, how) if rigid else maps + step.reshape(-1, 3, 4)
    return trial, moved_by(trial - maps, how)


def moved_by(change: torch.Tensor, how: Arithmetic = LIBRARY) -> torch.Tensor:
    """(B,) root mean square (mm) over the points of how far changes of maps (B, 3, 4) move them."""
    # unit positions have mean zero and mean square one, so columns add up as squares
    squares = change.square()
    return (how.total(squares[:, :, 3], 1) + how.total(squares[:, :, :3], (1, 2)) / 3).sqrt()


def _rigid_basis(maps: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    """(B, 12, 6): how the map's numbers change by a rotation (radians) and a shift (mm)."""
    basis = maps.new_zeros(maps.shape[0], 3, 4, 6)
    basis[:, :, :3, :3] = how.contract("kij,njc->nick", _generators(maps), maps[:, :, :3])
    basis[:, :, 3, 3:] = torch.eye(3, dtype=maps.dtype, device=maps.device)
    return basis.reshape(-1, 12, 6)


def _turn(maps: torch.Tensor, step: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    skew = how.contract("kij,nk->nij", _generators(maps), step[:, :3])
    trial = maps.clone()
    trial[:, :, :3] = how.product(how.exponential(skew), maps[:, :, :3])
    trial[:, :, 3] += step[:, 3:]
    return trial


def _generators(like: torch.Tensor) -> torch.Tensor:
    """Cross-product matrices of the three axes, (3, 3, 3)."""
    generators = torch.zeros(3, 3, 3, dtype=like.dtype)
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        generators[axis, second, first], generators[axis, first, second] = 1.0, -1.0
    return generators.to(like.device)


def _choose(better: torch.Tensor, there: Alignment, here: Alignment) -> Alignment:
    return Alignment(
        torch.where(better, there.value, here.value),
        torch.where(better, there.overlap, here.overlap),
        torch.where(better[:, None], there.gradient, here.gradient),
    )
