"""De-identified sidecars: an allowlist of acquisition tags, text only from a vocabulary.

The list follows what the basic profile of DICOM PS3.15 annex E lets stay of the CT image module,
less all identifiers, dates, times, descriptions and free text. A word of the header passes only
if the study's vocabulary knows it, so a name typed into a tag does not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NUMBERS = {
    "KVP": "KVP",
    "XRayTubeCurrent": "XRayTubeCurrent",
    "XRayExposure": "Exposure",
    "ExposureTime": "ExposureTime",
    "SliceThickness": "SliceThickness",
    "SpacingBetweenSlices": "SpacingBetweenSlices",
    "ReconstructionDiameter": "ReconstructionDiameter",
    "DataCollectionDiameter": "DataCollectionDiameter",
    "GantryDetectorTilt": "GantryDetectorTilt",
    "TableHeight": "TableHeight",
    "SpiralPitchFactor": "SpiralPitchFactor",
    "SingleCollimationWidth": "SingleCollimationWidth",
    "TotalCollimationWidth": "TotalCollimationWidth",
    "CTDIvol": "CTDIvol",
}
WORDS = {
    "Manufacturer": ("Manufacturer", "manufacturers"),
    "ManufacturersModelName": ("ManufacturerModelName", "models"),
    "ConvolutionKernel": ("ConvolutionKernel", "kernels"),
}
CODES = {
    "Modality": ("Modality", {"CT"}),
    "PatientPosition": (
        "PatientPosition",
        {"HFS", "HFP", "FFS", "FFP", "HFDR", "HFDL", "FFDR", "FFDL"},
    ),
}
# column of the tables -> tag
ACQUISITION = {
    "manufacturer": "Manufacturer",
    "model_name": "ManufacturersModelName",
    "kernel": "ConvolutionKernel",
    "kvp": "KVP",
    "slice_thickness_mm": "SliceThickness",
}
MAKERS = {
    "ge": "GE",
    "siemens": "Siemens",
    "philips": "Philips",
    "toshiba": "Toshiba",
    "canon": "Canon",
    "hitachi": "Hitachi",
    "fujifilm": "Fujifilm",
    "uih": "United Imaging",
    "united": "United Imaging",
    "neusoft": "Neusoft",
}


@dataclass(frozen=True)
class Vocabulary:
    """Regular expressions (matched whole) of the words that may pass.

    Attributes:
        manufacturers, models, kernels: one list each; the config's block `ingest.vocabulary`.
    """

    manufacturers: tuple[str, ...]
    models: tuple[str, ...]
    kernels: tuple[str, ...]

    def known(self, kind: str, text: str) -> bool:
        """Whether `text` matches one expression of `kind` as a whole."""
        return any(re.fullmatch(pattern, text) for pattern in getattr(self, kind))


def deidentified(tags: Mapping[str, Any], words: Vocabulary) -> dict[str, Any]:
    """Keep the allowed tags (BIDS names) with allowed values; everything else is dropped.

    Args:
        tags: tags under their BIDS names, from DICOM or a BIDS sidecar.
        words: vocabulary of makers, models and kernels.

    Returns:
        Numbers as float, words as text; a maker under one name however it is written.
    """
    kept: dict[str, Any] = {}
    for name in NUMBERS:
        number = as_number(tags.get(name))
        if number is not None:
            kept[name] = number
    for name, (_, allowed) in CODES.items():
        if as_text(tags.get(name)) in allowed:
            kept[name] = as_text(tags[name])
    for name, (_, kind) in WORDS.items():
        text = as_text(tags.get(name))
        if text and words.known(kind, text):
            kept[name] = text
    if "Manufacturer" in kept:
        kept["Manufacturer"] = maker(kept["Manufacturer"])
    return kept


def withheld(tags: Mapping[str, Any], kept: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the acquisition words that the header has but the vocabulary does not know."""
    return tuple(name for name in WORDS if as_text(tags.get(name)) and name not in kept)


def maker(text: str) -> str:
    """One name per manufacturer: 'SIEMENS' and 'Siemens Healthineers' are both 'Siemens'."""
    first = re.split(r"[\s_\-]", text.strip().lower(), maxsplit=1)[0]
    return MAKERS.get(first, text.strip())


def as_number(value: Any) -> float | None:
    """A finite number, from text or the first of several; None for anything else."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < 1e9 else None


def as_text(value: Any) -> str:
    """Text of a tag; several values are joined by a backslash as in DICOM."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list | tuple) or hasattr(value, "__iter__"):
        return "\\".join(str(part).strip() for part in value)
    return str(value).strip()
