"""Harmonized scans as derived DICOM CT series: CT Image Storage, one file a slice.

Nothing of the source's header passes but what de-identification let through: no name, no date, no
private tag, and UIDs only as they were re-made. The same scan gives the same bytes.
Source: DICOM PS3.3 sections A.3 (CT Image IOD), C.7.6.1 (general image: derivation and source
images), C.12.1.1.5 (contributing equipment), 10.16 (algorithm identification).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from ctharmony.io.derivatives import SHORT
from ctharmony.io.files import replaced
from ctharmony.io.sidecar import as_number, as_text
from ctharmony.io.source_uids import hashed_uid

LPS_FROM_RAS = np.array([-1.0, -1.0, 1.0])
CLOCKED = ("InstanceCreation", "Content", "Series")
OLDEST_YEARS = 90  # PS3.15 and most laws take ages above together


@dataclass(frozen=True)
class DerivedSeries:
    """What the headers of one derived series say.

    Attributes:
        row: the scan's row of scans.tsv (subject, sex, age, kvp, slice_thickness_mm, ...).
        sidecar: its harmonized sidecar: acquisition tags and provenance.
        study: name of the study: other studies get other UIDs.
        source_uids: re-made UIDs of the source: `study`, `frame`, and `slices`, one per slice
            from the lowest.
        settings: the config block `export`.
    """

    row: Mapping[str, Any]
    sidecar: Mapping[str, Any]
    study: str
    source_uids: Mapping[str, Any]
    settings: Mapping[str, Any]

    def uid(self, *parts: str) -> str:
        """A UID that only this series' own content and `parts` decide."""
        made_by = (self.sidecar["ModelSHA256"], self.sidecar["ConfigSHA256"])
        return hashed_uid(self.study, self.row["scan"], self.row["sha256"], *made_by, *parts)


def write_series(folder: Path, hu: np.ndarray, affine: np.ndarray, about: DerivedSeries) -> None:
    """Write one file per slice.

    Args:
        folder: to write to; hu: (slices, rows, columns) int16 HU, RAS.
        affine: (4, 4) voxel (column, row, slice) to RAS, mm.
        about: the headers.
    """
    # DICOM's first pixel is the patient's anterior right
    stored = np.ascontiguousarray(hu[:, ::-1, ::-1], dtype="<i2")
    corner = [hu.shape[2] - 1, hu.shape[1] - 1]
    for index, pixels in enumerate(stored):
        position = (affine @ [*corner, index, 1.0])[:3] * LPS_FROM_RAS
        dataset = HarmonizedSlice(pixels, position, index, about)
        dataset.place(affine)
        with replaced(folder / f"{index + 1:05d}.dcm") as path:
            dataset.save_as(path, enforce_file_format=True)


