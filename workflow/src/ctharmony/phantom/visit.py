"""A patient's visit to a scanner: how the patient lies, and what the scanner shows."""

import math
from dataclasses import dataclass

import numpy as np

from ctharmony.phantom.anatomy import Anatomy
from ctharmony.phantom.projection import LANES
from ctharmony.phantom.reconstruction import (
    acquire,
    project_materials,
    reconstruct,
    slice_weights,
)
from ctharmony.phantom.render import average_planes, render_maps
from ctharmony.phantom.scanner import Sampling, Scanner
from ctharmony.phantom.streams import stream
from ctharmony.phantom.tissues import LABELS

SHIFT_LIMIT, TILT_SHARE = 2.0, 0.4


@dataclass(frozen=True)
class Visit:
    """Names one scan of a study; every random number of the scan hangs on them.

    Attributes:
        seed: the study's seed.
        subject, site, scan: ids.
    """

    seed: int
    subject: str
    site: str
    scan: str

    def stream(self, purpose: str) -> np.random.Generator:
        """The stream for one purpose."""
        return stream(self.seed, purpose, self.subject, self.site, self.scan)


def draw_pose(visit: Visit, scanner: Scanner) -> np.ndarray:
    """How the patient lies: (3, 4) scanner to patient coordinates, mm.

    Shift and rotation are normal with the scanner's deviations, cut at twice these; rotations
    other than in the slice's plane are smaller by TILT_SHARE.
    """
    draws = np.clip(visit.stream("pose").standard_normal(6), -SHIFT_LIMIT, SHIFT_LIMIT)
    turns = math.radians(scanner.rotation_degrees) * draws[3:] * (TILT_SHARE, TILT_SHARE, 1.0)
    pose = np.empty((3, 4))
    pose[:, :3] = _rotation(turns)
    pose[:, 3] = scanner.shift_mm * draws[:3]
    return pose


def grid_affine(sampling: Sampling, tilt_degrees: float = 0.0) -> np.ndarray:
    """(4, 4) affine of a scan: voxel (column, row, slice) to world RAS, mm."""
    shape = (sampling.slices, sampling.matrix)
    return _slices_affine(sampling.pixel_mm, sampling.spacing_mm, tilt_degrees, shape)


def _slices_affine(
    pixel_mm: float, gap_mm: float, tilt_degrees: float, shape: tuple[int, int]
) -> np.ndarray:
    """Centred grid of (slices, side) whose rows lean towards superior by the gantry's tilt."""
    tilt = math.radians(tilt_degrees)
    affine = np.diag([pixel_mm, pixel_mm * math.cos(tilt), gap_mm, 1.0])
    affine[2, 1] = pixel_mm * math.sin(tilt)
    middle = np.array([shape[1] - 1, shape[1] - 1, shape[0] - 1]) / 2
    affine[:3, 3] = -affine[:3, :3] @ middle
    return affine


@dataclass(frozen=True)
class Gantry:
    """How slices lie.

    Attributes:
        reach_mm: thickest slice that will be asked for.
        table: whether the table is in view.
        tilt_degrees: tilt about the patient's left-right axis; slices keep their distance along
            the table.
    """

    reach_mm: float
    table: bool = False
    tilt_degrees: float = 0.0


