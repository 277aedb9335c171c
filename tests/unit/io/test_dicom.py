"""DICOM series become volumes: values, geometry, what is mended on the way."""

import numpy as np
import pydicom
import pytest

from ctharmony.io import dicom
from ctharmony.io.dicom import convert_series
from ctharmony.io.dicom_headers import read_headers
from ctharmony.io.dicom_series import stacked
from slice_positions import FIRST, stack_at


def world_of(scan, z, y, x):
    return (scan.affine @ [x, y, z, 1])[:3]


def test_values_affine_and_tags_of_a_plain_series(tmp_path, write_dicom, patient, rule, limits):
    scan = convert_series(write_dicom(tmp_path / "s", patient), "", rule, limits)
    np.testing.assert_array_equal(scan.hu, patient)
    assert scan.hu.dtype == np.int16
    assert scan.hu.flags["C_CONTIGUOUS"]
    assert scan.spacing == pytest.approx((3, 1.5, 1.25))
    # the first stored pixel is (-40, -50, 100) in LPS: right, anterior, and the last in RAS order
    np.testing.assert_allclose(world_of(scan, 0, 63, 71), [40, 50, 100], atol=1e-4)
    np.testing.assert_allclose(world_of(scan, 7, 63, 71), [40, 50, 121], atol=1e-4)
    assert scan.tags["ConvolutionKernel"] == "B30f"
    assert scan.tags["KVP"] == 120
    assert scan.notes == ()


def test_dcm2niix_and_our_own_decoding_agree(tmp_path, write_dicom, patient, rule, limits):
    folder = write_dicom(tmp_path / "s", patient)
    scan = convert_series(folder, "", rule, limits)
    stack = stacked(read_headers(sorted(folder.iterdir())))
    stored = dicom.Stored(dicom._decoded(stack.headers, limits).T, dicom.regular_affine(stack))
    own = dicom._finished(stored, ({}, ()), limits)
    np.testing.assert_array_equal(own.hu, scan.hu)
    np.testing.assert_allclose(own.affine, scan.affine, atol=1e-4)


def test_a_regular_series_goes_through_dcm2niix(
    tmp_path, write_dicom, patient, rule, limits, monkeypatch
):
    monkeypatch.setattr(dicom, "_decoded", None)
    scan = convert_series(write_dicom(tmp_path / "s", patient), "", rule, limits)
    np.testing.assert_array_equal(scan.hu, patient)


def test_a_scanner_that_counts_from_the_head_gives_the_same_scan(
    tmp_path, write_dicom, patient, rule, limits
):
    upward = convert_series(write_dicom(tmp_path / "up", patient), "", rule, limits)
    positions = stack_at(3 * np.arange(8))[::-1]
    downward = write_dicom(tmp_path / "down", patient[::-1], positions=positions)
    scan = convert_series(downward, "", rule, limits)
    np.testing.assert_array_equal(scan.hu, upward.hu)
    np.testing.assert_allclose(scan.affine, upward.affine, atol=1e-5)


def test_prone_pictures_lie_the_right_way_round(tmp_path, write_dicom, patient, rule, limits):
    supine = convert_series(write_dicom(tmp_path / "supine", patient), "", rule, limits)
    # the picture turned by 180 degrees about z, and its axes named accordingly
    positions = stack_at(3 * np.arange(8)) + np.array([71 * 1.25, 63 * 1.5, 0])
    prone = write_dicom(
        tmp_path / "prone",
        patient[:, ::-1, ::-1],
        positions=positions,
        ImageOrientationPatient=[-1, 0, 0, 0, -1, 0],
        PatientPosition="HFP",
    )
    scan = convert_series(prone, "", rule, limits)
    np.testing.assert_array_equal(scan.hu, supine.hu)
    np.testing.assert_allclose(scan.affine, supine.affine, atol=1e-4)


def test_feet_first_pictures_lie_the_right_way_round(tmp_path, write_dicom, patient, rule, limits):
    head_first = convert_series(write_dicom(tmp_path / "hfs", patient), "", rule, limits)
    # the table moves the other way and the picture is seen from the feet: left and right swap
    positions = stack_at(3 * np.arange(8))[::-1] + np.array([71 * 1.25, 0, 0])
    feet_first = write_dicom(
        tmp_path / "ffs",
        patient[::-1, :, ::-1],
        positions=positions,
        ImageOrientationPatient=[-1, 0, 0, 0, 1, 0],
        PatientPosition="FFS",
    )
    scan = convert_series(feet_first, "", rule, limits)
    np.testing.assert_array_equal(scan.hu, head_first.hu)
    np.testing.assert_allclose(scan.affine, head_first.affine, atol=1e-4)
    assert scan.tags["PatientPosition"] == "FFS"


