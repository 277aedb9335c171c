"""Every way of storing the pixels gives the same scan."""

import zlib

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from ctharmony.io import dicom_headers
from ctharmony.io.dicom import convert_series
from ctharmony.io.scan import SetAside
from jpeg_lossless import encoded

SYNTAXES = {
    "implicit": uid.ImplicitVRLittleEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
    "big_endian": uid.ExplicitVRBigEndian,
    "rle": uid.RLELossless,
    "jpeg_ls": uid.JPEGLSLossless,
    "jpeg_ls_near": uid.JPEGLSNearLossless,
    "jpeg2000": uid.JPEG2000Lossless,
    "jpeg2000_lossy": uid.JPEG2000,
    "jpeg_lossless": uid.JPEGLosslessSV1,
}
LOSSY = {"jpeg_ls_near": {"jls_error": 2}, "jpeg2000_lossy": {"j2k_cr": [2]}}


def stored_as(path, syntax, **options):
    """Rewrite a file in another transfer syntax."""
    dataset = pydicom.dcmread(path)
    if syntax == uid.JPEGLosslessSV1:
        dataset.PixelData = encapsulate([encoded(dataset.pixel_array.view(np.uint16))])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path)
        return
    if syntax.is_encapsulated:
        dataset.compress(syntax, **options)
        dataset.save_as(path)
        return
    if syntax == uid.ExplicitVRBigEndian:
        dataset.PixelData = dataset.pixel_array.astype(">i2").tobytes()
        dataset["PixelData"].VR = "OW"
        dataset.file_meta.TransferSyntaxUID = syntax
        pydicom.dcmwrite(path, dataset, little_endian=False, implicit_vr=False)
        return
    dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(path, dataset, little_endian=True, implicit_vr=syntax.is_implicit_VR)


@pytest.mark.parametrize("name", SYNTAXES)
def test_the_same_scan_in_another_transfer_syntax(
    tmp_path, write_dicom, patient, rule, limits, name
):
    plain = convert_series(write_dicom(tmp_path / "plain", patient), "", rule, limits)
    folder = write_dicom(tmp_path / "other", patient)
    for path in folder.iterdir():
        stored_as(path, SYNTAXES[name], **LOSSY.get(name, {}))
    scan = convert_series(folder, "", rule, limits)
    np.testing.assert_allclose(scan.hu, plain.hu, atol=8 if name in LOSSY else 0)
    np.testing.assert_allclose(scan.affine, plain.affine, atol=1e-5)


@pytest.mark.parametrize("name", ["rle", "jpeg2000"])
def test_truncated_compressed_pixels_are_noticed(
    tmp_path, write_dicom, patient, rule, limits, name
):
    folder = write_dicom(tmp_path / "s", patient)
    for path in folder.iterdir():
        stored_as(path, SYNTAXES[name])
    short = folder / "2-005.dcm"
    short.write_bytes(short.read_bytes()[:-300])
    with pytest.raises(SetAside, match="1 of its 8 DICOM files are truncated"):
        convert_series(folder, "", rule, limits)


def shared_by_frames(gap) -> Dataset:
    """What all frames of an enhanced CT have in common."""
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [1.5, 1.25], gap
    plane.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([plane])
    transform = Dataset()
    transform.RescaleSlope, transform.RescaleIntercept = 1, -1024
    transform.RescaleType = "HU"
    shared.PixelValueTransformationSequence = Sequence([transform])
    return shared


def own_of_frame(number, height) -> Dataset:
    """Place of one frame of an enhanced CT."""
    frame, place, content = Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient = [-40.0, -50.0, height]
    content.DimensionIndexValues = [number + 1]
    content.InStackPositionNumber, content.StackID = number + 1, "1"
    frame.PlanePositionSequence = Sequence([place])
    frame.FrameContentSequence = Sequence([content])
    return frame


def multi_frame(hu, gap=3.0, absent=None) -> Dataset:
    """An enhanced CT: one file, frames on top of each other; `absent` leaves one frame out."""
    dataset = Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = uid.EnhancedCTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = uid.generate_uid()
    dataset.SOPClassUID = uid.EnhancedCTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid.generate_uid(), uid.generate_uid()
    dataset.Modality, dataset.Manufacturer = "CT", "SIEMENS"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.SeriesNumber, dataset.InstanceNumber = 2, 1
    dataset.Rows, dataset.Columns = hu.shape[1:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.SharedFunctionalGroupsSequence = Sequence([shared_by_frames(gap)])
    kept = [index for index in range(len(hu)) if index != absent]
    frames = [own_of_frame(number, 100 + gap * index) for number, index in enumerate(kept)]
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    dataset.NumberOfFrames = len(kept)
    stored = (hu[kept][:, ::-1, ::-1].astype(int) + 1024).astype(np.int16)
    dataset.PixelData = stored.tobytes()
    return dataset


def test_a_multi_frame_file_is_the_same_scan(tmp_path, write_dicom, patient, rule, limits):
    plain = convert_series(write_dicom(tmp_path / "plain", patient), "", rule, limits)
    path = tmp_path / "enhanced.dcm"
    pydicom.dcmwrite(path, multi_frame(patient), enforce_file_format=True)
    scan = convert_series(path, "", rule, limits)
    np.testing.assert_array_equal(scan.hu, plain.hu)
    np.testing.assert_allclose(scan.affine, plain.affine, atol=1e-4)


def test_a_multi_frame_file_that_lacks_a_frame_is_set_aside(tmp_path, patient, rule, limits):
    path = tmp_path / "enhanced.dcm"
    pydicom.dcmwrite(path, multi_frame(patient, absent=4), enforce_file_format=True)
    with pytest.raises(SetAside, match=r"3\.00 to 6\.00 mm"):
        convert_series(path, "", rule, limits)


def test_a_deflated_bomb_is_no_image(tmp_path, write_dicom, patient, rule, limits, monkeypatch):
    monkeypatch.setattr(dicom_headers, "LARGEST_DEFLATED", 2**20)
    folder = write_dicom(tmp_path / "s", patient[:1])
    path = folder / "2-000.dcm"
    stored_as(path, uid.DeflatedExplicitVRLittleEndian)
    assert dicom_headers.read_header(path) is not None
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    header = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(header + bytes(2**21)) + packer.flush()
    path.write_bytes(data[:start] + packed)
    assert len(packed) < 60_000
    with pytest.raises(SetAside, match="no DICOM image"):
        convert_series(folder, "", rule, limits)
