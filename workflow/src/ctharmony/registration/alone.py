"""One registration on the processor: its steps are answered as they come, in compiled passes."""

from typing import Any

from ctharmony.registration.grids import MovingGrid, moving_grid
from ctharmony.registration.judgement import measure
from ctharmony.registration.objective import align
from ctharmony.registration.optimiser import ascend
from ctharmony.registration.pyramid import Level
from ctharmony.registration.starts import scores
from ctharmony.registration.steps import Answer, Climb, Measure, Step, Steps


def carry_out(steps: Steps[Answer]) -> Answer:
    """Answer each step at once; returns what the registration comes to.

    Raises:
        ValueError: what the steps raise.
    """
    grids: dict[tuple, MovingGrid] = {}
    answer = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            return end.value
        answer = _answer(step, grids)


def _answer(step: Step, grids: dict[tuple, MovingGrid]) -> Any:
    if isinstance(step, Measure):
        return measure(step.fixed, step.moving, step.transform)
    grid = _grid(step.moving, step.points.count, grids)
    if isinstance(step, Climb):
        return ascend(
            lambda maps, _, curved: align(step.points, grid, maps, step.normalized, True, curved),
            step.maps,
            step.rules,
        )
    return scores(step.points, grid, step.maps)


def _grid(level: Level, bins: int, grids: dict[tuple, MovingGrid]) -> MovingGrid:
    """The level as a grid, made anew only where the last step was about another."""
    key = id(level), bins
    if key not in grids:
        grids.clear()
        grids[key] = moving_grid(level, bins)
    return grids[key]
