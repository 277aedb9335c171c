"""Mutated files: every one ends as a scan or as one sentence, and nothing else is touched.

CTHARMONY_FUZZ sets how many files are tried in all (100 unless set; `make fuzz` tries 2,000).
"""

import contextlib
import gzip
import os
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.encaps import encapsulate

from ctharmony.io.discover import Taken, discover
from ctharmony.io.ingest import read_source
from ctharmony.io.quiet import quiet
from ctharmony.io.scan import Scan, SetAside
from ctharmony.io.volumes import write_volume
from jpeg_lossless import encoded
from mutations import ANYWHERE, CHANGES, CUT, bounded, mutated

KINDS = 6  # of fuzz tests below, which share the files out among them
TRIED = settings(
    max_examples=-(-int(os.environ.get("CTHARMONY_FUZZ", "100")) // KINDS),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

CODECS = {
    "rle": uid.RLELossless,
    "jpeg_ls": uid.JPEGLSLossless,
    "jpeg2000": uid.JPEG2000Lossless,
    "jpeg_lossless": uid.JPEGLosslessSV1,
}


@quiet()
def outcome(path, rule, limits) -> None:
    """Read; anything but a scan or a sentence fails the test."""
    with bounded():
        try:
            scan = read_source(path, "", rule, limits)
        except SetAside as error:
            assert len(str(error)) > 20
            return
    assert isinstance(scan, Scan)
    assert scan.hu.dtype == np.int16
    assert scan.hu.size <= limits.max_voxels
    assert limits.floor_hu <= scan.hu.min() <= scan.hu.max() <= limits.ceiling_hu
    assert np.isfinite(scan.affine).all()


def proposed(folder, rule, limits, words) -> None:
    """A folder of such files is searched without an error, each row with its outcome."""
    with bounded():
        table = discover(folder, "north", Taken(rule, limits, words))
    assert table["left_out"].notna().all()


@pytest.fixture(scope="module")
def nifti(tmp_path_factory, patient):
    path = tmp_path_factory.mktemp("seed") / "seed.nii"
    write_volume(path, patient, np.diag([1.25, 1.5, 3, 1]))
    return path.read_bytes()


@TRIED
@given(changes=CHANGES, cut=CUT, packed=st.booleans())
def test_mutated_nifti(nifti, rule, limits, changes, cut, packed):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / ("a.nii.gz" if packed else "a.nii")
        data = gzip.compress(nifti, 1) if packed else nifti
        path.write_bytes(mutated(data, changes, cut))
        outcome(path, rule, limits)
        assert [item.name for item in Path(name).iterdir()] == [path.name]


@pytest.fixture
def series(tmp_path, write_dicom, patient):
    return write_dicom(tmp_path / "seed", patient[:5, :24, :24])


@TRIED
@given(changes=CHANGES, cut=CUT, which=st.integers(0, 4))
def test_mutated_dicom(series, rule, limits, words, changes, cut, which):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "s"
        shutil.copytree(series, folder)
        path = sorted(folder.iterdir())[which]
        path.write_bytes(mutated(path.read_bytes(), changes, cut))
        outcome(folder, rule, limits)
        proposed(folder, rule, limits, words)
        assert len(list(folder.iterdir())) == 5


@pytest.fixture
def compressed(tmp_path, write_dicom, patient):
    """Codec -> folder of a series stored with it."""
    folders = {name: write_dicom(tmp_path / name, patient[:5, :40, :40]) for name in CODECS}
    for name, folder in folders.items():
        for path in folder.iterdir():
            compress(path, CODECS[name])
    return folders


@TRIED
@given(
    name=st.sampled_from(sorted(CODECS)),
    changes=ANYWHERE,
    cut=CUT,
    which=st.integers(0, 4),
    bare=st.booleans(),
)
def test_mutated_compressed_dicom(compressed, rule, limits, name, changes, cut, which, bare):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "s"
        shutil.copytree(compressed[name], folder)
        path = sorted(folder.iterdir())[which]
        content = mutated(path.read_bytes(), changes, cut)
        path.write_bytes(content[132:] if bare else content)
        outcome(folder, rule, limits)


def compress(path, syntax) -> None:
    dataset = pydicom.dcmread(path)
    if syntax == uid.JPEGLosslessSV1:
        dataset.PixelData = encapsulate([encoded(dataset.pixel_array.view(np.uint16))])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = syntax
    else:
        dataset.compress(syntax)
    # a rescale that differs keeps the converter out of it: our own decoders are meant
    dataset.RescaleIntercept = -1024 - int(path.stem[-1])
    dataset.save_as(path)


@TRIED
@given(changes=ANYWHERE, cut=CUT, ending=st.sampled_from(["zip", "tar", "tar.gz"]))
def test_mutated_archive(series, rule, limits, words, changes, cut, ending):
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / f"a.{ending}"
        if ending == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
                for item in sorted(series.iterdir()):
                    packed.write(item, item.name)
        else:
            with tarfile.open(path, "w:gz" if ending == "tar.gz" else "w") as packed:
                packed.add(series, "s")
        path.write_bytes(mutated(path.read_bytes(), changes, cut))
        outcome(path, rule, limits)
        proposed(Path(place), rule, limits, words)
        assert [item.name for item in Path(place).iterdir()] == [path.name]


@TRIED
@given(data=st.binary(max_size=600), head=st.sampled_from([b"", b"DICM", b"\x08\0\x05\0CS", b"PK"]))
def test_random_bytes(rule, limits, words, data, head):
    with tempfile.TemporaryDirectory() as place:
        content = (b"\0" * 128 + head if head == b"DICM" else head) + data
        for name in ("a.dcm", "a.nii", "a.nii.gz", "a.zip", "a.tar"):
            (Path(place) / name).write_bytes(content)
            outcome(Path(place) / name, rule, limits)
        proposed(Path(place), rule, limits, words)
        assert len(list(Path(place).iterdir())) == 5


VALUES = st.one_of(
    st.lists(st.floats(width=32).map(str), max_size=7),
    st.text(max_size=20),
    st.integers(-(2**31), 2**31 - 1).map(str),
    st.just(""),
)
KEYWORDS = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "RescaleSlope",
    "RescaleIntercept",
    "SliceThickness",
    "InstanceNumber",
    "KVP",
    "NumberOfFrames",
)


@TRIED
@given(keyword=st.sampled_from(KEYWORDS), value=VALUES, everywhere=st.booleans())
def test_absurd_header_values(series, rule, limits, keyword, value, everywhere):
    joined = "\\".join(value) if isinstance(value, list) else value
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "s"
        shutil.copytree(series, folder)
        for path in sorted(folder.iterdir())[: None if everywhere else 1]:
            dataset = pydicom.dcmread(path)
            vr = pydicom.datadict.dictionary_VR(keyword)
            element = pydicom.dataelem.RawDataElement(
                pydicom.tag.Tag(keyword),
                vr,
                len(joined.encode()),
                joined.encode(),
                0,
                False,
                True,
            )
            dataset._dict[element.tag] = element
            with quiet(), contextlib.suppress(Exception):  # pydicom may not write such a value
                dataset.save_as(path)
        outcome(folder, rule, limits)
