"""A small convolutional network as site probe: what neither a line nor a forest was shown.

It sees body patches on a common pixel (`patches`), in HU and with their surroundings taken off, is
trained on the subjects of the other folds with classes drawn equally often, and a scan's
probabilities are the mean over its patches. Its score is that of the other probes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from torch import nn
from torch.nn.functional import cross_entropy

from ctharmony.evaluation.patches import PatchSettings
from ctharmony.evaluation.probes import ProbeResult, ProbeSettings, judge, refusal, subject_folds

SURROUNDINGS = 5  # pixels of the mean that is taken off the second channel
FULL_HU = 1000.0  # HU beyond which the first channel is cut off
MOST_SD = 4.0  # SDs beyond which the second is


@dataclass(frozen=True)
class CnnSettings:
    """How the network is fed and trained.

    Attributes:
        patches: size and number of patches.
        folds: by subject; steps: of Adam in each; batch: patches of a step.
        width: channels of the first layer, half of the second's.
        learning_rate: of Adam.
        evidence_edges_per_mm: increasing edges of the bands that are taken from patches to see what
            the network goes by, cycles/mm.
    """

    patches: PatchSettings
    folds: int
    steps: int
    batch: int
    width: int
    learning_rate: float
    evidence_edges_per_mm: tuple[float, ...]


@dataclass(frozen=True)
class PatchSample:
    """Scans as the network sees them.

    Attributes:
        patches: (patches, pixels, pixels) HU of all scans, one after the other.
        owner: (patches,) index of the scan of each.
        subjects, labels: (scans,) ids and what is to be told.
    """

    patches: np.ndarray
    owner: np.ndarray
    subjects: np.ndarray
    labels: np.ndarray


def patch_sample(found: list[np.ndarray], subjects: list[str], labels: list[str]) -> PatchSample:
    """Join the patches of scans; a scan without patches is left out."""
    kept = [index for index, own in enumerate(found) if len(own)]
    parts = [found[index] for index in kept]
    owner = np.repeat(np.arange(len(kept)), [len(part) for part in parts])
    patches = np.concatenate(parts) if parts else np.zeros((0, 1, 1))
    names = (np.array([words[i] for i in kept], dtype=str) for words in (subjects, labels))
    return PatchSample(patches, owner, *names)


@dataclass(frozen=True)
class PatchProbe:
    """A trained network that tells the class of patches.

    Attributes:
        network: on `two_channels`; typical: SD of texture that it was trained with, HU.
        held: (scans,) bool, the scans that it never saw anything of.
    """

    network: nn.Module
    typical: float
    held: np.ndarray

    @torch.no_grad()
    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) of patches (n, pixels, pixels), HU."""
        return torch.softmax(self.network(two_channels(patches, self.typical)), 1).numpy()


def train_probes(sample: PatchSample, how: CnnSettings, judged: ProbeSettings) -> list[PatchProbe]:
    """A probe for every fold by subject; classes are the sorted labels.

    Raises:
        ValueError: too few subjects or classes, as `refusal` says.
    """
    if reason := refusal(sample.labels, sample.subjects, judged):
        raise ValueError(reason)
    codes = np.unique(sample.labels, return_inverse=True)[1]
    folds = subject_folds(sample.labels, sample.subjects, replace(judged, folds=how.folds))
    typical = typical_texture(sample.patches)
    channels = two_channels(sample.patches, typical)
    found = []
    for fold in np.unique(folds):
        held = folds == fold
        given = ~held[sample.owner]
        network = _trained(channels[given], codes[sample.owner[given]], how, judged.seed)
        found.append(PatchProbe(network, typical, held))
    return found


def cnn_probe(
    sample: PatchSample, probes: Sequence[PatchProbe], judged: ProbeSettings
) -> ProbeResult:
    """Each scan judged by the probe that never saw its subject: the mean over its patches."""
    classes = np.unique(sample.labels)
    found = np.zeros((len(sample.labels), len(classes)))
    for probe in probes:
        seen = probe.held[sample.owner]
        told, owner = probe(sample.patches[seen]), sample.owner[seen]
        for scan in np.flatnonzero(probe.held):
            found[scan] = told[owner == scan].mean(axis=0)
    return judge(found, sample.labels, sample.subjects, tuple(map(str, classes)), judged)


def typical_texture(patches: np.ndarray) -> float:
    """SD of the texture of the median patch, HU: edges would make all noise look alike."""
    spread = _texture(patches.astype(np.float32)).std(axis=(1, 2))
    return max(float(np.median(spread)), 1e-3) if len(patches) else 1.0


def two_channels(patches: np.ndarray, typical: float) -> torch.Tensor:
    """(patches, 2, pixels, pixels): HU over FULL_HU, and the texture over its typical SD."""
    hu = patches.astype(np.float32)
    texture = (_texture(hu) / typical).clip(-MOST_SD, MOST_SD)
    return torch.from_numpy(np.stack((hu.clip(-FULL_HU, FULL_HU) / FULL_HU, texture), axis=1))


def _texture(hu: np.ndarray) -> np.ndarray:
    return hu - uniform_filter(hu, (0, SURROUNDINGS, SURROUNDINGS), mode="nearest")


def network_of(classes: int, width: int) -> nn.Module:
    """Two strided convolutions, the mean over the patch, one linear layer."""
    return nn.Sequential(
        nn.Conv2d(2, width, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, classes),
    )


def _trained(channels: torch.Tensor, codes: np.ndarray, how: CnnSettings, seed: int) -> nn.Module:
    generator = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = network_of(int(codes.max()) + 1, how.width)
    optimiser = torch.optim.Adam(network.parameters(), how.learning_rate)
    # every class equally often, whatever its share of the scans
    weights = 1.0 / np.bincount(codes)[codes]
    weights /= weights.sum()
    target = torch.from_numpy(codes)
    for _ in range(how.steps):
        chosen = torch.from_numpy(generator.choice(len(codes), how.batch, p=weights))
        optimiser.zero_grad()
        cross_entropy(network(channels[chosen]), target[chosen]).backward()
        optimiser.step()
    return network.eval()
