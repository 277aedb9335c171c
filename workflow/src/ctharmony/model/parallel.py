"""Several processes that train one model as one process would (Lightning Fabric, DDP).

The scans of a step are dealt out like cards: position i goes to rank i modulo the world size, and
all that is random about a position follows from (seed, step, position). What couples the scans of
a batch is gathered first, so two processes see the loss of one process with the same batch.
"""

from typing import Any

import torch
from torch import Tensor


class Ranks:
    """The processes of a run; with one process every method hands back what it was given.

    Args:
        fabric: a launched Fabric.
    """

    def __init__(self, fabric: Any) -> None:
        self.fabric = fabric
        self.shard = (int(fabric.global_rank), int(fabric.world_size))

    @property
    def world(self) -> int:
        """Number of processes."""
        return self.shard[1]

    @property
    def leader(self) -> bool:
        """Whether this process writes."""
        return self.shard[0] == 0

    def gather(self, rows: Tensor) -> Tensor:
        """Rows of all ranks (world x n, ...), gradients included, rank by rank."""
        if self.world == 1:
            return rows
        return self.fabric.all_gather(rows, sync_grads=True).flatten(0, 1)

    def mean(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """Mean over ranks of named scalars, without gradient."""
        if self.world == 1:
            return values
        stacked = torch.stack([value.detach().double() for value in values.values()])
        averaged = self.fabric.all_reduce(stacked, reduce_op="mean")
        return dict(zip(values, averaged.unbind(), strict=True))

    def any(self, flag: bool) -> bool:
        """Whether it is so on any rank: all of them stop, or none."""
        if self.world == 1:
            return flag
        count = torch.tensor(float(flag), device=self.fabric.device)
        return bool(self.fabric.all_reduce(count, reduce_op="sum") > 0)

    def from_leader(self, value: Any) -> Any:
        """What the leader holds; the others may give None."""
        return value if self.world == 1 else self.fabric.broadcast(value, src=0)
