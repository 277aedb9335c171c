"""Virtual scans as DICOM: headers, dciodvfy, and the way through dcm2niix."""

import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from ctharmony.phantom.cohort import Study
from ctharmony.phantom.visit import grid_affine
from virtual_study import SMALL, make_study, pixels, scan_row


def test_dcm2niix_gives_the_grid_of_the_truth(travelled, tmp_path: Path) -> None:
    convert(travelled, tmp_path)
    image = nib.as_closest_canonical(nib.load(tmp_path / "scan.nii"))
    np.testing.assert_allclose(image.affine, travelled.affine, atol=1e-4)
    volume = np.asarray(image.dataobj).T
    np.testing.assert_array_equal(volume, pixels(travelled)[:, ::-1, ::-1] - 1024.0)
    body = travelled.clean > -300
    # the same pose: the scan follows the truth voxel by voxel
    assert np.corrcoef(volume[body], travelled.clean[body])[0, 1] > 0.95


def convert(scan, folder: Path) -> None:
    for number, data in enumerate(scan.datasets):
        data.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    program = shutil.which("dcm2niix", path=str(Path(sys.executable).parent)) or "dcm2niix"
    subprocess.run([program, "-z", "n", "-f", "scan", str(folder)], check=True, timeout=60)


def likeness(image: nib.Nifti1Image, truth: np.ndarray, affine: np.ndarray) -> float:
    """Correlation of an image with a volume (slices, rows, columns) at the same places, mm."""
    data = np.asarray(image.dataobj)
    world = image.affine @ np.vstack([np.indices(data.shape).reshape(3, -1), np.ones(data.size)])
    inner = np.all(np.abs(world[:3]) < [[110.0], [70.0], [18.0]], axis=0)
    places = (np.linalg.inv(affine) @ world[:, inner])[:3]
    shown = map_coordinates(truth.T.astype(float), places, order=1)
    return float(np.corrcoef(data.reshape(-1)[inner], shown)[0, 1])


@pytest.mark.parametrize("tilt", [12.0, -12.0])
def test_dcm2niix_places_a_tilted_scan_on_its_upright_truth(tilt, scanners, tmp_path) -> None:
    quiet = {**scanners["alpine"], "mas": 2000.0}
    described = {"site": "alpine", "role": "reference", "scanner": "alpine"}
    many = {**SMALL, "slices": 16, "slab_mm": 80.0}
    study = Study(described, {**quiet, "tilt_degrees": tilt}, quiet, many, 9)
    found = study.scan(scan_row("alpine", "travel-01"))
    convert(found, tmp_path)
    image = nib.as_closest_canonical(nib.load(tmp_path / "scan.nii"))
    untilted = nib.Nifti1Image(np.asarray(image.dataobj), found.affine)
    assert likeness(image, found.clean, found.affine) > 0.98
    assert likeness(untilted, found.clean, found.affine) < 0.95


def check_tilted(folder: Path, stored: np.ndarray, affine: np.ndarray, tilt: float) -> None:
    """dcm2niix straightens a tilted scan; every stored voxel must lie where it was measured.

    Only its straightened image counts: the affine of the other one has slices too close by the
    cosine of the tilt, whatever the headers say (dcm2niix, issue 697).
    """
    image = nib.as_closest_canonical(nib.load(folder / "scan_Tilt_1.nii"))
    turn = np.radians(tilt)
    normal = np.array([0.0, -np.sin(turn), np.cos(turn)]) * affine[2, 2] * np.cos(turn)
    np.testing.assert_allclose(image.affine[:3, :2], affine[:3, :2], atol=1e-4)
    np.testing.assert_allclose(image.affine[:3, 2], normal, atol=1e-4)
    indices = np.indices(stored.T.shape)[:, :, 3:-3].reshape(3, -1)
    places = np.linalg.inv(image.affine) @ affine @ np.vstack([indices, np.ones(indices.shape[1])])
    shown = map_coordinates(np.asarray(image.dataobj, float), places[:3], order=1, mode="nearest")
    kept = stored.T[tuple(indices)]
    assert np.corrcoef(shown, kept)[0, 1] > 0.99
    places[1] += 0.7
    moved = map_coordinates(np.asarray(image.dataobj, float), places[:3], order=1, mode="nearest")
    assert np.abs(shown - kept).mean() < 0.5 * np.abs(moved - kept).mean()


@pytest.mark.parametrize(
    "name",
    ["alpine", "harbour", "meadow", "summit", "ridge", "valley", "coast", "delta", "canyon",
     "mirror"],
)  # fmt: skip
def test_every_scanner_passes_dciodvfy_and_dcm2niix(name, scanners, tmp_path) -> None:
    assert len(scanners) == 10
    coarse = {**SMALL, "views": 60, "slices": 6, "slab_mm": 30.0, "object_slice_mm": 5.0}
    study = make_study(scanners, name, coarse)
    found = study.scan(scan_row(name, f"{name}-01"))
    convert(found, tmp_path)
    stored = pixels(found)[:, ::-1, ::-1] - 1024.0
    tilt = scanners[name]["tilt_degrees"]
    affine = grid_affine(study.sampling, tilt)
    if tilt:
        check_tilted(tmp_path, stored, affine, tilt)
    else:
        image = nib.as_closest_canonical(nib.load(tmp_path / "scan.nii"))
        np.testing.assert_allclose(image.affine, affine, atol=1e-4)
        np.testing.assert_array_equal(np.asarray(image.dataobj).T, stored)
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy of Debian's dicom3tools is not installed")
    assert complaints(tmp_path / "2.dcm") == []


def complaints(path: Path) -> list[str]:
    """Errors and warnings of dciodvfy about a file."""
    result = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, timeout=60)
    words = result.stdout + result.stderr
    assert "CTImage" in words
    return [line for line in words.splitlines() if line.startswith(("Error", "Warning"))]


def test_a_table_lies_under_the_patient(scanners: dict) -> None:
    shown = {}
    for table in (False, True):
        with_table = {**scanners["alpine"], "table": table, "shift_mm": 0, "rotation_degrees": 0}
        scan = make_study({"alpine": with_table}, "alpine").scan(scan_row("alpine", "alpine-01"))
        shown[table] = pixels(scan)[1].astype(float) - 1024.0
    change = np.abs(shown[True] - shown[False]).mean(axis=1)
    back = int(np.flatnonzero((shown[False] > -300).sum(axis=1) > 5)[-1])
    assert change[back + 2 : back + 8].max() > 100.0
    assert change[: back - 2].mean() < 20.0


def test_headers_say_who_and_how(scanners: dict, travelled) -> None:
    data = travelled.datasets[0]
    assert (data.PatientID, data.PatientSex) == ("travel-01", travelled.truth["sex"])
    assert data.PatientAge == f"{travelled.truth['age']:03d}Y"
    assert (data.KVP, data.ConvolutionKernel) == (120, scanners["summit"]["kernel_label"])
    assert float(data.SliceThickness) == scanners["summit"]["slice_thickness_mm"]
