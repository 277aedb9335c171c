"""Unique strings planted wherever an archive may name a patient, and the search for them."""

import base64
import gzip
import io
import re
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pydicom
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from ctharmony.io.quiet import quiet

TEXTS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT")
GEOMETRY = {"ImageType", "PhotometricInterpretation", "Modality", "SpecificCharacterSet"}
SKIPPED = {"Modality", "SpecificCharacterSet", "PhotometricInterpretation", "BurnedInAnnotation"}
NESTED = ("ReferencedStudySequence", "RequestAttributesSequence", "OriginalAttributesSequence")

# of texts, UIDs, times and dates; a date's digits may occur by chance in a fraction
MARKS = [
    re.compile(mark)
    for mark in (rb"CNRY", rb"2\.25\.7319\d{6}", rb"0719\d\d\.7319", rb"19[1-4]\d0917(?!\d)")
]


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
    """All bytes of the outputs and their names, unpacked, with the log."""
    found = [log.encode()]
    for path in sorted(folder.rglob("*")):
        found.append(str(path.relative_to(folder)).encode())
        if path.is_file():
            found += unpacked(path.read_bytes())
            if path.suffix == ".db":
                found.append(rows_of(path))
    return b"\n".join(found)


def unpacked(data: bytes) -> list[bytes]:
    """Bytes, and what is packed in them: gzip, members of a zip, pictures within a page."""
    found = [data]
    if data.startswith(b"\x1f\x8b"):
        found += unpacked(gzip.decompress(data))
    elif data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found += [part for name in archive.namelist() for part in unpacked(archive.read(name))]
    found += [base64.b64decode(text) for text in re.findall(rb"base64,([A-Za-z0-9+/]+=*)", data)]
    return found


def rows_of(path: Path) -> bytes:
    """Every row of an SQLite database: a long text may lie in pieces on its pages."""
    with closing(sqlite3.connect(path)) as store:
        return "\n".join(store.iterdump()).encode()


def leaks(written: bytes) -> list[bytes]:
    """Whatever looks like a canary in what was written, with what stands around it."""
    found = [match for mark in MARKS for match in mark.finditer(written)]
    return [written[max(0, hit.start() - 60) : hit.end() + 20] for hit in found]


def named_and_filled(folder: Path, canaries: Canaries) -> str:
    """Plant canaries in every file of a series and in its name; returns the series' new UID."""
    for path in sorted(folder.iterdir()):
        plant(path, canaries)
        path.rename(path.with_name(f"{canaries.text()}.dcm"))
    series = pydicom.dcmread(next(folder.iterdir())).SeriesInstanceUID
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = series
        dataset.save_as(path)
    return str(series)
