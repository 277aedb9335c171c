"""Small scans of known content as DICOM and NIfTI, and the shipped settings of ingest."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import yaml
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from ctharmony.io.dicom_series import SeriesRule
from ctharmony.io.ingest import Intake
from ctharmony.io.scan import InputLimits
from ctharmony.io.sidecar import Vocabulary
from ctharmony.jobs.ingest import make_intake


@pytest.fixture(scope="session")
def settings(root) -> dict:
    """The block `ingest` of config/config.yaml."""
    return yaml.safe_load((root / "config" / "config.yaml").read_text())["ingest"]


@pytest.fixture(scope="session")
def limits(settings) -> InputLimits:
    return InputLimits(**settings["input"])


@pytest.fixture(scope="session")
def rule(settings) -> SeriesRule:
    return SeriesRule(**settings["selection"])


@pytest.fixture(scope="session")
def words(settings) -> Vocabulary:
    return Vocabulary(**settings["vocabulary"])


@pytest.fixture(scope="session")
def intake(settings) -> Callable[[Path], Intake]:
    """An Intake that writes to the given folder."""

    def make(folder: Path) -> Intake:
        names = ("alpine", "batch1", "reference")
        return make_intake(settings, names, folder, logging.getLogger("ctharmony"))

    return make


@pytest.fixture(scope="session")
def patient() -> np.ndarray:
    """(8, 64, 72) HU, RAS: a trunk with one lung (right), a spine (posterior), air around."""
    z, y, x = np.meshgrid(np.arange(8), np.arange(64) - 32, np.arange(72) - 36, indexing="ij")
    hu = np.where((x / 30) ** 2 + (y / 24) ** 2 < 1, 40.0, -1000.0)
    hu[((x - 13) / 14) ** 2 + (y / 18) ** 2 < 1] = -850
    hu[(x**2 + (y + 17) ** 2 < 20) & (z > 2)] = 700
    hu += np.random.default_rng(3).normal(scale=12, size=hu.shape)
    return np.rint(hu).clip(-1024).astype(np.int16)


def _slice(pixels: np.ndarray, position: np.ndarray, number: int, tags: dict) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.Modality, dataset.Manufacturer = "CT", "SIEMENS"
    dataset.ManufacturerModelName, dataset.ConvolutionKernel = "Sensation 16", "B30f"
    dataset.KVP, dataset.SliceThickness = 120, 3
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.PatientName, dataset.PatientID = "Nobody", "0"
    dataset.PatientPosition, dataset.StudyID = "HFS", "1"
    dataset.SeriesNumber, dataset.InstanceNumber = 2, number
    dataset.ImagePositionPatient = [f"{value:.6f}" for value in position]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [1.5, 1.25]
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
    stored = np.rint((pixels - intercept) / slope).astype(np.int16)
    dataset.PixelData = stored.tobytes()
    return dataset


@pytest.fixture
def write_dicom():
    """Write RAS slices as a DICOM series, one file a slice; returns the folder.

    positions (n, 3) and orientation are in DICOM's LPS; without them the series is axial, head
    first, 3 mm apart, pixels 1.25 mm (columns) by 1.5 mm (rows). Tags may be functions of the
    slice's index.
    """

    def write(folder, hu, positions=None, **tags) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        first = np.array([-40.0, -50.0, 100.0])
        if positions is None:
            positions = first + np.arange(len(hu))[:, None] * np.array([0, 0, 3.0])
        series = {"SeriesInstanceUID": generate_uid(), "StudyInstanceUID": generate_uid()}
        for index, picture in enumerate(hu):
            own = {k: v(index) if callable(v) else v for k, v in (series | tags).items()}
            # DICOM's first pixel is the patient's anterior right
            dataset = _slice(picture[::-1, ::-1], positions[index], index + 1, own)
            path = folder / f"{tags.get('SeriesNumber', 2)}-{index:03d}.dcm"
            pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        return folder

    return write
