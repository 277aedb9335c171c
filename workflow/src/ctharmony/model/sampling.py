"""Batches of patches, each a function of (seed, step) alone, so that a resumed run is the same."""

from collections.abc import Iterator, Sequence

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

STREAMS = {"train": 0, "twins": 1, "latents": 2, "simulated": 3}


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
        self.anchors = np.stack([measure_anchors(s.hu, s.mask, tissues) for s in self.scans])

    def draw(self, seed: int, step: int, stream: str = "train") -> Batch:
        """Random patches of `scans_per_step` scans, the sites taking turns."""
        rng = stream_rng(seed, step, stream)
        training = self.settings.training
        chosen = self._balanced(rng, training.scans_per_step)
        places = [
            self.centres[index][
                rng.integers(len(self.centres[index]), size=training.patches_per_scan)
            ]
            for index in chosen
        ]
        return self._batch(chosen, places)

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
        )


def stream_rng(seed: int, step: int, stream: str) -> np.random.Generator:
    """The random numbers of one step of one stream."""
    return np.random.default_rng([seed, STREAMS[stream], step])


def latent_generator(seed: int, step: int) -> torch.Generator:
    """Torch's random numbers of one step."""
    state = stream_rng(seed, step, "latents").integers(2**62)
    return torch.Generator().manual_seed(int(state))
