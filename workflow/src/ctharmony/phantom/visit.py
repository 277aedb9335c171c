"""A patient's visit to a scanner: how the patient lies, and what the scanner shows."""

import math
from dataclasses import dataclass

import numpy as np

from ctharmony.phantom.anatomy import Anatomy
from ctharmony.phantom.reconstruction import project_materials, render, slice_weights
from ctharmony.phantom.render import render_maps
from ctharmony.phantom.scanner import Sampling, Scanner
from ctharmony.phantom.streams import stream

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


def grid_affine(sampling: Sampling) -> np.ndarray:
    """(4, 4) affine of a scan: voxel (column, row, slice) to world RAS, mm."""
    side, gap = sampling.pixel_mm, sampling.spacing_mm
    affine = np.diag([side, side, gap, 1.0])
    affine[:2, 3] = -side * (sampling.matrix - 1) / 2
    affine[2, 3] = -gap * (sampling.slices - 1) / 2
    return affine


class PosedPatient:
    """A patient lying in a scanner: fine material maps, from which any slice can be made.

    Attributes:
        maps: (materials, planes, rows, columns) float32, g/cm3.
        labels: (planes, rows, columns) uint8 as of `tissues.LABELS`.
        planes_mm: (planes,) their z.
    """

    def __init__(self, anatomy: Anatomy, pose: np.ndarray, sampling: Sampling, reach_mm: float):
        """Draw the patient.

        Args:
            anatomy: the patient.
            pose: (3, 4) scanner to patient coordinates.
            sampling: the grids.
            reach_mm: thickest slice that will be asked for.
        """
        step, size = sampling.object_slice_mm, sampling.object_size
        half = (sampling.slab_mm - sampling.spacing_mm + reach_mm) / 2
        count = 2 * math.ceil(half / step)
        self.sampling = sampling
        self.planes_mm = (np.arange(count) - (count - 1) / 2) * step
        pixel = sampling.object_pixel_mm
        grid = np.diag([pixel, pixel, step, 1.0])
        grid[:3, 3] = (-pixel * (size - 1) / 2, -pixel * (size - 1) / 2, self.planes_mm[0])
        materials = 3 if anatomy.has_iodine else 2
        placed = np.vstack([pose, [0, 0, 0, 1]]) @ grid
        self.maps, self.labels = render_maps(anatomy, placed[:3], (count, size, size), materials)

    def paths(self, thickness_mm: float) -> np.ndarray:
        """Path lengths through every slice: (materials, slices, views, bins), g/cm3 mm."""
        centres = self.sampling.slice_positions_mm
        shape = (len(self.maps), len(centres), *self.maps.shape[2:])
        slices = np.zeros(shape, np.float32)
        for index, centre in enumerate(centres):
            weights = slice_weights(centre, self.planes_mm, thickness_mm)
            for plane in np.flatnonzero(weights):
                slices[:, index] += np.float32(weights[plane]) * self.maps[:, plane]
        return project_materials(slices, self.sampling)


def show(
    paths: np.ndarray, scanner: Scanner, sampling: Sampling, visit: Visit | None, purpose: str
) -> np.ndarray:
    """The scan as delivered: noise, reconstruction, calibration offset and its drift.

    Args:
        paths: as of `PosedPatient.paths` with the scanner's slice thickness.
        scanner: the scanner.
        sampling: the grids.
        visit: streams of noise and drift; None for a noise-free scan without drift.
        purpose: names the noise, so that repeats are independent.

    Returns:
        (slices, rows, columns) float32 HU.
    """
    random = None if visit is None else visit.stream(f"noise {purpose}")
    drift = 0.0
    if visit is not None:
        drift = scanner.hu_drift * float(visit.stream(f"drift {purpose}").standard_normal())
    volume = render(paths, scanner, sampling, random)
    volume += np.float32(scanner.hu_offset + drift)
    return volume


def _rotation(turns: np.ndarray) -> np.ndarray:
    result = np.eye(3)
    for axis, turn in enumerate(turns):
        one, two = [k for k in range(3) if k != axis]
        plane = np.eye(3)
        plane[one, one] = plane[two, two] = math.cos(turn)
        plane[one, two], plane[two, one] = -math.sin(turn), math.sin(turn)
        result = plane @ result
    return result
