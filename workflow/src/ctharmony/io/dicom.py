"""A scan from DICOM: dcm2niix converts what is regular, slices are straightened where it is not."""

import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import dcm2niix
import nibabel as nib
import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ctharmony.io.dicom_headers import Header, acquisition_tags, is_bare, read_headers
from ctharmony.io.dicom_series import SeriesRule, Stack, choose, stacked
from ctharmony.io.nifti import UNREADABLE
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
from ctharmony.io.straighten import gaps, in_plane_drift, straightened

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


class Stored(NamedTuple):
    """Values (columns, rows, slices) as stored, their affine to RAS and their rescale to HU."""

    values: np.ndarray
    affine: np.ndarray
    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def of(cls, image: nib.Nifti1Image) -> "Stored":
        """The unscaled values of a NIfTI image."""
        data = image.dataobj
        return cls(np.asanyarray(data.get_unscaled()), image.affine, data.slope, data.inter)


def convert_series(path: Path, series: str, rule: SeriesRule, limits: InputLimits) -> Scan:
    """Read the scan that a DICOM file or folder holds.

    Args:
        path: a folder (searched with its subfolders) or one file.
        series: SeriesInstanceUID or SeriesNumber to take; empty lets the rule choose.
        rule: which series is taken.
        limits: what may come in.

    Returns:
        The scan in RAS+ and HU, its affine exact where no slice had to be moved.

    Raises:
        SetAside: nothing usable; the message says what is wrong and how to mend it.
    """
    headers = read_headers(_files(path))
    if not headers:
        raise SetAside("no DICOM image was found there; check `path` and the export")
    chosen = choose(headers, series, rule, limits)
    broken = sum(not header.whole for header in chosen)
    if broken:
        raise SetAside(f"{broken} of its {len(chosen)} DICOM files are truncated; copy them again")
    return _from_slices(chosen, limits)


def _from_slices(chosen: list[Header], limits: InputLimits) -> Scan:
    first = chosen[0]
    count = first.frames() if len(chosen) == 1 else len(chosen)
    check_voxels((first.integer("Columns", 0), first.integer("Rows", 0), count), limits)
    check_slices(count, limits)
    _check_rescale(chosen)
    stack = stacked(chosen)
    check_slices(len(stack.headers), limits)
    tags = acquisition_tags(stack.headers[0])
    steps = gaps(stack)
    uneven = float(np.abs(steps / np.median(steps) - 1).max())
    if uneven > limits.resample_tolerance:
        raise SetAside(
            f"its slice gaps run from {steps.min():.2f} to {steps.max():.2f} mm (slices are "
            "missing, or scans are mixed); export the series again, or raise "
            "ingest.input.resample_tolerance"
        )
    drift = in_plane_drift(stack)
    if uneven <= limits.spacing_tolerance and drift < 0.5 * stack.spacing.min():
        return _regular(stack, tags, limits)
    if first.frames() > 1:
        raise SetAside("its frames are tilted or uneven; export it as single-slice DICOM")
    volume, notes = straightened(_decoded(stack.headers, limits), stack)
    return _finished(Stored(*volume), (tags, (*stack.notes, *notes)), limits)


def _regular(stack: Stack, tags: dict, limits: InputLimits) -> Scan:
    """Straight, even slices: dcm2niix where it agrees with the headers, else decoded here."""
    affine = regular_affine(stack)
    about = (tags, stack.notes)
    if _one_rescale(stack.headers):
        with tempfile.TemporaryDirectory(prefix="ctharmony-") as folder:
            image = _run_dcm2niix(stack.headers, Path(folder), limits)
            if image is not None and _same_grid(image, affine):
                return _finished(Stored.of(image), about, limits)
    if stack.headers[0].frames() > 1:
        raise SetAside("its frames cannot be converted; export it as single-slice DICOM")
    return _finished(Stored(_decoded(stack.headers, limits).T, affine), about, limits)


def _check_rescale(headers: list[Header]) -> None:
    """Refuse a rescale that is given but is no number; one that is absent means 1 and 0."""
    for header in headers:
        for keyword in ("RescaleSlope", "RescaleIntercept"):
            if header.get(keyword) is not None and header.numbers(keyword, 1) is None:
                raise SetAside("its rescale to HU is not a number; export it again")


