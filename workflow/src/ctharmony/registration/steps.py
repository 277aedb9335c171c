"""What a registration needs the scans' voxels for: it hands out a step and waits for the answer.

The way from starting positions to a result is written once, as generators that yield steps. One
scan's steps are answered as they come (alone.py), those of many scans together (together.py), and
neither way lets one registration see another.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch

from ctharmony.registration.optimiser import Rules
from ctharmony.registration.pyramid import Level
from ctharmony.registration.sampling import FixedPoints

Answer = TypeVar("Answer")


@dataclass(frozen=True, eq=False)
class Score:
    """Wanted: (B,) how good the maps (B, 3, 4) are as starts (starts.scores)."""

    points: FixedPoints
    moving: Level
    maps: torch.Tensor

    @property
    def kind(self) -> tuple:
        """Steps of one kind can be answered together."""
        return Score, self.points


@dataclass(frozen=True, eq=False)
class Climb:
    """Wanted: the Ascent from the maps (B, 3, 4)."""

    points: FixedPoints
    moving: Level
    maps: torch.Tensor
    rules: Rules
    normalized: bool

    @property
    def kind(self) -> tuple:
        """Steps of one kind can be answered together."""
        return Climb, self.points, self.rules, self.normalized


@dataclass(frozen=True, eq=False)
class Measure:
    """Wanted: the Evidence of the (4, 4) world map at one level (judgement.measure)."""

    fixed: Level
    moving: Level
    transform: np.ndarray

    @property
    def kind(self) -> tuple:
        """Steps of one kind can be answered together."""
        return Measure, id(self.fixed)


Step = Score | Climb | Measure
Steps = Generator[Step, Any, Answer]
