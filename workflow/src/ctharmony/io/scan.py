"""One scan on its way in: what was read, and the sentence that says why it cannot be used."""

import math
from dataclasses import dataclass, field
from typing import Any

import nibabel as nib
import numpy as np

SHORTEST_MM = 1e-3


class SetAside(ValueError):  # noqa: N818 - an outcome, not a programming error
    """A scan that cannot be used; the message says what is wrong and how to mend it.

    Messages hold no path, file name or header text: those may identify a patient.
    """


@dataclass(frozen=True)
class InputLimits:
    """What may come in; the config's block `ingest.input`.

    Attributes:
        floor_hu: lower values (padding, noise in air) become this, HU.
        ceiling_hu: higher values become this, HU.
        min_slices: fewer slices are set aside.
        max_voxels: larger scans are set aside before their pixels are read.
        max_spacing_mm: wider slice gaps are set aside, mm.
        spacing_tolerance: share of the usual gap by which slice gaps may differ without a word.
        resample_tolerance: share up to which uneven slices are resampled evenly.
        max_tilt_degrees: largest gantry tilt that is straightened.
        max_axial_degrees: largest other angle between the slices and the axial plane.
        tissue_fraction: least share of voxels between -150 and 250 HU.
        convert_timeout_s: longest time for the conversion of one series, s.
    """

    floor_hu: int
    ceiling_hu: int
    min_slices: int
    max_voxels: int
    max_spacing_mm: float
    spacing_tolerance: float
    resample_tolerance: float
    max_tilt_degrees: float
    max_axial_degrees: float
    tissue_fraction: float
    convert_timeout_s: float


@dataclass(frozen=True)
class Scan:
    """A scan in memory as it comes in.

    Attributes:
        hu: (slices, rows, columns) int16 HU, RAS+.
        affine: (4, 4) voxel (column, row, slice) to world RAS, mm.
        tags: acquisition tags under their BIDS names, not yet de-identified.
        notes: sentences about what was mended on the way; any makes the scan `warned`.
    """

    hu: np.ndarray
    affine: np.ndarray
    tags: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def spacing(self) -> tuple[float, float, float]:
        """(dz, dy, dx) in mm."""
        dx, dy, dz = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(dz), float(dy), float(dx)


def to_ras(raw: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flip and permute axes, never resample, so that x, y, z grow right, anterior, superior.

    Args:
        raw: (columns, rows, slices) in the file's order.
        affine: (4, 4) voxel to world RAS, mm.

    Returns:
        A view of shape (slices, rows, columns), and its affine for (column, row, slice).

    Raises:
        SetAside: an axis has no length or no direction of its own.
    """
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or (lengths < SHORTEST_MM).any():
        raise SetAside("its header has no usable voxel size; export it again")
    turn = nib.io_orientation(affine)
    if np.isnan(turn).any():
        raise SetAside("its axes do not span space; export it again")
    turned = nib.apply_orientation(raw, turn)
    return turned.T, affine @ nib.orientations.inv_ornt_aff(turn, raw.shape)


def to_int16(
    raw: np.ndarray, slope: float, intercept: float, limits: InputLimits
) -> tuple[np.ndarray, int]:
    """raw * slope + intercept as int16 HU between floor and ceiling, slice by slice.

    Returns:
        (slices, rows, columns) C-contiguous int16, and how many values were not finite.
    """
    hu = np.empty(raw.shape, dtype=np.int16)
    whole = raw.dtype.kind in "iu" and slope == 1 and abs(intercept) < 2**15
    if whole and raw.dtype.itemsize <= 2 and float(intercept).is_integer():
        # what nearly every series holds: whole numbers need no rounding and cannot be lost
        for index, part in enumerate(raw):
            values = part.astype(np.int32) + np.int32(intercept)
            np.clip(values, limits.floor_hu, limits.ceiling_hu, out=values)
            hu[index] = values
        return hu, 0
    lost = 0
    for index, part in enumerate(raw):
        values = np.asarray(part, dtype=np.float32) * np.float32(slope) + np.float32(intercept)
        finite = np.isfinite(values)
        if not finite.all():
            lost += int(values.size - finite.sum())
            values = np.where(finite, values, limits.floor_hu)
        hu[index] = np.rint(np.clip(values, limits.floor_hu, limits.ceiling_hu))
    return hu, lost


def check_voxels(shape: tuple[int, ...], limits: InputLimits) -> None:
    """Refuse a scan that declares too many voxels or none, before its pixels are read.

    Raises:
        SetAside: with the numbers.
    """
    sides = [int(side) for side in shape]
    if min(sides) < 1 or math.prod(sides) > limits.max_voxels:
        raise SetAside(
            f"it declares {' x '.join(map(str, sides))} voxels where 1 to {limits.max_voxels} are "
            "allowed; export one series, or raise ingest.input.max_voxels"
        )


def check_slices(count: int, limits: InputLimits) -> None:
    """Refuse a scan of too few slices.

    Raises:
        SetAside: with the numbers.
    """
    if count < limits.min_slices:
        raise SetAside(
            f"it has {count} slice(s) where {limits.min_slices} are needed; export the whole axial "
            "series"
        )


def check_geometry(affine: np.ndarray, limits: InputLimits) -> None:
    """Refuse an affine (as `to_ras` gives it) that is sheared, not axial, or sparse.

    Raises:
        SetAside: with the numbers.
    """
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    unit = affine[:3, :3] / lengths
    skew = np.abs(unit.T @ unit - np.eye(3)).max()
    if skew > 1e-3:
        raise SetAside("its axes are not at right angles (sheared); export the DICOM series")
    angle = np.degrees(np.arccos(np.clip(abs(unit[2, 2]), 0, 1)))
    if angle > limits.max_tilt_degrees:
        raise SetAside(
            f"its slices stand {angle:.0f} degrees off the axial plane; export the axial series"
        )
    if lengths[2] > limits.max_spacing_mm:
        raise SetAside(
            f"its slices lie {lengths[2]:.1f} mm apart where at most {limits.max_spacing_mm:g} mm "
            "are of use; export the thin series"
        )


def check_hounsfield(hu: np.ndarray, limits: InputLimits) -> None:
    """Refuse images that are not in Hounsfield units.

    Args:
        hu: (slices, rows, columns) int16 HU.
        limits: floor and least share of tissue.

    Raises:
        SetAside: with what was found and the likely cause.
    """
    sample = hu[:, ::4, ::4]
    if sample.min() == sample.max():
        raise SetAside(f"every voxel is {sample.min()} HU; export it again")
    tissue = float(((sample > -150) & (sample < 250)).mean())
    air = float((sample < -600).mean())
    if air > 0.001 and tissue >= limits.tissue_fraction:
        return
    shifted = float(((sample > 1024 - 150) & (sample < 1024 + 250)).mean())
    if shifted >= limits.tissue_fraction and sample.min() >= 0:
        raise SetAside(
            "its values lie 1024 too high (stored values instead of HU); export it with the "
            "rescale intercept applied"
        )
    raise SetAside(
        f"its values are not HU: {100 * tissue:.1f}% look like tissue and {100 * air:.1f}% like "
        "air; export it in Hounsfield units"
    )