def test_overlapping_slices_keep_their_spacing(tmp_path, write_dicom, patient, rule, limits):
    positions = stack_at(2 * np.arange(8))
    folder = write_dicom(tmp_path / "s", patient, positions=positions, SliceThickness=5)
    scan = convert_series(folder, "", rule, limits)
    np.testing.assert_array_equal(scan.hu, patient)
    assert scan.spacing[0] == pytest.approx(2)
    assert scan.tags["SliceThickness"] == 5


def test_files_without_a_preamble_are_read(tmp_path, write_dicom, patient, rule, limits):
    folder = write_dicom(tmp_path / "s", patient)
    for path in folder.iterdir():
        content = path.read_bytes()
        assert content[128:132] == b"DICM"
        path.write_bytes(content[132:])
    np.testing.assert_array_equal(convert_series(folder, "", rule, limits).hu, patient)
    # as old archives hold them: no meta group either, implicit values
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path, force=True)
        del dataset.file_meta
        pydicom.dcmwrite(path, dataset, implicit_vr=True, little_endian=True)
        assert path.read_bytes()[128:132] != b"DICM"
    scan = convert_series(folder, "", rule, limits)
    np.testing.assert_array_equal(scan.hu, patient)
    assert scan.spacing == pytest.approx((3, 1.5, 1.25))


def test_rescale_that_changes_from_slice_to_slice(tmp_path, write_dicom, patient, rule, limits):
    folder = write_dicom(
        tmp_path / "s",
        patient,
        RescaleSlope=lambda k: 1 + (k % 2),
        RescaleIntercept=lambda k: -1024 - 2 * k,
    )
    scan = convert_series(folder, "", rule, limits)
    assert np.abs(scan.hu - patient.astype(int)).max() <= 1


def test_padding_and_extremes_go_to_floor_and_ceiling(tmp_path, write_dicom, patient, rule, limits):
    wild = patient.astype(int)
    wild[:, :3] = -2048
    wild[:, -3:] = -3024
    wild[:, :, :2] = -1500
    wild[:, 30, 30] = 9000
    folder = write_dicom(tmp_path / "s", wild, RescaleIntercept=-4096)
    scan = convert_series(folder, "", rule, limits)
    assert (scan.hu[:, :3] == -1024).all()
    assert (scan.hu[:, -3:] == -1024).all()
    assert (scan.hu[:, :, :2] == -1024).all()
    assert (scan.hu[:, 30, 30] == 3071).all()


def test_gantry_tilt_is_straightened(tmp_path, write_dicom, rule, limits):
    tilt = np.radians(15)
    row, column = np.array([1.0, 0, 0]), np.array([0, np.cos(tilt), np.sin(tilt)])
    positions = FIRST + np.arange(10)[:, None] * np.array([0, 0, 3.0])
    j, i = np.meshgrid(np.arange(64), np.arange(72), indexing="ij")
    pictures = []
    for place in positions:
        world = place + i[..., None] * 1.25 * row + j[..., None] * 1.5 * column
        picture = 5 * world[..., 1] + 2 * world[..., 2] + world[..., 0]
        pictures.append(np.rint(picture)[::-1, ::-1])
    folder = write_dicom(
        tmp_path / "s",
        np.array(pictures),
        positions=positions,
        ImageOrientationPatient=[*row, *column],
        RescaleIntercept=-2000,
    )
    scan = convert_series(folder, "", rule, limits)
    assert len(scan.notes) == 1
    assert "tilt of 15.0 degrees" in scan.notes[0]
    z, y, x = np.indices(scan.hu.shape)
    ras = np.stack([x, y, z, np.ones_like(x)], axis=-1) @ scan.affine.T
    expected = -5 * ras[..., 1] + 2 * ras[..., 2] - ras[..., 0]
    known = (scan.hu > scan.hu.min() + 1)[:, 12:-12, 5:-5]
    difference = (scan.hu - expected)[:, 12:-12, 5:-5][known]
    assert known.mean() > 0.8
    assert np.percentile(np.abs(difference), 99) < 2
    right_angles = scan.affine[:3, :3].T @ scan.affine[:3, :3]
    np.testing.assert_allclose(right_angles, np.diag(np.diag(right_angles)), atol=1e-6)


def test_slightly_uneven_slices_are_resampled(tmp_path, write_dicom, rule, limits):
    depths = np.array([0, 3, 6.4, 9, 12, 15.3, 18, 21.0])
    pictures = np.repeat((10 * depths)[:, None, None], 64, 1).repeat(72, 2)
    pictures += np.linspace(-500, 400, 72)
    folder = write_dicom(tmp_path / "s", pictures, positions=stack_at(depths))
    scan = convert_series(folder, "", rule, limits)
    assert "2.60 to 3.40 mm resampled to 3.00 mm" in scan.notes[0]
    heights = 10 * 3 * np.arange(8)
    ramp = np.linspace(-500, 400, 72)
    np.testing.assert_allclose(scan.hu[:, 20], heights[:, None] + ramp, atol=1.01)
