"""Mutated files: every one ends as a scan or as one sentence, and nothing else is touched.

CTHARMONY_FUZZ sets how many files are tried of each kind (100 unless set).
"""

import contextlib
import gzip
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctharmony.io.ingest import read_source
from ctharmony.io.quiet import quiet
from ctharmony.io.scan import Scan, SetAside
from ctharmony.io.volumes import write_volume

TRIED = settings(
    max_examples=int(os.environ.get("CTHARMONY_FUZZ", "100")),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
LONGEST_S = 10.0
# where a byte is changed (mostly in the header), to what, and where the file is cut
CHANGES = st.lists(
    st.tuples(st.floats(0, 1).map(lambda share: share**4), st.integers(0, 255)),
    min_size=1,
    max_size=24,
)
CUT = st.one_of(st.just(1.0), st.floats(0, 1))


def mutated(data: bytes, changes, cut) -> bytes:
    changed = bytearray(data)
    for share, value in changes:
        changed[int(share * (len(changed) - 1))] = value
    return bytes(changed[: int(cut * len(changed))])


@quiet()
def outcome(path, rule, limits) -> None:
    """Read; anything but a scan or a sentence fails the test."""
    started = time.process_time()
    try:
        scan = read_source(path, "", rule, limits)
    except SetAside as error:
        assert len(str(error)) > 20
    else:
        assert isinstance(scan, Scan)
        assert scan.hu.dtype == np.int16
        assert scan.hu.size <= limits.max_voxels
        assert limits.floor_hu <= scan.hu.min() <= scan.hu.max() <= limits.ceiling_hu
        assert np.isfinite(scan.affine).all()
    assert time.process_time() - started < LONGEST_S


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
def test_mutated_dicom(series, rule, limits, changes, cut, which):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "s"
        shutil.copytree(series, folder)
        path = sorted(folder.iterdir())[which]
        path.write_bytes(mutated(path.read_bytes(), changes, cut))
        outcome(folder, rule, limits)
        assert len(list(folder.iterdir())) == 5


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
