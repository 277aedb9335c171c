"""Unique strings planted wherever an archive may name a patient; none may come out again."""

import json

import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from ctharmony.io.ingest import ingest_batch
from ctharmony.io.quiet import quiet
from ctharmony.io.tables import read_table
from ctharmony.io.volumes import write_volume

TEXTS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT")
GEOMETRY = {"ImageType", "PhotometricInterpretation", "Modality", "SpecificCharacterSet"}
SKIPPED = {"Modality", "SpecificCharacterSet", "PhotometricInterpretation", "BurnedInAnnotation"}
NESTED = ("ReferencedStudySequence", "RequestAttributesSequence", "OriginalAttributesSequence")


class Canaries:
    """Hands out strings that occur nowhere else, and remembers them."""

    def __init__(self):
        self.planted = []

    def text(self) -> str:
        self.planted.append(f"CNRY{len(self.planted):04d}")
        return self.planted[-1]

    def uid(self) -> str:
        self.planted.append(f"2.25.7319{len(self.planted):06d}7319")
        return self.planted[-1]

    def date(self) -> str:
        self.planted.append(f"19{(len(self.planted) % 30) + 11:02d}0917")
        return self.planted[-1]

    def time(self) -> str:
        self.planted.append(f"0719{len(self.planted) % 60:02d}.7319")
        return self.planted[-1]

    def value(self, vr: str) -> str | None:
        if vr in TEXTS:
            return self.text()
        makers = {"UI": self.uid, "DA": self.date, "TM": self.time, "DT": self.date}
        return makers[vr]() if vr in makers else None


def known_keywords() -> list[str]:
    """Every keyword of the DICOM dictionary that holds text, a date or a UID, repeats left out."""
    from pydicom._dicom_dict import DicomDictionary

    found = []
    for tag, (vr, _, _, retired, keyword) in DicomDictionary.items():
        group = tag >> 16
        if keyword and not retired and group > 0x0008 - 1 and group not in (0x0002, 0x7FE0):
            found += [keyword] if vr in (*TEXTS, "UI", "DA", "TM", "DT") else []
    return found


@quiet()
def plant(path, canaries) -> None:
    """Fill every such tag of a file that does not say what kind of picture it is."""
    dataset = pydicom.dcmread(path)
    for keyword in known_keywords():
        if keyword not in SKIPPED | {"SOPClassUID", "ImageType"}:
            setattr(dataset, keyword, canaries.value(dictionary_VR(keyword)))
    for keyword in NESTED:
        inner = Dataset()
        inner.StudyDescription, inner.ReferencedSOPInstanceUID = canaries.text(), canaries.uid()
        setattr(dataset, keyword, Sequence([inner]))
    for keyword in ("KVP", "Exposure", "XRayTubeCurrent", "TableHeight", "GantryDetectorTilt"):
        # not a number at all, which readers like to complain about with the value
        tag, text = pydicom.tag.Tag(keyword), canaries.text().encode()
        dataset._dict[tag] = pydicom.dataelem.RawDataElement(
            tag, dictionary_VR(keyword), len(text), text, 0, False, True
        )
    dataset.StationName = canaries.text() * 9  # too long for its kind
    block = dataset.private_block(0x0029, canaries.text(), create=True)
    block.add_new(0x01, "LO", canaries.text())
    block.add_new(0x02, "OB", canaries.text().encode())
    block.add_new(0x03, "UN", canaries.text().encode())
    dataset.file_meta.SourceApplicationEntityTitle = canaries.text()
    dataset.preamble = canaries.text().encode().ljust(128, b"\0")
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)


def everything_written(folder, log: str) -> bytes:
    """All bytes of the outputs, unpacked, with the log."""
    import gzip

    found = [log.encode()]
    for path in sorted(folder.rglob("*")):
        found.append(str(path.relative_to(folder)).encode())
        data = path.read_bytes()
        found.append(gzip.decompress(data) if path.suffix == ".gz" else data)
    return b"\n".join(found)


def leaks(written: bytes, canaries: Canaries) -> list[str]:
    return [word for word in canaries.planted if word.encode() in written]


@pytest.fixture
def canaries():
    return Canaries()


def dicom_row(tmp_path, write_dicom, patient, canaries) -> dict:
    folder = tmp_path / canaries.text() / canaries.text()
    write_dicom(folder, patient)
    for path in sorted(folder.iterdir()):
        plant(path, canaries)
        path.rename(path.with_name(f"{canaries.text()}.dcm"))
    series = pydicom.dcmread(next(folder.iterdir())).SeriesInstanceUID
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = series
        dataset.save_as(path)
    return {
        "scan": "s1",
        "subject": "p1",
        "path": str(folder),
        "series": str(series),
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
    assert leaks(written, canaries) == []
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
    assert leaks(written, canaries) == []


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
    assert leaks(everything_written(tmp_path / "out", caplog.text), canaries) == []
