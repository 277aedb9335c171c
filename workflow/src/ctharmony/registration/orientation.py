"""Headers that name the axes wrongly: the 24 ways to turn a box onto itself, never a mirror."""

from itertools import permutations, product

import numpy as np
import torch

from ctharmony.registration.pyramid import Level
from ctharmony.registration.sampling import FixedScan
from ctharmony.registration.search import Slope
from ctharmony.registration.settings import RegistrationSettings
from ctharmony.registration.starts import (
    best_starts,
    body_middle,
    rank,
    shifts,
    starting_maps,
)
from ctharmony.registration.steps import Score, Steps

TRIED = 2  # starts kept of each orientation
REFINED = 8  # starts refined of all orientations


def right_angles() -> np.ndarray:
    """(24, 3, 3): the proper rotations among the signed permutations, the identity first."""
    found = []
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            turn = np.eye(3)[list(order)] * np.array(signs)[:, None]
            if np.linalg.det(turn) > 0:
                found.append(turn)
    return np.stack(found)


def best_orientation(
    fixed: FixedScan, moving: Level, settings: RegistrationSettings
) -> Steps[tuple[np.ndarray, float]]:
    """The turn (3, 3) of the fixed axes that fits best beside the header's own, and its score.

    Every orientation is tried at all shifts along the body; what is left of a rotation is found by
    the rigid ascent from the best of them.
    """
    points = fixed.points[0]
    turns, starts, owners = right_angles()[1:], [], []
    for number, turn in enumerate(turns):
        level = moving.turned(turn)
        offsets = shifts(fixed.levels[0], level, settings.shift_step_mm)
        maps = starting_maps(points, np.eye(3)[None], offsets, body_middle(level))
        maps = yield from best_starts(points, level, maps, TRIED)
        starts.append(torch.from_numpy(turn) @ maps)
        owners += [number] * len(maps)
    slope, maps = Slope(points.quick(), moving, settings, 0), torch.cat(starts)
    found = yield Score(slope.points, moving, maps)
    few = torch.argsort(found, descending=True, stable=True)[:REFINED]
    found = yield from slope.refine(maps[few], True)
    score = rank(found.value, found.overlap, slope.points)
    best = int(score.argmax())
    return turns[owners[int(few[best])]], float(score[best])
