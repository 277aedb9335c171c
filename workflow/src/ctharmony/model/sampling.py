"""Batches of patches, each a function of (seed, step) alone, so that a resumed run is the same."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from ctharmony.model.scans import (
    ScanData,
    candidate_centres,
    cut,
    measure_anchors,
    patch_shape,
    spread_centres,
)
from ctharmony.model.settings import Settings
from ctharmony.model.vae import Batch

STREAMS = {"train": 0, "twins": 1, "latents": 2, "simulated": 3, "critics": 4}
Shard = tuple[int, int]  # rank and number of processes
WHOLE: Shard = (0, 1)


class PatchSource:
    """Patches of some scans.

    Args:
        scans: at least one; scans with an empty mask raise ValueError.
        sites: names of the reference sites, in the order of the model's priors.
        settings: the model's settings.
    """

    def __init__(self, scans: Sequence[ScanData], sites: list[str], settings: Settings) -> None:
        self.scans = list(scans)
        self.settings = settings
        self.site = np.array([sites.index(scan.site) for scan in self.scans])
        self.centres = [candidate_centres(scan.mask, seed) for seed, scan in enumerate(self.scans)]
        tissues = list(settings.anchors_hu)
        self.covariates = np.array([scan.covariates for scan in self.scans], np.float32)
        self.anchors = np.stack([measure_anchors(s.hu, s.mask, tissues) for s in self.scans])

    def draw(self, seed: int, step: int, shard: Shard = WHOLE) -> Batch:
        """Random patches of `scans_per_step` scans, the sites taking turns; a rank's share."""
        rng = stream_rng(seed, step, "train")
        training = self.settings.training
        chosen = self._balanced(rng, training.scans_per_step)
        places = [
            self.centres[index][
                rng.integers(len(self.centres[index]), size=training.patches_per_scan)
            ]
            for index in chosen
        ]
        rank, world = shard
        return self._batch(chosen[rank::world], places[rank::world])

    def fixed(self, patches: int) -> Iterator[Batch]:
        """Every scan once, with its own evenly spread patches; scans_per_step scans at a time."""
        size = self.settings.training.scans_per_step
        order = self._interleaved()
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            yield self._batch(
                chosen, [spread_centres(self.scans[index].mask, patches) for index in chosen]
            )

    def _interleaved(self) -> list[int]:
        """All scans, the sites taking turns: neighbours are of different sites while they last."""
        site = self.site
        ranks = [int((site[:index] == site[index]).sum()) for index in range(len(site))]
        return sorted(range(len(site)), key=lambda index: (ranks[index], site[index]))

    def _balanced(self, rng: np.random.Generator, count: int) -> list[int]:
        order = [rng.permutation(np.flatnonzero(self.site == s)) for s in np.unique(self.site)]
        first = rng.integers(len(order))
        turns = [(first + turn) % len(order) for turn in range(count)]
        return [
            int(order[site][(turn // len(order)) % len(order[site])])
            for turn, site in enumerate(turns)
        ]

    def _batch(self, chosen: list[int], places: list[np.ndarray]) -> Batch:
        native, pixels = [], []
        for index, centres in zip(chosen, places, strict=True):
            scan = self.scans[index]
            shape = patch_shape(scan.spacing, self.settings.network.patch_mm)
            patches = np.stack([cut(scan.hu, centre, shape) for centre in centres])
            native.append(torch.from_numpy(patches))
            pixels.append((float(scan.spacing[1]), float(scan.spacing[2])))
        return Batch(
            native=native,
            pixel_mm=pixels,
            anchors=torch.from_numpy(self.anchors[chosen]),
            site=torch.from_numpy(self.site[chosen]),
            covariates=torch.from_numpy(self.covariates[chosen]),
        )


def stream_rng(seed: int, step: int, stream: str, position: int = 0) -> np.random.Generator:
    """The random numbers of one stream at one step, for one position in the batch."""
    return np.random.default_rng([seed, STREAMS[stream], step, position])


def position_rngs(
    seed: int, step: int, stream: str, scans: int, shard: Shard
) -> list[np.random.Generator]:
    """Random numbers of each of a rank's `scans` positions."""
    rank, world = shard
    return [stream_rng(seed, step, stream, rank + world * index) for index in range(scans)]


@dataclass(frozen=True)
class Draws:
    """Standard normal numbers of one step, those of a rank's own scans.

    Attributes:
        generator: the same on every rank.
        scans: scans of this rank.
        shard: this rank and the number of processes.
    """

    generator: torch.Generator
    scans: int
    shard: Shard = WHOLE

    def __call__(self, like: torch.Tensor) -> torch.Tensor:
        """Numbers of the shape of `like`, whose rows are the scans' rows in turn."""
        rank, world = self.shard
        shape = (self.scans, world, like.shape[0] // self.scans, *like.shape[1:])
        noise = torch.randn(shape, generator=self.generator, dtype=like.dtype)
        return noise[:, rank].flatten(0, 1).to(like.device)


def latent_draws(seed: int, step: int, scans: int, shard: Shard = WHOLE) -> Draws:
    """The latents' random numbers of one step."""
    state = stream_rng(seed, step, "latents").integers(2**62)
    return Draws(torch.Generator().manual_seed(int(state)), scans, shard)


class Ahead:
    """Calls `make(step)` one step ahead in a thread, so that no step waits for its patches."""

    def __init__(self, make: Callable[[int], Batch], last: int) -> None:
        self.make, self.last = make, last
        self.pool = ThreadPoolExecutor(max_workers=1)
        self.waiting: dict[int, Future[Batch]] = {}

    def __call__(self, step: int) -> Batch:
        """The batch of `step`; that of the next one is begun."""
        ready = self.waiting.pop(step, None)
        if step + 1 < self.last:
            self.waiting[step + 1] = self.pool.submit(self.make, step + 1)
        return ready.result() if ready is not None else self.make(step)
