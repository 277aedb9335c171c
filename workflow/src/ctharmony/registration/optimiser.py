"""Levenberg-Marquardt ascent of a batch of maps, rigid or affine.

Source: Marquardt, SIAM J Appl Math 11 (1963) 431, with the curvature of `objective.align`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ctharmony.registration.objective import Alignment

DAMPING_START, DAMPING_DOWN, DAMPING_UP = 1e-2, 0.2, 8.0
DAMPING_RANGE = (1e-7, 1e6)
RIDGE = 1e-9
LEAST_FALL = 0.02


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
    evaluate: Callable[[torch.Tensor, bool], Alignment], maps: torch.Tensor, rules: Rules
) -> Ascent:
    """Climb from each of the (B, 3, 4) maps; maps of a batch do not influence one another.

    `evaluate` takes maps and whether their curvature is wanted, which is learned after the first
    time. Ascents that are done cost nothing more.
    """
    rows = torch.arange(len(maps))
    here = evaluate(maps, True)
    ends = Ascent(maps.clone(), here.value.clone(), here.overlap.clone())
    curvature, damping = here.curvature, torch.full_like(here.value.double(), DAMPING_START)
    for _ in range(rules.iterations):
        trial, size = _step(maps, here, curvature, damping, rules.rigid)
        there = evaluate(trial, False)
        allowed = there.overlap >= here.overlap.clamp(max=rules.floor)
        better = (there.value > here.value) & allowed
        curvature = _learn(curvature, (trial - maps).flatten(1), here.gradient - there.gradient)
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


def _learn(curvature: torch.Tensor, step: torch.Tensor, fall: torch.Tensor) -> torch.Tensor:
    """The curvature (B, 12, 12) after a step (B, 12) along which the gradient fell by `fall`.

    Source: the BFGS update (Nocedal and Wright, Numerical Optimization, equation 6.19). The
    Gauss-Newton start takes every edge for one that the fixed scan explains, so between patients
    it is far too stiff; the gradients seen on the way correct it. Steps along which the measure is
    not concave teach nothing.
    """
    along = (curvature @ step[:, :, None])[:, :, 0]
    expected, found = (step * along).sum(1), (step * fall).sum(1)
    learnt = (found > LEAST_FALL * expected) & (expected > 0)
    new = curvature - along[:, :, None] * along[:, None] / expected.clamp_min(1e-300)[:, None, None]
    new = new + fall[:, :, None] * fall[:, None] / found.clamp_min(1e-300)[:, None, None]
    return torch.where(learnt[:, None, None], new, curvature)


def _step(
    maps: torch.Tensor,
    here: Alignment,
    curvature: torch.Tensor,
    damping: torch.Tensor,
    rigid: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Trial maps and how far (mm, root mean square over the points) they move."""
    gradient = here.gradient[:, :, None]
    if rigid:
        basis = _rigid_basis(maps)
        turned = basis.transpose(1, 2)
        gradient, curvature = turned @ gradient, turned @ curvature @ basis
    diagonal = torch.diagonal(curvature, dim1=1, dim2=2)
    ridge = damping[:, None] * diagonal + RIDGE * diagonal.amax(1, keepdim=True) + 1e-300
    step = torch.linalg.solve(curvature + torch.diag_embed(ridge), gradient)[:, :, 0]
    trial = _turn(maps, step) if rigid else maps + step.reshape(-1, 3, 4)
    change = trial - maps
    # unit positions have mean zero and mean square one, so columns add up as squares
    size = (change[:, :, 3].square().sum(1) + change[:, :, :3].square().sum((1, 2)) / 3).sqrt()
    return trial, size


def _rigid_basis(maps: torch.Tensor) -> torch.Tensor:
    """(B, 12, 6): how the map's numbers change by a rotation (radians) and a shift (mm)."""
    basis = maps.new_zeros(maps.shape[0], 3, 4, 6)
    generators = _generators(maps.dtype)
    basis[:, :, :3, :3] = torch.einsum("kij,njc->nick", generators, maps[:, :, :3])
    basis[:, :, 3, 3:] = torch.eye(3, dtype=maps.dtype)
    return basis.reshape(-1, 12, 6)


def _turn(maps: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    cross = torch.einsum("kij,nk->nij", _generators(maps.dtype), step[:, :3])
    trial = maps.clone()
    trial[:, :, :3] = torch.linalg.matrix_exp(cross) @ maps[:, :, :3]
    trial[:, :, 3] += step[:, 3:]
    return trial


def _generators(dtype: torch.dtype) -> torch.Tensor:
    """Cross-product matrices of the three axes, (3, 3, 3)."""
    generators = torch.zeros(3, 3, 3, dtype=dtype)
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        generators[axis, second, first], generators[axis, first, second] = 1.0, -1.0
    return generators


def _choose(better: torch.Tensor, there: Alignment, here: Alignment) -> Alignment:
    return Alignment(
        torch.where(better, there.value, here.value),
        torch.where(better, there.overlap, here.overlap),
        torch.where(better[:, None], there.gradient, here.gradient),
    )
