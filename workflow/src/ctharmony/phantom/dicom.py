"""Virtual scans as DICOM CT series, in memory."""

import math
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from ctharmony.phantom.population import Factors
from ctharmony.phantom.scanner import Sampling, Scanner
from ctharmony.phantom.visit import Visit, grid_affine

STUDY_DATE, STUDY_TIME = "20260101", "120000"
INTERCEPT, LOWEST_HU, HIGHEST_HU = -1024, -1024, 3071


@dataclass(frozen=True)
class Series:
    """What the headers of a series say.

    Attributes:
        visit: ids; they also make the UIDs.
        factors: age and sex of the patient.
        scanner: the scanner.
        sampling: the grids.
    """

    visit: Visit
    factors: Factors
    scanner: Scanner
    sampling: Sampling


def series_datasets(volume: np.ndarray, series: Series) -> list[Dataset]:
    """One dataset per slice, from inferior to superior.

    Args:
        volume: (slices, rows, columns) HU in RAS order (x grows right, y anterior, z superior).
        series: headers.

    Returns:
        Datasets of CT Image Storage with file meta information, rows from anterior to posterior
        and columns from the patient's right to left, as scanners store them.
    """
    stored = np.clip(np.rint(volume), LOWEST_HU, HIGHEST_HU).astype(np.int16) - INTERCEPT
    stored = np.ascontiguousarray(stored[:, ::-1, ::-1].astype("<u2"))
    return [_slice(pixels, number, series) for number, pixels in enumerate(stored, start=1)]


def _slice(pixels: np.ndarray, number: int, series: Series) -> Dataset:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = CTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = _uid(series, "image", str(number))
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = CTImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID
    _describe_patient(data, series)
    _describe_study(data, series)
    _describe_scanner(data, series)
    _describe_geometry(data, number, series)
    _store_pixels(data, pixels)
    return data


def _describe_patient(data: Dataset, series: Series) -> None:
    data.SpecificCharacterSet = "ISO_IR 100"
    data.PatientName = f"{series.visit.subject}^virtual"
    data.PatientID = series.visit.subject
    data.PatientBirthDate = ""
    data.PatientSex = series.factors.sex
    data.PatientAge = f"{series.factors.age:03d}Y"
    data.PatientIdentityRemoved = "YES"
    data.DeidentificationMethod = "virtual patient"


def _describe_study(data: Dataset, series: Series) -> None:
    data.StudyInstanceUID = _uid(series, "study")
    data.SeriesInstanceUID = _uid(series, "series")
    data.FrameOfReferenceUID = _uid(series, "frame")
    data.PositionReferenceIndicator = ""
    for name in ("Study", "Series", "Acquisition", "Content"):
        setattr(data, f"{name}Date", STUDY_DATE)
        setattr(data, f"{name}Time", STUDY_TIME)
    data.StudyID, data.AccessionNumber, data.ReferringPhysicianName = "1", "", ""
    data.SeriesNumber, data.AcquisitionNumber = 1, 1
    data.StudyDescription = "virtual chest CT"
    data.SeriesDescription = f"chest {series.scanner.kernel_label}"
    data.ProtocolName = "virtual chest"
    data.BodyPartExamined = "CHEST"
    data.Modality = "CT"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]


def _describe_scanner(data: Dataset, series: Series) -> None:
    scanner = series.scanner
    data.Manufacturer = scanner.manufacturer
    data.ManufacturerModelName = scanner.model_name
    data.InstitutionName = series.visit.site
    data.StationName = series.visit.site[:16]
    data.SoftwareVersions = "ctharmony phantom"
    data.KVP = scanner.kvp
    data.Exposure = round(scanner.mas)
    data.ExposureTime = 500
    data.XRayTubeCurrent = round(scanner.mas / 0.5)
    data.CTDIvol = round(scanner.mas * scanner.ctdi_per_mas, 3)
    data.CTDIPhantomTypeCodeSequence = [_code("113691", "DCM", "IEC Body Dosimetry Phantom")]
    data.ConvolutionKernel = scanner.kernel_label
    data.FilterType = "BODY"
    data.FocalSpots = round(scanner.focal_blur_mm, 2)
    data.GantryDetectorTilt = _decimal(scanner.tilt_degrees)
    data.DataCollectionDiameter = round(series.sampling.field_of_view_mm, 3)
    data.ReconstructionDiameter = round(series.sampling.field_of_view_mm, 3)
    data.RotationDirection = "CW"


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _describe_geometry(data: Dataset, number: int, series: Series) -> None:
    sampling, tilt = series.sampling, series.scanner.tilt_degrees
    affine = grid_affine(sampling, tilt)
    # the first stored pixel is the front one on the patient's right; DICOM's axes are LPS
    corner = affine @ (sampling.matrix - 1, sampling.matrix - 1, number - 1, 1)
    down = -affine[:3, 1] / sampling.pixel_mm
    data.PatientPosition = "HFS"
    data.ImageOrientationPatient = [1, 0, 0, 0, _decimal(-down[1]), _decimal(down[2])]
    data.ImagePositionPatient = [_decimal(-corner[0]), _decimal(-corner[1]), _decimal(corner[2])]
    data.SliceLocation = _decimal(sampling.slice_positions_mm[number - 1])
    data.SliceThickness = _decimal(series.scanner.slice_thickness_mm)
    # along the normal, where the slices' positions move along the table
    data.SpacingBetweenSlices = _decimal(sampling.spacing_mm * math.cos(math.radians(tilt)))
    data.PixelSpacing = [_decimal(sampling.pixel_mm)] * 2
    data.InstanceNumber = number


def _store_pixels(data: Dataset, pixels: np.ndarray) -> None:
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = pixels.shape
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.PixelRepresentation = 0
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = INTERCEPT, 1, "HU"
    data.WindowCenter, data.WindowWidth = 40, 400
    data.PixelData = pixels.tobytes()


def _decimal(value: float) -> float:
    """What a decimal string of 16 characters can hold."""
    return round(float(value), 6) + 0.0


def _uid(series: Series, *kind: str) -> str:
    visit = series.visit
    names = [str(visit.seed), visit.subject, visit.site, visit.scan, *kind]
    return str(generate_uid(entropy_srcs=names))
