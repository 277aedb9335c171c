"""Where a training run stands, and whether it still gets better."""

import copy
import math
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ctharmony.model.units import term_unit

Row = dict[str, Any]


@dataclass
class Progress:
    """With the weights and the optimiser, all that a resume needs.

    Attributes:
        step: steps done.
        bad_steps: steps in a row whose gradient was not a number.
        sums: terms summed over the steps of this epoch, and their count `steps`.
        history: rows (epoch, term, split, value, unit) so far.
        best_loss, best_epoch, best: lowest validation loss (nats per patch), when, and its
            weights; kept only where training may end early.
    """

    step: int = 0
    bad_steps: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)
    best_loss: float = math.inf
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """A copy in plain containers."""
        return copy.deepcopy(vars(self))

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Progress":
        """Inverse of `to_dict`; shares nothing with `content`."""
        return cls(**copy.deepcopy(content))

    def add(self, parts: dict[str, Tensor]) -> None:
        """Count one step's terms; summed where they are, as reading a GPU makes it wait."""
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + value.detach().double()

    def epoch_rows(self, epoch: int) -> list[Row]:
        """Means of the terms of the steps since the last call."""
        sums = {name: float(value) for name, value in self.sums.items()}
        count = sums.pop("steps", 0.0)
        self.sums = {}
        return [
            {
                "epoch": epoch,
                "term": name,
                "split": "train",
                "value": value / count,
                "unit": term_unit(name, sums),
            }
            for name, value in sums.items()
        ]

    def watch(self, epoch: int, loss: float, state: dict[str, Tensor]) -> None:
        """Keep the weights of the epoch with the lowest validation loss."""
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, epoch
            self.best = {name: value.detach().clone() for name, value in state.items()}

    def stale(self, epoch: int, patience: int) -> bool:
        """Whether `patience` epochs have passed since the lowest loss."""
        return patience > 0 and epoch - self.best_epoch >= patience
