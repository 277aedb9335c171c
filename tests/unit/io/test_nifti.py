import gzip
import json

import nibabel as nib
import numpy as np
import pytest

from ctharmony.io.nifti import read_scan
from ctharmony.io.scan import SetAside, check_hounsfield, to_int16

AFFINE = np.array([[1.25, 0, 0, -40], [0, 1.5, 0, -50], [0, 0, 3, 100], [0, 0, 0, 1.0]])


def save(path, hu, affine=AFFINE, dtype=np.int16, codes=(1, 1), image=nib.Nifti1Image):
    """hu (slices, rows, columns); returns the path."""
    written = image(np.asarray(hu, dtype=dtype).T, affine)
    written.set_sform(affine, code=codes[0])
    written.set_qform(affine, code=codes[1])
    nib.save(written, path)
    return path


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_values_and_affine_whatever_the_number_type(tmp_path, patient, limits, dtype):
    scan = read_scan(save(tmp_path / "a.nii.gz", patient, dtype=dtype), limits)
    np.testing.assert_array_equal(scan.hu, patient)
    assert scan.hu.dtype == np.int16
    np.testing.assert_allclose(scan.affine, AFFINE)
    assert scan.tags == {}


@pytest.mark.parametrize("kind", ["<i2", ">i2", "u2", "i1", "u1"])
@pytest.mark.parametrize("intercept", [0.0, -1024.0, 7.0])
def test_whole_numbers_become_hu_as_fractions_do(limits, kind, intercept):
    info = np.iinfo(kind)
    raw = np.random.default_rng(2).integers(info.min, info.max, (3, 16, 16), endpoint=True)
    fast, none = to_int16(raw.astype(kind), 1.0, intercept, limits)
    slow, lost = to_int16(raw.astype(np.float64), 1.0, intercept, limits)
    np.testing.assert_array_equal(fast, slow)
    assert none == lost == 0


def test_big_endian_and_scaled_storage(tmp_path, patient, limits):
    image = nib.Nifti1Image(patient.T, AFFINE, nib.Nifti1Header(endianness=">"))
    nib.save(image, tmp_path / "big.nii")
    np.testing.assert_array_equal(read_scan(tmp_path / "big.nii", limits).hu, patient)
    stored = nib.Nifti1Image(((patient.astype(int) + 1024) // 2).astype(np.uint16).T, AFFINE)
    stored.header.set_slope_inter(2, -1024)
    nib.save(stored, tmp_path / "scaled.nii")
    raw = nib.load(tmp_path / "scaled.nii")
    assert (raw.dataobj.slope, raw.dataobj.inter) == (2, -1024)
    assert np.abs(read_scan(tmp_path / "scaled.nii", limits).hu - patient.astype(int)).max() <= 1


@pytest.mark.parametrize("axes", ["LPS", "RAS", "LAS", "SRA", "ILP"])
def test_any_axis_order_ends_in_the_same_place(tmp_path, patient, limits, axes):
    image = nib.Nifti1Image(patient.T, AFFINE)
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(AFFINE), nib.orientations.axcodes2ornt(axes)
    )
    nib.save(image.as_reoriented(turn), tmp_path / "turned.nii.gz")
    scan = read_scan(tmp_path / "turned.nii.gz", limits)
    np.testing.assert_array_equal(scan.hu, patient)
    np.testing.assert_allclose(scan.affine, AFFINE, atol=1e-5)


def test_sidecar_beside_the_file_is_read(tmp_path, patient, limits):
    path = save(tmp_path / "sub-1_ct.nii.gz", patient)
    (tmp_path / "sub-1_ct.json").write_text(json.dumps({"KVP": 100, "ConvolutionKernel": "D"}))
    assert read_scan(path, limits).tags == {"KVP": 100, "ConvolutionKernel": "D"}
    (tmp_path / "sub-1_ct.json").write_text("{not json")
    with pytest.raises(SetAside, match="sidecar"):
        read_scan(path, limits)


def test_nifti2_and_a_fourth_axis_of_one(tmp_path, patient, limits):
    path = save(tmp_path / "two.nii", patient, image=nib.Nifti2Image)
    np.testing.assert_array_equal(read_scan(path, limits).hu, patient)
    nib.save(nib.Nifti1Image(patient.T[..., None], AFFINE), tmp_path / "four.nii")
    np.testing.assert_array_equal(read_scan(tmp_path / "four.nii", limits).hu, patient)


def test_sform_and_qform_that_disagree(tmp_path, patient, limits):
    image = nib.Nifti1Image(patient.T, AFFINE)
    mirrored = np.diag([-1.0, 1, 1, 1]) @ AFFINE
    image.set_sform(AFFINE, code=1)
    image.set_qform(mirrored, code=1)
    nib.save(image, tmp_path / "mirrored.nii")
    with pytest.raises(SetAside, match="sform and qform disagree on size or direction"):
        read_scan(tmp_path / "mirrored.nii", limits)
    moved = AFFINE.copy()
    moved[:3, 3] += 12
    image.set_qform(moved, code=1)
    nib.save(image, tmp_path / "moved.nii")
    scan = read_scan(tmp_path / "moved.nii", limits)
    assert "origin" in scan.notes[0]
    np.testing.assert_allclose(scan.affine, AFFINE)


def test_the_form_whose_code_is_set_is_taken(tmp_path, patient, limits):
    image = nib.Nifti1Image(patient.T, AFFINE)
    image.set_sform(np.diag([9.0, 9, 9, 1]), code=0)
    image.set_qform(AFFINE, code=1)
    nib.save(image, tmp_path / "q.nii")
    np.testing.assert_allclose(read_scan(tmp_path / "q.nii", limits).affine, AFFINE, atol=1e-4)
    with pytest.raises(SetAside, match="left and right are unknown"):
        read_scan(save(tmp_path / "none.nii", patient, codes=(0, 0)), limits)


def sheared():
    affine = AFFINE.copy()
    affine[1, 2] = 1.0
    return affine


@pytest.mark.parametrize(
    ("shape", "affine", "words"),
    [
        ((3, 8, 64, 72), AFFINE, "4 dimensions"),
        ((64, 72), AFFINE, "2 dimensions"),
        ((1, 64, 72), AFFINE, r"1 slice\(s\)"),
        ((8, 64, 72), sheared(), "sheared"),
        ((8, 64, 72), np.diag([1.0, 1, 30, 1]), "30.0 mm apart"),
        ((8, 64, 72), np.diag([0.0, 1, 3, 1]), "voxel size"),
        ((72, 64, 8), np.diag([5.0, 1, 1, 1]), "not axial"),
    ],
)
def test_geometry_that_cannot_be_used(tmp_path, limits, shape, affine, words):
    image = nib.Nifti1Image(np.zeros(shape[::-1], dtype=np.int16), np.eye(4))
    image.header.set_sform(affine, code=1)
    image.header["qform_code"] = 0
    image._affine = image.header.get_sform()
    nib.save(image, tmp_path / "a.nii")
    with pytest.raises(SetAside, match=words):
        read_scan(tmp_path / "a.nii", limits)


def test_not_a_number_truncated_random_and_giant(tmp_path, patient, limits):
    holed = patient.astype(np.float32)
    holed[2, 3, 4:7] = np.nan, np.inf, -np.inf
    with pytest.raises(SetAside, match="3 of its voxels are not numbers"):
        read_scan(save(tmp_path / "nan.nii", holed, dtype=np.float32), limits)
    whole = save(tmp_path / "whole.nii.gz", patient).read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SetAside, match="truncated"):
        read_scan(tmp_path / "cut.nii.gz", limits)
    (tmp_path / "noise.nii").write_bytes(np.random.default_rng(0).bytes(9999))
    with pytest.raises(SetAside, match="cannot be read"):
        read_scan(tmp_path / "noise.nii", limits)
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    with pytest.raises(SetAside):
        read_scan(tmp_path / "empty.nii.gz", limits)
    header = nib.Nifti1Header()
    header.set_data_shape((30000, 30000, 30000))
    header.set_sform(AFFINE, code=1)
    (tmp_path / "giant.nii").write_bytes(header.binaryblock + b"\0" * 1000)
    with pytest.raises(SetAside, match="declares 30000 x"):
        read_scan(tmp_path / "giant.nii", limits)