class PosedPatient:
    """A patient lying in a scanner: fine material maps, from which any slice can be made.

    Attributes:
        maps: (materials, planes, rows, columns) float32, g/cm3.
        labels: (planes, rows, columns) uint8 as of `tissues.LABELS`.
        planes_mm: (planes,) their z.
    """

    def __init__(
        self,
        anatomy: Anatomy,
        pose: np.ndarray,
        sampling: Sampling,
        gantry: Gantry,
    ):
        """Draw the patient.

        Args:
            anatomy: the patient.
            pose: (3, 4) scanner to patient coordinates.
            sampling: the grids.
            gantry: how slices lie.
        """
        step, size = sampling.object_slice_mm, sampling.object_size
        half = (sampling.slab_mm - sampling.spacing_mm + gantry.reach_mm) / 2
        count = 2 * math.ceil(half / step)
        self.sampling = sampling
        self.planes_mm = (np.arange(count) - (count - 1) / 2) * step
        pixel = sampling.object_pixel_mm
        grid = _slices_affine(pixel, step, gantry.tilt_degrees, (count, size))
        materials = 3 if anatomy.has_iodine else 2
        placed = np.vstack([pose, [0, 0, 0, 1]]) @ grid
        shape, under = (count, size, size), grid[:3] if gantry.table else None
        self.maps, self.labels = render_maps(anatomy, placed[:3], shape, materials, under)

    def paths(self, thickness_mm: float) -> np.ndarray:
        """Path lengths through every slice: (materials, slices, views, bins), g/cm3 mm."""
        centres = self.sampling.slice_positions_mm
        weights = np.zeros((len(centres), len(self.planes_mm)))
        for index, centre in enumerate(centres):
            weights[index] = slice_weights(centre, self.planes_mm, thickness_mm)
        return project_materials(average_planes(self.maps, weights), self.sampling)

    def slice_labels(self) -> np.ndarray:
        """(slices, matrix, matrix) uint8 as of `tissues.LABELS` at the centres of a scan's voxels.

        What lies beyond the patient's own grid is outside.
        """
        sampling, size = self.sampling, self.labels.shape[-1]
        place = (np.arange(sampling.matrix) - (sampling.matrix - 1) / 2) * sampling.pixel_mm
        near = np.rint(place / sampling.object_pixel_mm + (size - 1) / 2).astype(int)
        inside = (near >= 0) & (near < size)
        near = near.clip(0, size - 1)
        planes = [np.abs(self.planes_mm - z).argmin() for z in sampling.slice_positions_mm]
        found = self.labels[np.ix_(planes, near, near)]
        return np.where(inside[:, None] & inside, found, LABELS["outside"]).astype(np.uint8)


@dataclass(frozen=True)
class Exposure:
    """One image to be made of a posed patient.

    Attributes:
        scanner: the scanner.
        purpose: names the streams of noise and drift, so that repeats are independent.
        noisy: False for an image without noise and drift.
    """

    scanner: Scanner
    purpose: str
    noisy: bool


def expose(patient: PosedPatient, visit: Visit, exposures: list[Exposure]) -> list[np.ndarray]:
    """Images as delivered: noise, reconstruction, calibration offset and its drift.

    Returns:
        Per exposure (slices, rows, columns) float32 HU.
    """
    sampling = patient.sampling
    paths: dict[float, np.ndarray] = {}
    images, waiting = [], []
    for exposure in exposures:
        thickness = exposure.scanner.slice_thickness_mm
        if thickness not in paths:
            paths = {thickness: patient.paths(thickness)}
        random = visit.stream(f"noise {exposure.purpose}") if exposure.noisy else None
        # LANES slices at a time: few, and the work is slow; all, and a thin-slice scan fills memory
        for first in range(0, sampling.slices, LANES):
            part = paths[thickness][:, first : first + LANES]
            waiting.append(acquire(part, exposure.scanner, sampling, random))
            if sum(map(len, waiting)) >= LANES:
                images.append(reconstruct(np.concatenate(waiting), sampling))
                waiting = []
    if waiting:
        images.append(reconstruct(np.concatenate(waiting), sampling))
    volumes = np.split(np.concatenate(images), len(exposures))
    for volume, exposure in zip(volumes, exposures, strict=True):
        volume += np.float32(_calibration(exposure, visit))
    return volumes


def _calibration(exposure: Exposure, visit: Visit) -> float:
    scanner = exposure.scanner
    if not exposure.noisy:
        return scanner.hu_offset
    chance = visit.stream(f"drift {exposure.purpose}").standard_normal()
    return scanner.hu_offset + scanner.hu_drift * float(chance)


def _rotation(turns: np.ndarray) -> np.ndarray:
    result = np.eye(3)
    for axis, turn in enumerate(turns):
        one, two = [k for k in range(3) if k != axis]
        plane = np.eye(3)
        plane[one, one] = plane[two, two] = math.cos(turn)
        plane[one, two], plane[two, one] = -math.sin(turn), math.sin(turn)
        result = plane @ result
    return result
