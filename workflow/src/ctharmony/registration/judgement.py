"""Whether a registration can be trusted, from what it shows and not from how it was found."""

from dataclasses import dataclass

import numpy as np
import torch

from ctharmony.information.discrete import entropy, mutual_information
from ctharmony.information.parzen import independence_bias
from ctharmony.registration.grids import interpolate, moving_grid
from ctharmony.registration.pyramid import Level
from ctharmony.registration.settings import RegistrationSettings
from ctharmony.registration.transforms import stretches

BINS = 32
SAMPLES = 30000
LONELY = 0.15  # share of starts in agreement that is no more than the best one itself


@dataclass(frozen=True)
class Evidence:
    """What two scans share under one map.

    Attributes:
        nats: plug-in mutual information of 32 equally filled bins over the shared body.
        explained: share of the fixed entropy that the moving scan explains, bias removed, 0 .. 1.
        coverage: share of the fixed body that falls inside the moving scan.
    """

    nats: float
    explained: float
    coverage: float


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        matrix: (4, 4) world RAS mm, fixed points to moving points.
        agreement: share of the pushed-off starts that came back.
        score: how starts are ranked (starts.rank) at the coarsest level.
    """

    matrix: np.ndarray
    agreement: float
    score: float


def measure(fixed: Level, moving: Level, transform: np.ndarray) -> Evidence:
    """Evidence of the (4, 4) world map `transform` at one level.

    Bins are equally filled, so strictly monotone changes of either scan's intensities leave the
    result as it is.
    """
    voxels, known = body_sample(fixed)
    grid = moving_grid(moving, 2)
    to_voxel = grid.to_voxel @ transform @ fixed.affine
    places = voxels @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    rows = torch.from_numpy(np.ascontiguousarray(places.T, dtype=np.float32))[None]
    values, _, inside = interpolate(grid, rows)
    joints, held = joints_of_ranks(torch.from_numpy(known), values, inside > 0)
    return evidence_of(joints[0].double().numpy(), int(held[0]), len(known))


def body_sample(level: Level) -> tuple[np.ndarray, np.ndarray]:
    """About SAMPLES voxels (n, 3) of the body, x, y, z, and their intensities (n,)."""
    places = np.flatnonzero(level.body)
    places = places[:: max(1, len(places) // SAMPLES)]
    voxels = np.stack(np.unravel_index(places, level.body.shape), axis=1)
    return voxels[:, ::-1], level.values.numpy()[tuple(voxels.T)]


def evidence_of(joint: np.ndarray, held: int, asked: int) -> Evidence:
    """The evidence in (32, 32) counts by rank of `held` samples inside the moving scan."""
    if held < BINS**2:
        return Evidence(0.0, 0.0, held / asked)
    nats = mutual_information(joint)
    corrected = max(0.0, nats - independence_bias(float(held), BINS))
    return Evidence(nats, corrected / max(entropy(joint.sum(axis=1)), 1e-9), held / asked)


def joints_of_ranks(
    known: torch.Tensor, values: torch.Tensor, held: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Counts of each row's two samples, either in bins that hold equally many each.

    Args:
        known: (N,) fixed intensities.
        values: (R, N) moving ones.
        held: (R, N) bool.

    Returns:
        (R, 32, 32) counts, and (R,) how many samples each row holds.
    """
    count = held.sum(1)
    one = _rank_bins(known.expand_as(values), held, count)
    cells = (one * BINS + _rank_bins(values, held, count)).where(held, BINS**2)
    joints = torch.zeros(len(values), BINS**2 + 1, dtype=torch.int64, device=values.device)
    joints.scatter_add_(1, cells, torch.ones_like(cells))
    return joints[:, :-1].reshape(-1, BINS, BINS), count


def confidence(evidence: Evidence, agreement: float, settings: RegistrationSettings) -> float:
    """0 .. 1: geometric mean of three shares of what is asked for, each at most 1.

    Information counts in full at twice the least accepted, coverage at twice the least accepted,
    agreement where half of the pushed-off starts came back.
    """
    shares = (
        evidence.explained / (2 * settings.minimum_information),
        evidence.coverage / (2 * settings.minimum_coverage),
        agreement / 0.5,
    )
    return float(np.prod([min(1.0, share) for share in shares]) ** (1 / 3))


def judge(
    evidence: Evidence, found: Found, settings: RegistrationSettings, turned: bool = False
) -> tuple[str, str]:
    """(status, reason): failed when the map cannot be right, warned when it may be wrong."""
    widest, narrowest = stretches(found.matrix)[[0, 2]]
    limit = settings.maximum_stretch
    if evidence.explained < settings.minimum_information:
        return "failed", (
            f"the scan explains {evidence.explained:.1%} of the template's information where "
            f"{settings.minimum_information:.0%} is needed: not this body part, or not found"
        )
    if widest > limit or narrowest < 1 / limit or np.linalg.det(found.matrix[:3, :3]) <= 0:
        return "failed", (
            f"the map stretches by {narrowest:.2f} to {widest:.2f}, beyond {limit:.2f}: "
            "the match is not anatomical"
        )
    return _doubts(evidence, found, settings, turned)


def _doubts(
    evidence: Evidence, found: Found, settings: RegistrationSettings, turned: bool
) -> tuple[str, str]:
    if turned:
        return "warned", (
            "the header's orientation does not fit; another one does and is used: check the header"
        )
    if evidence.coverage < settings.minimum_coverage:
        return "warned", (
            f"the scan shows {evidence.coverage:.0%} of the template's body where "
            f"{settings.minimum_coverage:.0%} is asked for"
        )
    if found.agreement < LONELY:
        return "warned", "no other starting position came to this place; look at the picture"
    return "ok", ""


def _rank_bins(values: torch.Tensor, held: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    ordered = values.where(held, torch.inf).sort(dim=1).values
    parts = torch.arange(1, BINS, device=values.device)
    edges = ordered.gather(1, (parts * count[:, None]) // BINS)
    return torch.searchsorted(edges, values.contiguous(), right=True)
