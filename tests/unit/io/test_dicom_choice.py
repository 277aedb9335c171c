"""Which of the series and slices given are taken, and why others are set aside."""

import os
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from ctharmony.io.dicom import convert_series
from ctharmony.io.ingest import read_source
from ctharmony.io.scan import SetAside
from slice_positions import stack_at


@pytest.mark.parametrize(
    ("depths", "words"),
    [
        ([0, 3, 6, 12, 15, 18, 21, 24], "3.00 to 6.00 mm"),
        ([0, 3, 6, 7, 12, 15, 18, 21], "1.00 to 5.00 mm"),
    ],
)
def test_missing_or_mixed_slices_are_set_aside(
    tmp_path, write_dicom, patient, rule, limits, depths, words
):
    folder = write_dicom(tmp_path / "s", patient, positions=stack_at(depths))
    with pytest.raises(SetAside, match=words):
        convert_series(folder, "", rule, limits)


def test_one_slice_stored_twice_is_taken_once(tmp_path, write_dicom, patient, rule, limits):
    folder = write_dicom(tmp_path / "s", patient)
    copy = (folder / "2-003.dcm").read_bytes()
    (folder / "again.dcm").write_bytes(copy)
    scan = convert_series(folder, "", rule, limits)
    np.testing.assert_array_equal(scan.hu, patient)
    assert "1 slice(s) at a position already taken" in scan.notes[0]


def test_two_acquisitions_in_one_series_are_set_aside(tmp_path, write_dicom, patient, rule, limits):
    uid = pydicom.uid.generate_uid()
    write_dicom(tmp_path / "s" / "one", patient, SeriesInstanceUID=uid)
    write_dicom(tmp_path / "s" / "two", patient + 1, SeriesInstanceUID=uid)
    with pytest.raises(SetAside, match="twice"):
        convert_series(tmp_path / "s", "", rule, limits)


def test_the_rule_chooses_by_kernel_then_by_slices(tmp_path, write_dicom, patient, rule, limits):
    write_dicom(tmp_path / "a", patient[:6], SeriesNumber=3, ConvolutionKernel="B70f")
    write_dicom(tmp_path / "a", patient, SeriesNumber=4, ConvolutionKernel="B40f")
    assert convert_series(tmp_path / "a", "", rule, limits).tags["ConvolutionKernel"] == "B40f"
    sharp = replace(rule, kernels=("B70f",))
    assert convert_series(tmp_path / "a", "", sharp, limits).tags["ConvolutionKernel"] == "B70f"
    named = convert_series(tmp_path / "a", "3", rule, limits)
    assert named.hu.shape == (6, 64, 72)
    with pytest.raises(SetAside, match="`series`"):
        convert_series(tmp_path / "a", "9", rule, limits)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "not axial"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "not axial"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "not that of a picture"),
        ({"BurnedInAnnotation": "YES"}, "burned"),
        ({"Modality": "MR"}, "not CT"),
        ({"SliceThickness": 20}, "20 mm thick"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "secondary capture"),
        ({"SamplesPerPixel": 3}, "secondary capture"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "secondary capture"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67", "Modality": "SR"}, "not CT"),
        ({"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"]}, "reformat"),
        ({"ImageType": ["DERIVED", "PRIMARY", "MPR"]}, "reformat"),
    ],
)
def test_series_that_are_left_out_say_why(
    tmp_path, write_dicom, patient, rule, limits, tags, words
):
    with pytest.raises(SetAside, match=words):
        convert_series(write_dicom(tmp_path / "s", patient, **tags), "", rule, limits)


def test_truncated_and_foreign_files(tmp_path, write_dicom, patient, rule, limits):
    folder = write_dicom(tmp_path / "s", patient)
    (folder / "notes.txt").write_text("not DICOM")
    (folder / "random.dcm").write_bytes(np.random.default_rng(0).bytes(4000))
    np.testing.assert_array_equal(convert_series(folder, "", rule, limits).hu, patient)
    short = (folder / "2-004.dcm").read_bytes()[:-500]
    (folder / "2-004.dcm").write_bytes(short)
    with pytest.raises(SetAside, match="1 of its 8 DICOM files are truncated"):
        convert_series(folder, "", rule, limits)


def test_links_and_pipes_in_a_folder_lead_nowhere(tmp_path, write_dicom, patient, rule, limits):
    folder = write_dicom(tmp_path / "s", patient)
    (folder / "round").symlink_to(folder, target_is_directory=True)
    (folder / "gone.dcm").symlink_to(tmp_path / "gone")
    (folder / "endless.dcm").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.dcm")
    elsewhere = write_dicom(tmp_path / "elsewhere", patient, SeriesNumber=9)
    (folder / "other").symlink_to(elsewhere, target_is_directory=True)
    np.testing.assert_array_equal(convert_series(folder, "", rule, limits).hu, patient)
    with pytest.raises(SetAside, match="not there"):
        convert_series(folder, "9", rule, limits)
    os.mkfifo(tmp_path / "pipe.nii")
    with pytest.raises(SetAside, match="not there"):
        read_source(tmp_path / "pipe.nii", "", rule, limits)


def test_empty_folder_single_slice_and_giant_declarations(
    tmp_path, write_dicom, patient, rule, limits
):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SetAside, match="no DICOM image"):
        convert_series(tmp_path / "empty", "", rule, limits)
    one = write_dicom(tmp_path / "one", patient[:1])
    with pytest.raises(SetAside, match=r"1 slice\(s\) where 4"):
        convert_series(one / "2-000.dcm", "", rule, limits)
    giant = write_dicom(tmp_path / "giant", patient)
    for path in giant.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.Rows = dataset.Columns = 65535
        dataset.save_as(path)
    with pytest.raises(SetAside, match="are truncated"):
        convert_series(giant, "", rule, limits)


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_a_rescale_that_is_no_number_is_set_aside(
    tmp_path, write_dicom, patient, rule, limits, keyword
):
    folder = write_dicom(tmp_path / "s", patient)
    for path in folder.iterdir():
        path.write_bytes(_with_text(path, keyword, b"inf "))
    with pytest.raises(SetAside, match="rescale to HU is not a number"):
        convert_series(folder, "", rule, limits)


def _with_text(path, keyword, text) -> bytes:
    """The bytes of a file in which a tag's value is replaced, whatever it may hold."""
    data, tag = path.read_bytes(), pydicom.tag.Tag(keyword)
    start = data.index(tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little") + b"DS")
    length = int.from_bytes(data[start + 6 : start + 8], "little")
    head = data[: start + 6] + len(text).to_bytes(2, "little")
    return head + text + data[start + 8 + length :]
