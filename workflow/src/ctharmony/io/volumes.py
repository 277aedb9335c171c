"""Volumes on disk are NIfTI in RAS+; in memory they are (slices, rows, columns) float32 HU."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from ctharmony.io.files import replaced

FAULTS = (
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
    OSError,
    EOFError,
    ValueError,
    zlib.error,
)
GZIP_LEVEL = 1  # CT noise does not compress: level 6 is six times slower for 3% less


@dataclass(frozen=True)
class Volume:
    """A scan in memory.

    Attributes:
        hu: (slices, rows, columns) float32, C-contiguous, HU; axes grow superior, anterior, right.
        affine: (4, 4) voxel (column, row, slice) to world RAS, mm.
    """

    hu: np.ndarray
    affine: np.ndarray

    @property
    def spacing(self) -> tuple[float, float, float]:
        """(dz, dy, dx) in mm."""
        return spacing_of(self.affine)


def spacing_of(affine: np.ndarray) -> tuple[float, float, float]:
    """(dz, dy, dx) in mm of voxel axes (x, y, z)."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    return (float(lengths[2]), float(lengths[1]), float(lengths[0]))


def read_spacing(path: str | Path) -> tuple[float, float, float]:
    """(dz, dy, dx) in mm of a NIfTI in RAS+, from its header alone."""
    return spacing_of(nib.load(path).affine)


def read_volume(path: str | Path) -> Volume:
    """Read a three-dimensional NIfTI, reoriented to RAS+.

    Raises:
        ValueError: unreadable or not three-dimensional; the message names the file.
    """
    try:
        image = nib.as_closest_canonical(_load(path))
        data = np.asanyarray(image.dataobj)
    except FAULTS as error:
        raise ValueError(
            f"{path} cannot be read as NIfTI ({error}); export it again, or, where ctharmony "
            "wrote it, remove its folder and rerun"
        ) from error
    if data.ndim != 3:
        raise ValueError(f"{path} has {data.ndim} dimensions where a scan has three")
    # NIfTI is Fortran-ordered, so the transposed view is already C-contiguous
    return Volume(np.ascontiguousarray(data.T, dtype=np.float32), image.affine.astype(np.float64))


def _load(path: str | Path) -> nib.Nifti1Image:
    """nibabel stops reading before a .gz ends and so never sees its checksum; here it is checked.

    A flipped bit otherwise passes for an image.
    """
    if not str(path).endswith(".gz"):
        return nib.load(path)
    content = gzip.decompress(Path(path).read_bytes())
    second = int.from_bytes(content[:4], "little") == 540 or content[:4] == b"\x00\x00\x02\x1c"
    return (nib.Nifti2Image if second else nib.Nifti1Image).from_bytes(content)


def write_volume(
    path: str | Path, array: np.ndarray, affine: np.ndarray, dtype: type = np.int16
) -> None:
    """Write `array` (slices, rows, columns) as NIfTI; integers are rounded and clipped to range."""
    if np.issubdtype(dtype, np.integer) and array.dtype != dtype:
        limits = np.iinfo(dtype)
        array = np.clip(np.rint(array), limits.min, limits.max)
    _write(Path(path), nib.Nifti1Image(np.asarray(array, dtype=dtype).T, affine), affine)


def write_displacement(path: str | Path, vectors: np.ndarray, affine: np.ndarray) -> None:
    """Write a displacement (3, slices, rows, columns), RAS mm, as the vector NIfTI that ITK reads.

    ITK wants five dimensions and vectors in LPS.
    """
    lps = vectors * np.array([-1, -1, 1], dtype=np.float32).reshape(3, 1, 1, 1)
    image = nib.Nifti1Image(lps.transpose(3, 2, 1, 0)[:, :, :, None].astype(np.float32), affine)
    image.header.set_intent("vector")
    _write(Path(path), image, affine)


def read_displacement(path: str | Path) -> np.ndarray:
    """What `write_displacement` wrote: (3, slices, rows, columns) float32, RAS mm.

    Raises:
        ValueError: unreadable, or not a displacement; the message names the file.
    """
    try:
        data = np.asanyarray(_load(path).dataobj)
    except FAULTS as error:
        raise ValueError(f"{path} cannot be read ({error}); remove its folder and rerun") from error
    if data.ndim != 5 or data.shape[3:] != (1, 3):
        raise ValueError(f"{path} has the shape {data.shape}, which is no displacement's")
    lps = data[:, :, :, 0].transpose(3, 2, 1, 0)
    return lps * np.array([-1, -1, 1], dtype=np.float32).reshape(3, 1, 1, 1)


def _write(path: Path, image: nib.Nifti1Image, affine: np.ndarray) -> None:
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code="scanner")
    image.set_qform(affine, code="scanner")
    content = image.to_bytes()
    if str(path).endswith(".gz"):
        # a fixed modification time keeps equal content equal in bytes
        content = gzip.compress(content, compresslevel=GZIP_LEVEL, mtime=0)
    with replaced(path) as temporary:
        temporary.write_bytes(content)