def test_a_flipped_bit_does_not_pass_for_an_image(tmp_path, patient, limits):
    content = bytearray(save(tmp_path / "whole.nii", patient).read_bytes())
    packed = bytearray(gzip.compress(content, compresslevel=0))  # stored: any bit may flip unseen
    packed[len(packed) // 2] ^= 16
    (tmp_path / "flipped.nii.gz").write_bytes(packed)
    with pytest.raises(SetAside, match="damaged"):
        read_scan(tmp_path / "flipped.nii.gz", limits)


def test_colour_is_not_a_scan(tmp_path, limits):
    colour = np.zeros((8, 8, 8), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colour, AFFINE), tmp_path / "rgb.nii")
    with pytest.raises(SetAside, match="colour"):
        read_scan(tmp_path / "rgb.nii", limits)


def test_gzip_that_unpacks_to_too_much_is_refused_by_its_header(tmp_path, limits):
    header = nib.Nifti1Header()
    header.set_data_shape((2000, 2000, 2000))
    header.set_sform(AFFINE, code=1)
    bomb = gzip.compress(header.binaryblock + b"\0" * 5_000_000)
    (tmp_path / "bomb.nii.gz").write_bytes(bomb)
    with pytest.raises(SetAside, match="declares 2000 x 2000 x 2000 voxels"):
        read_scan(tmp_path / "bomb.nii.gz", limits)


def test_values_that_are_not_hounsfield(patient, limits):
    check_hounsfield(patient, limits)
    with pytest.raises(SetAside, match="1024 too high"):
        check_hounsfield((patient + 1024).astype(np.int16), limits)
    with pytest.raises(SetAside, match="not HU"):
        check_hounsfield((patient.clip(0) // 16).astype(np.int16), limits)
    with pytest.raises(SetAside, match="every voxel"):
        check_hounsfield(np.full((8, 16, 16), -1024, dtype=np.int16), limits)
