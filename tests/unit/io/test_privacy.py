"""Unique strings planted wherever an archive may name a patient; none may come out again."""

import json

import numpy as np
import pydicom
import pytest

from canaries import Canaries, everything_written, leaks, named_and_filled
from ctharmony.io.ingest import ingest_batch
from ctharmony.io.tables import read_table
from ctharmony.io.volumes import write_volume


@pytest.fixture
def canaries():
    return Canaries()


def dicom_row(tmp_path, write_dicom, patient, canaries) -> dict:
    folder = tmp_path / canaries.text() / canaries.text()
    write_dicom(folder, patient)
    series = named_and_filled(folder, canaries)
    return {
        "scan": "s1",
        "subject": "p1",
        "path": str(folder),
        "series": series,
        "notes": canaries.text(),
    }


def test_nothing_of_a_dicom_header_or_path_comes_out(
    tmp_path, write_dicom, patient, intake, canaries, caplog, capfd, recwarn
):
    row = dicom_row(tmp_path, write_dicom, patient, canaries)
    assert len(set(canaries.planted)) > 3000
    recwarn.clear()
    with caplog.at_level("DEBUG"):
        ingest_batch([row], intake(tmp_path / "out"))
    table = read_table(tmp_path / "out" / "scans.tsv")
    assert table["status"].tolist() == ["warned"]
    streams = capfd.readouterr()
    said = caplog.text + streams.out + streams.err + " ".join(str(w.message) for w in recwarn)
    written = everything_written(tmp_path / "out", said)
    assert leaks(written) == []
    sidecar = json.loads((tmp_path / "out" / "s1.json").read_text())
    assert set(sidecar) == {"Modality", "Notes", "SliceThickness"}


@pytest.mark.parametrize("fault", ["truncated", "coronal", "absent", "random"])
def test_nothing_comes_out_of_a_scan_that_is_set_aside(
    tmp_path, write_dicom, patient, intake, canaries, caplog, capfd, fault
):
    row = dicom_row(tmp_path, write_dicom, patient, canaries)
    folder = tmp_path / row["path"]
    for path in sorted(folder.iterdir()):
        if fault == "truncated":
            path.write_bytes(path.read_bytes()[:-900])
        elif fault == "coronal":
            dataset = pydicom.dcmread(path)
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
            dataset.save_as(path)
        elif fault == "random":
            path.write_bytes(canaries.text().encode() * 50)
        else:
            path.unlink()
    with caplog.at_level("DEBUG"):
        ingest_batch([row], intake(tmp_path / "out"))
    assert read_table(tmp_path / "out" / "scans.tsv")["status"].tolist() == ["set_aside"]
    streams = capfd.readouterr()
    written = everything_written(tmp_path / "out", caplog.text + streams.out + streams.err)
    assert leaks(written) == []


def test_burned_in_text_keeps_a_scan_out(tmp_path, write_dicom, patient, intake):
    flags = lambda index: "YES" if index == 5 else "NO"  # noqa: E731
    folder = write_dicom(tmp_path / "s", patient, BurnedInAnnotation=flags)
    row = {"scan": "s1", "subject": "p1", "path": str(folder)}
    ingest_batch([row], intake(tmp_path / "out"))
    table = read_table(tmp_path / "out" / "scans.tsv")
    assert "text burned into its pixels" in table["reason"][0]
    assert not (tmp_path / "out" / "s1.nii.gz").exists()


def test_nothing_of_a_nifti_header_or_sidecar_comes_out(
    tmp_path, patient, intake, canaries, caplog
):
    import nibabel as nib

    path = tmp_path / canaries.text() / f"{canaries.text()}.nii.gz"
    affine = np.diag([1.25, 1.5, 3, 1])
    write_volume(path, patient, affine)
    image = nib.load(path)
    image.header["descrip"] = canaries.text()
    image.header["intent_name"] = canaries.text()
    image.header["aux_file"] = canaries.text()
    image.header["db_name"] = canaries.text()
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", canaries.text().encode()))
    nib.save(nib.Nifti1Image(patient.T, image.affine, image.header), path)
    names = ("PatientName", "Manufacturer", "ConvolutionKernel", "KVP", "StudyDescription")
    sidecar = {name: canaries.text() for name in names} | {"Nested": {"a": [canaries.text()]}}
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(sidecar))
    with caplog.at_level("DEBUG"):
        ingest_batch([{"scan": "s1", "subject": "p1", "path": str(path)}], intake(tmp_path / "out"))
    assert read_table(tmp_path / "out" / "scans.tsv")["status"].tolist() == ["warned"]
    assert leaks(everything_written(tmp_path / "out", caplog.text)) == []
