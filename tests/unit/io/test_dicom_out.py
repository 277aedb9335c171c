"""Harmonized scans as DICOM: valid, anonymous, and the same voxels when read back."""

import shutil
import subprocess

import dcm2niix
import nibabel as nib
import numpy as np
import pydicom
import pytest

from ctharmony.io.dicom_out import DerivedSeries, write_series
from ctharmony.io.pseudonyms import remade_uid
from ctharmony.io.source_uids import hashed_uid, source_uids

AFFINE = np.array([[1.25, 0, 0, -45], [0, 1.5, 0, -30], [0, 0, 3, 70], [0, 0, 0, 1.0]])
SIDECAR = {
    "Manufacturer": "Siemens", "ManufacturersModelName": "Sensation 16",
    "ConvolutionKernel": "B70f", "KVP": 120.0, "SliceThickness": 3.0,
    "HarmonizationTarget": "alpine", "HarmonizationModel": "factorised",
    "ModelSHA256": "ab" * 32, "ConfigSHA256": "cd" * 32,
}  # fmt: skip
SETTINGS = {"dicom": True, "series_number": 9001, "manufacturer": "ctharmony"}
KEY = b"0123456789abcdef"


@pytest.fixture
def series(patient):
    """Headers of the harmonized patient."""
    row = {"scan": "a-1", "subject": "p-1", "sex": "F", "age": 93, "sha256": "ef" * 32}
    slices = [hashed_uid("slice", index) for index in range(len(patient))]
    uids = {"study": hashed_uid("study"), "frame": hashed_uid("frame"), "slices": slices}
    return DerivedSeries(row, SIDECAR, "lung", uids, SETTINGS)


@pytest.fixture
def written(patient, series, tmp_path):
    """The folder of the series."""
    write_series(tmp_path / "dicom", patient, AFFINE, series)
    return tmp_path / "dicom"


def test_dcm2niix_gives_back_the_same_voxels_at_the_same_place(written, patient, tmp_path):
    (tmp_path / "nifti").mkdir()
    command = [dcm2niix.bin, "-z", "n", "-b", "n", "-f", "scan", "-o", tmp_path / "nifti", written]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = (tmp_path / "nifti").glob("*.nii")
    image = nib.as_closest_canonical(nib.load(path))
    assert np.array_equal(np.asarray(image.dataobj).T, patient)
    assert np.allclose(image.affine, AFFINE, atol=1e-4)


def test_dciodvfy_finds_no_error(written):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian: dicom3tools)")
    for path in sorted(written.glob("*.dcm")):
        said = subprocess.run(["dciodvfy", path], capture_output=True, text=True)
        errors = [line for line in said.stderr.splitlines() if line.startswith("Error")]
        assert errors == []


def test_headers_say_what_was_done_and_by_what(written):
    dataset = pydicom.dcmread(sorted(written.glob("*.dcm"))[2])
    assert list(dataset.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
    assert (dataset.RescaleSlope, dataset.RescaleIntercept) == (1, 0)
    assert "harmonized to alpine" in dataset.DerivationDescription
    scanner, software = dataset.ContributingEquipmentSequence
    assert (scanner.ManufacturerModelName, software.ManufacturerModelName) == (
        "Sensation 16",
        "ctharmony",
    )
    algorithm = dataset.DerivationAlgorithmSequence[0]
    assert algorithm.AlgorithmName == "ctharmony factorised"
    assert "abababababab" in algorithm.AlgorithmVersion
    source = dataset.SourceImageSequence[0].ReferencedSOPInstanceUID
    assert source == hashed_uid("slice", 2)


def test_nothing_of_the_patient_is_left(written):
    seen = set()
    for path in written.glob("*.dcm"):
        dataset = pydicom.dcmread(path)
        assert not any(element.tag.is_private for element in dataset.iterall())
        assert not any(e.VR in ("DA", "DT", "TM") and e.value for e in dataset.iterall())
        assert (dataset.PatientAge, dataset.PatientIdentityRemoved) == ("090Y", "YES")
        seen.add(dataset.SOPInstanceUID)
    assert len(seen) == 8


def test_the_same_scan_gives_the_same_bytes_and_another_model_other_uids(
    written, patient, series, tmp_path
):
    write_series(tmp_path / "again", patient, AFFINE, series)
    for path in written.glob("*.dcm"):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    other = DerivedSeries(
        series.row, SIDECAR | {"ModelSHA256": "00" * 32}, "lung", series.source_uids, SETTINGS
    )
    assert other.uid("series") != series.uid("series")


def test_each_slice_refers_to_its_own_source_image(tmp_path, write_dicom, patient, rule, limits):
    folder = write_dicom(tmp_path / "source", patient, FrameOfReferenceUID="1.2.3.4")
    headers = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    affine = AFFINE.copy()
    affine[2, 3] = 100.0
    row = {"subject": "p-1", "path": str(folder)}
    grid, taken = (affine, len(patient)), (rule, limits)
    found = source_uids(row, grid, "ef" * 32, taken, KEY)
    assert found["slices"] == [remade_uid(header.SOPInstanceUID, KEY) for header in headers]
    assert found["study"] == remade_uid(headers[0].StudyInstanceUID, KEY)
    assert found["frame"] == remade_uid("1.2.3.4", KEY)
    unkeyed = source_uids(row, grid, "ef" * 32, taken, None)
    gone = source_uids(row | {"path": "gone"}, grid, "ef" * 32, taken, KEY)
    assert unkeyed == gone
    assert not set(unkeyed["slices"]) & set(found["slices"])
