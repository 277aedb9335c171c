import numpy as np
import pytest

from ctharmony.io.sidecar import as_number, as_text, deidentified, maker, withheld

TAGS = {
    "Modality": "CT",
    "Manufacturer": "SIEMENS",
    "ManufacturersModelName": "SOMATOM Definition AS+",
    "ConvolutionKernel": ["I30f", "3"],
    "KVP": "120",
    "XRayTubeCurrent": 250,
    "PatientPosition": "HFS",
    "PatientName": "Doe^Jane",
    "SeriesDescription": "Thorax Dr Who",
    "AcquisitionDateTime": "20200102",
    "InstitutionName": "Clinic",
    "SeriesInstanceUID": "1.2.3",
    "ProtocolName": "Jane",
}


def test_only_the_allowed_tags_stay(words):
    assert deidentified(TAGS, words) == {
        "Modality": "CT",
        "Manufacturer": "Siemens",
        "ManufacturersModelName": "SOMATOM Definition AS+",
        "ConvolutionKernel": "I30f\\3",
        "KVP": 120.0,
        "XRayTubeCurrent": 250.0,
        "PatientPosition": "HFS",
    }


def test_words_outside_the_vocabulary_do_not_pass(words):
    odd = TAGS | {
        "ConvolutionKernel": "Jane Doe",
        "ManufacturersModelName": "Ward 7, 02.01.2020",
        "Manufacturer": "Doe",
        "KVP": "Jane",
        "PatientPosition": "JANE",
    }
    kept = deidentified(odd, words)
    assert set(kept) == {"Modality", "XRayTubeCurrent"}
    assert withheld(odd, kept) == ("Manufacturer", "ManufacturersModelName", "ConvolutionKernel")


@pytest.mark.parametrize(
    ("kernel", "model"),
    [
        ("B40f", "Sensation 10"),
        ("Br38f\\3", "Biograph40_mCT 4R"),
        ("STANDARD", "LightSpeed Plus"),
        ("STD+", "HiSpeed Dual"),
        ("BONEPLUS", "Revolution CT"),
        ("D", "Brilliance 16P"),
        ("YA", "iCT 256"),
        ("FC07", "Aquilion ONE"),
        ("11", "Supria"),
        ("B_SOFT_B", "uCT 760"),
        ("STANDARD", "LightSpeed VCT"),
        ("I26s\\3", "SOMATOM Force"),
    ],
)
def test_the_shipped_vocabulary_knows_real_scanners(words, kernel, model):
    assert words.known("kernels", kernel)
    assert words.known("models", model)


def test_one_maker_has_one_name():
    names = ["GE MEDICAL SYSTEMS", "SIEMENS", "Siemens Healthineers", "Philips", "TOSHIBA", "UIH"]
    expected = ["GE", "Siemens", "Siemens", "Philips", "Toshiba", "United Imaging"]
    assert [maker(name) for name in names] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("3.5", 3.5), (["2", "3"], 2.0), (None, None), ("x", None), (np.nan, None), ("1e400", None)],
)
def test_numbers_are_finite_or_absent(value, expected):
    assert as_number(value) == expected


def test_text_of_several_values():
    assert as_text(["a ", "b"]) == "a\\b"
    assert as_text(" a ") == "a"
    assert as_text(None) == ""
    assert as_text(11) == "11"