class HarmonizedSlice(hd.SOPClass):
    """One slice of a harmonized scan.

    Args:
        pixels: (rows, columns) int16 HU as DICOM orders them.
        position: (3,) LPS of the first pixel's centre, mm.
        index: of the slice, from 0 at the lowest.
        about: what all slices share.
    """

    def __init__(
        self, pixels: np.ndarray, position: np.ndarray, index: int, about: DerivedSeries
    ) -> None:
        row, settings = about.row, about.settings
        super().__init__(
            study_instance_uid=about.source_uids["study"],
            series_instance_uid=about.uid("series"),
            series_number=settings["series_number"],
            sop_instance_uid=about.uid("image", str(index)),
            sop_class_uid=CTImageStorage,
            instance_number=index + 1,
            modality="CT",
            manufacturer=settings["manufacturer"],
            manufacturer_model_name="ctharmony",
            software_versions=version("ctharmony"),
            transfer_syntax_uid=ExplicitVRLittleEndian,
            patient_id=str(row["subject"]),
            patient_name=f"{row['subject']}^",
            patient_sex=as_text(row.get("sex")) if row.get("sex") in ("F", "M", "O") else "",
            study_id="",
            series_description=f"harmonized to {about.sidecar['HarmonizationTarget']}"[:64],
            specific_character_set="ISO_IR 192",
        )
        # highdicom fills in now; the source's day is not ours to know
        for name in [f"{kind}{clock}" for kind in CLOCKED for clock in ("Date", "Time")]:
            self.pop(name, None)
        self.Laterality = ""
        self._pixels(pixels)
        self._acquisition(position, about)
        self._derivation(index, about)

    def place(self, affine: np.ndarray) -> None:
        """Spacing and orientation of the pixel grid from the volume's affine."""
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        directions = -(affine[:3, :2] / lengths[:2]) * LPS_FROM_RAS[:, None]
        self.PixelSpacing = _decimals([lengths[1], lengths[0]])
        self.ImageOrientationPatient = _decimals([*directions[:, 0], *directions[:, 1]])
        if not self.SliceThickness:
            self.SliceThickness = _decimals([lengths[2]])[0]

    def _pixels(self, pixels: np.ndarray) -> None:
        self.Rows, self.Columns = pixels.shape
        self.SamplesPerPixel, self.PhotometricInterpretation = 1, "MONOCHROME2"
        self.BitsAllocated = self.BitsStored = 16
        self.HighBit, self.PixelRepresentation = 15, 1
        self.RescaleSlope, self.RescaleIntercept, self.RescaleType = 1, 0, "HU"
        self.PixelData = pixels.tobytes()

    def _acquisition(self, position: np.ndarray, about: DerivedSeries) -> None:
        tags = about.sidecar
        self.FrameOfReferenceUID = about.source_uids["frame"]
        self.PositionReferenceIndicator = ""
        self.ImagePositionPatient = _decimals(position)
        self.PatientPosition = tags.get("PatientPosition", "HFS")
        self.AcquisitionNumber = None
        kvp, thickness = tags.get("KVP"), tags.get("SliceThickness")
        self.KVP = None if kvp is None else _decimals([kvp])[0]
        self.SliceThickness = None if thickness is None else _decimals([thickness])[0]
        self.PatientIdentityRemoved = "YES"
        self.DeidentificationMethod = "ctharmony: allowlist of acquisition tags, UIDs hashed"
        self.BurnedInAnnotation = "NO"
        age = as_number(about.row.get("age"))
        if age is not None and age == age:
            self.PatientAge = f"{min(round(age), OLDEST_YEARS):03d}Y"

    def _derivation(self, index: int, about: DerivedSeries) -> None:
        tags = about.sidecar
        self.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
        self.DerivationDescription = (
            f"Scanner, kernel and dose harmonized to {tags['HarmonizationTarget']} with ctharmony "
            f"{version('ctharmony')}, model {tags['HarmonizationModel']}; research only"
        )
        image = Dataset()
        image.ReferencedSOPClassUID = CTImageStorage
        image.ReferencedSOPInstanceUID = about.source_uids["slices"][index]
        purpose = codes.cid7202.SourceImageForImageProcessingOperation
        image.PurposeOfReferenceCodeSequence = [_code(purpose)]
        image.SpatialLocationsPreserved = "YES"
        self.SourceImageSequence = [image]
        self.ContributingEquipmentSequence = _equipment(about)
        # no CT attribute names an algorithm: the standard one of derived images is used
        self.DerivationAlgorithmSequence = hd.AlgorithmIdentificationSequence(
            name=f"ctharmony {tags['HarmonizationModel']}",
            family=codes.cid7162.ArtificialIntelligence,
            version=model_version(tags),
            source="ctharmony",
            parameters={"target": tags["HarmonizationTarget"], "config": tags["ConfigSHA256"]},
        )


def model_version(sidecar: Mapping[str, Any]) -> str:
    """Software version and short hash of the model."""
    return f"{version('ctharmony')}+{sidecar['ModelSHA256'][:SHORT]}"


def _equipment(about: DerivedSeries) -> list[Dataset]:
    tags = about.sidecar
    scanner = hd.ContributingEquipment(
        manufacturer=tags.get("Manufacturer", "unknown"),
        purpose_of_reference=codes.cid7005.AcquisitionEquipment,
        manufacturer_model_name=tags.get("ManufacturersModelName"),
        contribution_description=_kernel(tags),
    )
    software = hd.ContributingEquipment(
        manufacturer=about.settings["manufacturer"],
        purpose_of_reference=codes.cid7005.ProcessingEquipment,
        manufacturer_model_name="ctharmony",
        software_versions=model_version(tags),
        contribution_description=f"harmonization to {tags['HarmonizationTarget']}",
    )
    return [scanner, software]


def _kernel(tags: Mapping[str, Any]) -> str:
    return f"acquisition and reconstruction, kernel {tags.get('ConvolutionKernel', 'unknown')}"


def _code(concept: Any) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = concept.value, concept.scheme_designator
    code.CodeMeaning = concept.meaning
    return code


def _decimals(values: Sequence[float]) -> list[str]:
    return [format_number_as_ds(float(value)) for value in values]
