"""A scan from a NIfTI file, with the BIDS sidecar beside it if there is one."""

import json
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from ctharmony.io.scan import (
    InputLimits,
    Scan,
    SetAside,
    check_geometry,
    check_slices,
    check_voxels,
    to_int16,
    to_ras,
)

TRAILER_BYTES = 2**20  # what may follow the voxels and is read to reach the end

UNREADABLE = (
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    zlib.error,
)


def read_scan(path: Path, limits: InputLimits) -> Scan:
    """Read a NIfTI file.

    Args:
        path: .nii or .nii.gz; tags come from the .json of the same name.
        limits: what may come in.

    Returns:
        The scan in RAS+ and HU.

    Raises:
        SetAside: unreadable, truncated, not three-dimensional, without orientation, not axial,
            not finite.
    """
    image = _opened(path)
    shape = _shape(image, limits)
    affine, notes = _affine(image)
    stored, lost = _hounsfield(image, path, shape, limits)
    hu, turned = _turned(stored, affine, limits)
    if lost:
        raise SetAside(
            f"{lost} of its voxels are not numbers (NaN or infinite); write -1024 there if they "
            "are padding, else export it again"
        )
    return Scan(np.ascontiguousarray(hu), turned, _sidecar(path), tuple(notes))


def read_geometry(
    path: Path, limits: InputLimits
) -> tuple[tuple[int, ...], tuple[float, float, float], dict[str, Any]]:
    """What the header tells without the voxels: shape and spacing (slices, rows, columns), tags.

    Raises:
        SetAside: what `read_scan` would raise, as far as the header and the sidecar tell.
    """
    image = _opened(path)
    blank = np.broadcast_to(np.uint8(0), _shape(image, limits))
    volume, turned = _turned(blank, _affine(image)[0], limits)
    return volume.shape, Scan(volume, turned).spacing, _sidecar(path)


def _shape(image: nib.Nifti1Image, limits: InputLimits) -> tuple[int, ...]:
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise SetAside(f"it has {len(shape)} dimensions where a scan has three; export one volume")
    check_voxels(shape, limits)
    return shape


def _turned(
    data: np.ndarray, affine: np.ndarray, limits: InputLimits
) -> tuple[np.ndarray, np.ndarray]:
    volume, turned = to_ras(data, affine)
    check_slices(len(volume), limits)
    _check_slice_axis(affine, limits)
    check_geometry(turned, limits)
    return volume, turned


def _opened(path: Path) -> nib.Nifti1Image:
    try:
        image = nib.load(path)
    except UNREADABLE as error:
        raise SetAside("it cannot be read as NIfTI; export it again") from error
    if not isinstance(image, nib.Nifti1Image):
        raise SetAside("it is not NIfTI; export it as NIfTI or DICOM")
    return image


def _hounsfield(
    image: nib.Nifti1Image, path: Path, shape: tuple[int, ...], limits: InputLimits
) -> tuple[np.ndarray, int]:
    """(columns, rows, slices) int16 HU in the file's order, and how many were not finite."""
    stored = image.dataobj
    if stored.dtype.kind not in "iuf":
        raise SetAside("its voxels are not plain numbers (colour or complex); export it in HU")
    hu, lost = np.empty(shape[::-1], dtype=np.int16), 0
    size = stored.dtype.itemsize * shape[0] * shape[1]
    try:
        # slice by slice: as float64 a scan is four times as large as in HU
        with nib.openers.ImageOpener(path) as stream:
            stream.seek(stored.offset)
            for index in range(shape[2]):
                part = np.frombuffer(stream.read(size), dtype=stored.dtype)
                part = part.reshape(1, shape[1], shape[0])
                hu[index], bad = to_int16(part, stored.slope, stored.inter, limits)
                lost += bad
            # the checksum of a .gz stands behind its last byte
            stream.read(TRAILER_BYTES)
    except (*UNREADABLE, MemoryError) as error:
        raise SetAside("its image data are truncated or damaged; export it again") from error
    return hu.T, lost


def _affine(image: nib.Nifti1Image) -> tuple[np.ndarray, list[str]]:
    sform, sform_code = image.get_sform(coded=True)
    try:
        qform, qform_code = image.get_qform(coded=True)
    except UNREADABLE as error:
        raise SetAside("its qform is broken; export it again") from error
    if not sform_code and not qform_code:
        raise SetAside(
            "its header has neither sform nor qform, so left and right are unknown; convert it "
            "again from DICOM"
        )
    affine = np.asarray(sform if sform_code else qform, dtype=np.float64)
    if not sform_code or not qform_code:
        return affine, []
    if not np.allclose(sform[:3, :3], qform[:3, :3], atol=1e-2):
        raise SetAside(
            "its sform and qform disagree on size or direction of the axes; keep the right one and "
            "set the code of the other to 0"
        )
    if not np.allclose(sform[:3, 3], qform[:3, 3], atol=0.5):
        return affine, ["sform and qform disagree on the origin: the sform was taken"]
    return affine, []


def _check_slice_axis(affine: np.ndarray, limits: InputLimits) -> None:
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    slice_axis = int(lengths.argmax())
    unequal = lengths[slice_axis] > 1.5 * np.median(lengths)
    upright = abs(affine[2, slice_axis]) / lengths[slice_axis]
    if unequal and upright < np.cos(np.radians(limits.max_tilt_degrees)):
        raise SetAside("its thick slices are not axial; export the axial series")


def _sidecar(path: Path) -> dict[str, Any]:
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    beside = path.with_name(name + ".json")
    if not beside.is_file():
        return {}
    try:
        content = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SetAside("the .json sidecar beside it is not readable; mend or remove it") from error
    return content if isinstance(content, dict) else {}
