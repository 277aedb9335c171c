"""Whole virtual scans: repeatability, independence, truth, sheets and the way through dcm2niix."""

import copy
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.ndimage import map_coordinates

from ctharmony.phantom.cohort import Study, patient_factors
from ctharmony.phantom.sheets import make_sheet

FACTORS = (
    "age",
    "sex",
    "body_fat",
    "emphysema_fraction",
    "lung_density_hu",
    "bone_density",
    "coronary_calcium",
    "nodule_volume_mm3",
    "true_laa950_percent",
)
SMALL = {
    "scanners": "config/demo/scanners.yaml",
    "matrix": 96,
    "field_of_view_mm": 320.0,
    "slices": 4,
    "slab_mm": 20.0,
    "views": 120,
    "detector_pitch_mm": 1.6,
    "object_pixel_mm": 1.6,
    "object_slice_mm": 2.5,
    "contrast_mg_ml": 0.0,
    "population": {
        "seed": 5,
        "patients": {"train": 2, "validation": 1, "test": 1},
        "travelling_patients": 2,
        "age_mean": 60,
        "age_deviation": 10,
        "share_of_women": 0.5,
        "hole_mm": 2.5,
        "nodules": 1.5,
        "confounding": 0.5,
        "segments": {"alpine": [0.0, 0.5], "summit": [0.5, 1.0]},
    },
}


@pytest.fixture(scope="module")
def scanners(root: Path) -> dict:
    """The demo's scanners."""
    return yaml.safe_load((root / "config/demo/scanners.yaml").read_text())["scanners"]


def make_study(scanners: dict, site: str, settings: dict = SMALL, seed: int = 9) -> Study:
    described = {"site": site, "role": "reference", "scanner": site}
    return Study(described, scanners[site], scanners["alpine"], settings, seed)


def scan_row(site: str, subject: str) -> dict:
    return {"scan": f"{site}-{subject}", "subject": subject, "path": None, "split": "test"}


@pytest.fixture(scope="module")
def travelled(scanners: dict):
    """One travelling patient at the query site."""
    return make_study(scanners, "summit").scan(scan_row("summit", "travel-01"))


def pixels(scan) -> np.ndarray:
    return np.stack([data.pixel_array for data in scan.datasets])


def test_scans_repeat_exactly_whoever_else_is_scanned(scanners: dict, travelled) -> None:
    rows = [scan_row("summit", "summit-01"), scan_row("summit", "travel-01")]
    again = list(make_study(scanners, "summit").scans(rows))[1]
    np.testing.assert_array_equal(pixels(again), pixels(travelled))
    np.testing.assert_array_equal(again.target, travelled.target)
    assert again.truth == travelled.truth
    uids = [data.SOPInstanceUID for data in again.datasets]
    assert uids == [data.SOPInstanceUID for data in travelled.datasets]
    assert len(set(uids)) == len(uids)


def test_another_seed_gives_the_same_patient_and_another_scan(scanners: dict, travelled) -> None:
    other = make_study(scanners, "summit", seed=10).scan(scan_row("summit", "travel-01"))
    assert other.truth == travelled.truth | {
        "true_laa950_percent": other.truth["true_laa950_percent"]
    }
    assert not np.array_equal(pixels(other), pixels(travelled))


def test_travellers_are_the_same_everywhere_and_come_with_truth(scanners, travelled) -> None:
    elsewhere = make_study(scanners, "harbour").scan(scan_row("harbour", "travel-01"))
    own = make_study(scanners, "summit").scan(scan_row("summit", "summit-01"))
    same = ("age", "sex", "emphysema_fraction", "bone_density", "nodule_volume_mm3", "travelling")
    assert all(elsewhere.truth[name] == travelled.truth[name] for name in same)
    assert (own.target, own.clean, own.truth["travelling"]) == (None, None, 0)


def test_target_is_the_target_scanner_with_noise_of_its_own(scanners: dict) -> None:
    """At the target site, scan and target differ by noise only, and are independent."""
    found = make_study(scanners, "alpine").scan(scan_row("alpine", "travel-01"))
    scan = pixels(found)[:, ::-1, ::-1] - 1024.0
    body = found.clean > -300
    one, two = (scan - found.clean)[body], (found.target - found.clean)[body]
    assert abs(one.mean()) < 3.0
    assert abs(two.mean()) < 3.0
    assert one.std() == pytest.approx(two.std(), rel=0.05)
    assert abs(np.corrcoef(one - one.mean(), two - two.mean())[0, 1]) < 0.1