def _one_rescale(headers: tuple[Header, ...]) -> bool:
    return len({(str(h.get("RescaleSlope")), str(h.get("RescaleIntercept"))) for h in headers}) == 1


def _same_grid(image: nib.Nifti1Image, affine: np.ndarray) -> bool:
    blank = np.broadcast_to(np.uint8(0), image.shape)
    return np.allclose(to_ras(blank, image.affine)[1], to_ras(blank, affine)[1], atol=1e-2)


def _run_dcm2niix(
    headers: tuple[Header, ...], folder: Path, limits: InputLimits
) -> nib.Nifti1Image | None:
    """The one image of these files, or None where dcm2niix makes none, several or another size."""
    # numbered links: nothing of the original names reaches the converter or its messages
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    for index, path in enumerate(dict.fromkeys(header.path for header in headers)):
        (folder / "in" / f"{index:06d}.dcm").symlink_to(path.resolve())
    options = ["-z", "n", "-b", "n", "-m", "y", "-f", "scan"]
    command = [dcm2niix.bin, *options, "-o", str(folder / "out"), str(folder / "in")]
    try:
        subprocess.run(command, capture_output=True, timeout=limits.convert_timeout_s, check=False)
    except (subprocess.TimeoutExpired, OSError):
        return None
    images = sorted((folder / "out").glob("*.nii"))
    if len(images) != 1:
        return None
    try:
        image = nib.load(images[0])
    except UNREADABLE:
        return None
    expected = (headers[0].integer("Columns", 0), headers[0].integer("Rows", 0), len(headers))
    return image if tuple(image.shape) == expected else None


def _finished(stored: Stored, about: tuple[dict, tuple[str, ...]], limits: InputLimits) -> Scan:
    volume, turned = to_ras(stored.values, stored.affine)
    check_geometry(turned, limits)
    hu, lost = to_int16(volume, stored.slope, stored.intercept, limits)
    if lost:
        raise SetAside(f"{lost} of its voxels are not numbers; export it again")
    return Scan(hu, turned, *about)


def _decoded(headers: tuple[Header, ...], limits: InputLimits) -> np.ndarray:
    """(slices, rows, columns) float32 HU in the order given, each with its own rescale."""
    first = headers[0]
    shape = len(headers), first.integer("Rows", 0), first.integer("Columns", 0)
    hu = np.empty(shape, dtype=np.float32)
    for target, header in zip(hu, headers, strict=True):
        try:
            pixels = _pixels(header).astype(np.float32).reshape(target.shape)
        except Exception as error:
            raise SetAside(
                "a slice cannot be decoded (damaged, or a transfer syntax that is not supported); "
                "export it uncompressed"
            ) from error
        slope = header.numbers("RescaleSlope", 1)
        intercept = header.numbers("RescaleIntercept", 1)
        pixels = pixels * (1.0 if slope is None else slope[0])
        pixels += 0.0 if intercept is None else intercept[0]
        # padding must not bleed into neighbours when slices are moved
        np.clip(pixels, limits.floor_hu, limits.ceiling_hu, out=target)
    return hu


def _pixels(header: Header) -> np.ndarray:
    """The stored values of one file, (rows, columns); raises whatever a decoder finds wrong."""
    with open(header.path, "rb") as stream:
        bare = is_bare(stream)
    dataset = pydicom.dcmread(header.path, force=bare)
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit = dataset.original_encoding[0]
        plain = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = plain
    return dataset.pixel_array


def regular_affine(stack: Stack) -> np.ndarray:
    """(4, 4) voxel (column, row, slice) to RAS, mm, of evenly spaced, straight slices."""
    affine = np.eye(4)
    affine[:3, 0] = stack.row * stack.spacing[1]
    affine[:3, 1] = stack.column * stack.spacing[0]
    affine[:3, 2] = (stack.positions[-1] - stack.positions[0]) / (len(stack.positions) - 1)
    affine[:3, 3] = stack.positions[0]
    return LPS_TO_RAS @ affine


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(item for item in path.rglob("*") if item.is_file())
