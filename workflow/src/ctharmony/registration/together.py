"""Many registrations to one fixed scan on one device: steps of a kind are answered together.

Rows of a batch are the maps of all its scans. Sums are taken in an order that no row depends on
(information.arithmetic), so a scan's answer is the same, bit for bit, whatever scans are beside it.
"""

from typing import Any

import numpy as np
import torch

from ctharmony.information.arithmetic import BY_ROW
from ctharmony.registration.grids import GridRows, interpolate, thickened
from ctharmony.registration.judgement import Evidence, body_sample, evidence_of, joints_of_ranks
from ctharmony.registration.objective import Alignment, align
from ctharmony.registration.optimiser import Ascent, ascend
from ctharmony.registration.pyramid import Level
from ctharmony.registration.sampling import FixedPoints
from ctharmony.registration.starts import rank
from ctharmony.registration.steps import Climb, Measure, Score, Step

SAMPLES_AT_ONCE = 2**21  # points times maps: bounds the memory beside the scans to about 2 GB


class Together:
    """The levels of several moving scans on a device, and the answers to steps about them."""

    def __init__(self, scans: list[list[Level]], device: torch.device):
        """Lay all levels of all scans one after another in the device's memory."""
        self.device = device
        self.places: dict[int, tuple[int, tuple[int, ...]]] = {}
        self.points: dict[FixedPoints, FixedPoints] = {}
        # levels too coarse to be pooled less stand twice in a scan; they are laid down once
        kept = {id(level.values): level.values for scan in scans for level in scan}
        volumes, start = [], 0
        for name, values in kept.items():
            volume = thickened(values)
            self.places[name] = start, tuple(volume.shape)
            volumes.append(volume.reshape(-1))
            start += volume.numel()
        self.flat = torch.cat(volumes).to(device)

    def answer(self, steps: list[Step]) -> list[Any]:
        """The answers to steps of one kind, in their order."""
        ways = {Score: self._scored, Climb: self._climbed, Measure: self._measured}
        return ways[type(steps[0])](steps)

    def _climbed(self, steps: list[Climb]) -> list[Ascent]:
        points, grid, maps = self._points(steps[0].points), *self._gathered(steps)

        def evaluate(maps: torch.Tensor, rows: torch.Tensor, curved: bool) -> Alignment:
            return _align(points, grid.of(rows), maps, (steps[0].normalized, True, curved))

        found = ascend(evaluate, maps, steps[0].rules, BY_ROW)
        sizes = [len(step.maps) for step in steps]
        parts = (p.cpu().split(sizes) for p in (found.maps, found.value, found.overlap))
        return [Ascent(*ends) for ends in zip(*parts, strict=True)]

    def _scored(self, steps: list[Score]) -> list[torch.Tensor]:
        points, grid, maps = self._points(steps[0].points), *self._gathered(steps)
        found = _align(points, grid, maps, (False, False, False))
        score = rank(found.value, found.overlap, points).cpu()
        return list(score.split([len(step.maps) for step in steps]))

    def _measured(self, steps: list[Measure]) -> list[Evidence]:
        fixed = steps[0].fixed
        voxels, known = body_sample(fixed)
        grid = self._rows([step.moving for step in steps], [1] * len(steps), 1.0)
        maps = torch.from_numpy(np.stack([s.transform @ fixed.affine for s in steps]))
        maps = BY_ROW.product(grid.to_voxels, maps.to(self.device))[:, :3, :, None]
        x, y, z = torch.from_numpy(voxels.T.astype(np.float64)).to(self.device)
        places = maps[:, :, 0] * x + maps[:, :, 1] * y + maps[:, :, 2] * z + maps[:, :, 3]
        values, _, inside = interpolate(grid, places.float())
        joints, held = joints_of_ranks(torch.from_numpy(known).to(self.device), values, inside > 0)
        counts = zip(joints.double().cpu().numpy(), held.cpu().tolist(), strict=True)
        return [evidence_of(joint, count, len(known)) for joint, count in counts]

    def _points(self, points: FixedPoints) -> FixedPoints:
        if points not in self.points:
            self.points[points] = points.on(self.device)
        return self.points[points]

    def _gathered(self, steps: list[Climb] | list[Score]) -> tuple[GridRows, torch.Tensor]:
        """The scans that the maps of all steps look into, and these maps."""
        sizes = [len(step.maps) for step in steps]
        grid = self._rows([s.moving for s in steps], sizes, steps[0].points.count - 1.0)
        return grid, torch.cat([step.maps for step in steps]).to(self.device)

    def _rows(self, levels: list[Level], counts: list[int], scale: float) -> GridRows:
        """Each level for as many rows as `counts` says."""
        places = [self.places[id(level.values)] for level in levels]
        tables = (
            torch.tensor([[start] for start, _ in places]),
            torch.tensor([shape[::-1] for _, shape in places]),
            torch.from_numpy(np.stack([level.field for level in levels])).float(),
            torch.from_numpy(np.stack([np.linalg.inv(level.affine) for level in levels])),
        )
        often = torch.tensor(counts)
        rows = (table.repeat_interleave(often, dim=0).to(self.device) for table in tables)
        return GridRows(self.flat, *rows, scale)


def _align(
    points: FixedPoints, grid: GridRows, maps: torch.Tensor, asked: tuple[bool, bool, bool]
) -> Alignment:
    """`align` (normalized, slopes, curved as asked) of as many rows at once as memory allows."""
    size = max(1, SAMPLES_AT_ONCE // points.bins.numel())
    if len(maps) <= size:
        return align(points, grid, maps, *asked)
    chunks = torch.arange(len(maps), device=maps.device).split(size)
    parts = [align(points, grid.of(rows), maps[rows], *asked) for rows in chunks]
    names = ("value", "overlap", "gradient", "curvature")
    columns = ([getattr(part, name) for part in parts] for name in names)
    return Alignment(*(None if c[0] is None else torch.cat(c) for c in columns))