def test_dcm2niix_gives_the_grid_of_the_truth(travelled, tmp_path: Path) -> None:
    convert(travelled, tmp_path)
    image = nib.as_closest_canonical(nib.load(tmp_path / "scan.nii"))
    np.testing.assert_allclose(image.affine, travelled.affine, atol=1e-4)
    volume = np.asarray(image.dataobj).T
    np.testing.assert_array_equal(volume, pixels(travelled)[:, ::-1, ::-1] - 1024.0)
    body = travelled.clean > -300
    # the same pose: the scan follows the truth voxel by voxel
    assert np.corrcoef(volume[body], travelled.clean[body])[0, 1] > 0.95


def convert(scan, folder: Path) -> None:
    for number, data in enumerate(scan.datasets):
        data.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    program = shutil.which("dcm2niix", path=str(Path(sys.executable).parent)) or "dcm2niix"
    subprocess.run([program, "-z", "n", "-f", "scan", str(folder)], check=True, timeout=60)


def likeness(image: nib.Nifti1Image, truth: np.ndarray, affine: np.ndarray) -> float:
    """Correlation of an image with a volume (slices, rows, columns) at the same places, mm."""
    data = np.asarray(image.dataobj)
    world = image.affine @ np.vstack([np.indices(data.shape).reshape(3, -1), np.ones(data.size)])
    inner = np.all(np.abs(world[:3]) < [[110.0], [70.0], [18.0]], axis=0)
    places = (np.linalg.inv(affine) @ world[:, inner])[:3]
    shown = map_coordinates(truth.T.astype(float), places, order=1)
    return float(np.corrcoef(data.reshape(-1)[inner], shown)[0, 1])


@pytest.mark.parametrize("tilt", [12.0, -12.0])
def test_dcm2niix_places_a_tilted_scan_on_its_upright_truth(tilt, scanners, tmp_path) -> None:
    quiet = {**scanners["alpine"], "mas": 2000.0}
    described = {"site": "alpine", "role": "reference", "scanner": "alpine"}
    many = {**SMALL, "slices": 16, "slab_mm": 80.0}
    study = Study(described, {**quiet, "tilt_degrees": tilt}, quiet, many, 9)
    found = study.scan(scan_row("alpine", "travel-01"))
    convert(found, tmp_path)
    image = nib.as_closest_canonical(nib.load(tmp_path / "scan.nii"))
    untilted = nib.Nifti1Image(np.asarray(image.dataobj), found.affine)
    assert likeness(image, found.clean, found.affine) > 0.98
    assert likeness(untilted, found.clean, found.affine) < 0.95


def test_dciodvfy_finds_no_error(travelled, tmp_path: Path) -> None:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy of Debian's dicom3tools is not installed")
    path = tmp_path / "slice.dcm"
    travelled.datasets[2].save_as(path, enforce_file_format=True)
    result = subprocess.run([program, str(path)], capture_output=True, text=True, timeout=60)
    words = result.stdout + result.stderr
    assert "CTImage" in words
    assert not [line for line in words.splitlines() if line.startswith(("Error", "Warning"))]


def test_a_table_lies_under_the_patient(scanners: dict) -> None:
    shown = {}
    for table in (False, True):
        with_table = {**scanners["alpine"], "table": table, "shift_mm": 0, "rotation_degrees": 0}
        scan = make_study({"alpine": with_table}, "alpine").scan(scan_row("alpine", "alpine-01"))
        shown[table] = pixels(scan)[1].astype(float) - 1024.0
    change = np.abs(shown[True] - shown[False]).mean(axis=1)
    back = int(np.flatnonzero((shown[False] > -300).sum(axis=1) > 5)[-1])
    assert change[back + 2 : back + 8].max() > 100.0
    assert change[: back - 2].mean() < 20.0


def test_the_script_writes_what_the_chain_reads(root: Path, scanners: dict, tmp_path) -> None:
    rows = [scan_row("alpine", "alpine-01"), scan_row("alpine", "travel-01")]
    params = SimpleNamespace(
        rows=rows,
        site={"site": "alpine", "role": "reference", "scanner": "alpine"},
        scanner=scanners["alpine"],
        target_scanner=scanners["alpine"],
        settings=SMALL,
        seed=9,
    )
    job = SimpleNamespace(params=params, output=[str(tmp_path / "b")], log=[], threads=1)
    runpy.run_path(str(root / "workflow/scripts/simulate.py"), init_globals={"snakemake": job})
    truth = pd.read_csv(tmp_path / "b" / "truth.tsv", sep="\t")
    assert truth["scan"].tolist() == ["alpine-alpine-01", "alpine-travel-01"]
    assert truth["travelling"].tolist() == [0, 1]
    assert set(FACTORS) <= set(truth.columns)
    assert len(list((tmp_path / "b/dicom/alpine-alpine-01").glob("*.dcm"))) == SMALL["slices"]
    stored = {path.name for path in (tmp_path / "b/truth").iterdir()}
    assert stored == {"alpine-travel-01_target.nii.gz", "alpine-travel-01_clean.nii.gz"}
    image = nib.load(tmp_path / "b/truth/alpine-travel-01_clean.nii.gz")
    assert image.shape == (96, 96, 4)


def test_headers_say_who_and_how(scanners: dict, travelled) -> None:
    data = travelled.datasets[0]
    assert (data.PatientID, data.PatientSex) == ("travel-01", travelled.truth["sex"])
    assert data.PatientAge == f"{travelled.truth['age']:03d}Y"
    assert (data.KVP, data.ConvolutionKernel) == (120, scanners["summit"]["kernel_label"])
    assert float(data.SliceThickness) == scanners["summit"]["slice_thickness_mm"]


def test_sheets_of_the_demo_are_what_the_generator_writes(root: Path) -> None:
    config = yaml.safe_load((root / "config/config.yaml").read_text())
    sites = pd.read_csv(root / config["sites"], sep="\t")
    for site in sites.itertuples():
        written = pd.read_csv(root / site.manifest, sep="\t")
        made = make_sheet(site.site, site.role, config["simulation"]["population"])
        pd.testing.assert_frame_equal(written, made, check_dtype=False)


def test_a_manifest_that_contradicts_the_patient_is_refused() -> None:
    sheet = make_sheet("alpine", "reference", SMALL["population"])
    row = {name: str(value) for name, value in sheet.iloc[0].items()}
    assert patient_factors(row, "alpine", SMALL["population"]).age == int(row["age"])
    row["age"] = str(int(row["age"]) + 1)
    with pytest.raises(ValueError, match=r"alpine-01 the age .* write the sheet anew"):
        patient_factors(row, "alpine", SMALL["population"])


def test_more_patients_or_sites_change_no_other_patient() -> None:
    few, many = SMALL["population"], copy.deepcopy(SMALL["population"])
    many["patients"]["test"] += 3
    many["segments"]["delta"] = [0.2, 0.4]
    before = make_sheet("alpine", "reference", few).set_index("subject")
    after = make_sheet("alpine", "reference", many).set_index("subject")
    columns = ["age", "sex"]
    pd.testing.assert_frame_equal(before[columns], after.loc[before.index, columns])


def test_scanners_and_settings_keep_their_schemas(root: Path) -> None:
    schemas = root / "workflow/schemas"
    content = yaml.safe_load((root / "config/demo/scanners.yaml").read_text())
    schema = yaml.safe_load((schemas / "scanners.schema.yaml").read_text())
    jsonschema.validate(content, schema)
    jsonschema.validate(SMALL, yaml.safe_load((schemas / "simulation.schema.yaml").read_text()))
    assert len(content["scanners"]) >= 8
    sites = pd.read_csv(root / "config/demo/sites.tsv", sep="\t")
    assert len(set(content["scanners"]) - set(sites["scanner"])) >= 4


def test_wrong_scanner_settings_name_scanner_and_key(scanners: dict) -> None:
    wrong = {**scanners["alpine"], "kvpp": 120}
    with pytest.raises(ValueError, match="scanner 'alpine' has unknown keys kvpp"):
        make_study({"alpine": wrong}, "alpine")
    del wrong["kvpp"], wrong["mas"]
    with pytest.raises(ValueError, match="scanner 'alpine' lacks mas"):
        make_study({"alpine": wrong}, "alpine")
