"""A trained model for notebooks, for MLflow, and fetched again by name and alias."""

import importlib.metadata
import json
import shutil
from dataclasses import replace

import mlflow
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml

import synthetic
from ctharmony import tracking, tracking_models
from ctharmony.harmonization import Harmonizer
from ctharmony.harmonization.harmonizer import Measured, ScanHarmonizer, SiteScanner
from ctharmony.io import records
from ctharmony.io.models import read_model
from ctharmony.io.packages import ABOUT, unpack, write_package
from ctharmony.io.seals import read_sealed_json, write_sealed_json
from ctharmony.io.volumes import write_volume
from packaged import CONFIG, measured, packaged_settings, train_tiny

SETTINGS = tracking.TrackingSettings(True, None, 5, 1, True)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny trained model's folder."""
    return train_tiny(tmp_path_factory.mktemp("model") / "models" / "factorised")


@pytest.fixture(scope="module")
def package(model):
    """The same in MLflow's form."""
    plain = model.parents[1] / "plain"
    write_package(plain, model, [], packaged_settings())
    folder = model.parents[1] / "packages" / "factorised"
    folder.parent.mkdir()
    tracking_models.save_model(plain, folder)
    return folder


@pytest.fixture(scope="module")
def scan():
    """A scan of the site south that trained nothing."""
    return synthetic.scan("south", 99, "test")


def test_a_notebook_harmonizes_as_the_workflow_does(model, package, scan):
    harmonizer = Harmonizer.load(package)
    assert (harmonizer.target, harmonizer.sites) == ("north", ["north", "south"])
    result = harmonizer(scan.hu, scan.spacing, "south", slice_thickness_mm=5.0)
    files = {site: model / "sites" / f"{site}.json" for site in ("north", "south")}
    sites = {site: SiteScanner.from_profile(read_sealed_json(path)) for site, path in files.items()}
    carrier = ScanHarmonizer(sites, "north", CONFIG["harmonization"], read_model(model).decode)
    hu = scan.hu.astype(np.float32)
    expected, _ = carrier.carry(hu, scan.spacing, "south", Measured(*measured(scan)))
    assert np.array_equal(result.hu, expected.hu)
    assert result.status == "ok"
    assert np.abs(result.change).mean() > 1


def test_a_scanner_never_seen_is_carried_by_physics_alone(package, scan):
    result = Harmonizer.load(package)(scan.hu, scan.spacing, None)
    assert "physics alone" in result.reason
    assert result.hu.shape == scan.hu.shape
    assert np.isfinite(result.hu).all()


def test_a_package_of_another_version_is_told_in_a_sentence(package, tmp_path):
    older = shutil.copytree(package, tmp_path / "older")
    about = next(older.rglob(ABOUT))
    content = read_sealed_json(about)
    del content["harmonization"]["transport"]["noise"]
    write_sealed_json(about, content)
    with pytest.raises(ValueError, match="another version of ctharmony: its settings lack 'noise'"):
        Harmonizer.load(older)


def test_what_a_notebook_gets_wrong_is_told(package, scan, tmp_path):
    harmonizer = Harmonizer.load(package)
    with pytest.raises(ValueError, match="site east is none of the model's"):
        harmonizer(scan.hu, scan.spacing, "east")
    with pytest.raises(ValueError, match="three dimensions"):
        harmonizer(scan.hu[0], scan.spacing, "south")
    with pytest.raises(ValueError, match="holds no harmonizer"):
        Harmonizer.load(tmp_path)


def test_pyfunc_predicts_on_a_file_offline(package, scan, tmp_path):
    place = tmp_path / "scan.nii.gz"
    write_volume(place, scan.hu, np.diag([1.1, 1.1, 5.0, 1.0]))
    (tmp_path / "broken.nii.gz").write_bytes(b"nothing")
    asked = pd.DataFrame({
        "path": [str(place), str(tmp_path / "broken.nii.gz")], "site": ["south", "south"],
        "output": [str(tmp_path / "out.nii.gz"), str(tmp_path / "none.nii.gz")]})  # fmt: skip
    told = mlflow.pyfunc.load_model(str(package)).predict(asked)
    assert told.status.tolist() == ["ok", "set_aside"]
    assert "broken.nii.gz" in told.reason[1]
    before, after = nib.load(place), nib.load(tmp_path / "out.nii.gz")
    assert after.shape == before.shape
    assert np.abs(np.asarray(after.dataobj) - np.asarray(before.dataobj)).mean() > 1
    assert not (tmp_path / "none.nii.gz").exists()


def test_the_model_says_what_it_takes_and_needs(package, root):
    written = (package / "MLmodel").read_text()
    assert str(root) not in written and "/tmp" not in written
    about = yaml.safe_load(written)
    inputs = {part["name"] for part in json.loads(about["signature"]["inputs"])}
    assert inputs == {"path", "site", "output"}
    pinned = dict(line.split("==") for line in (package / "requirements.txt").read_text().split())
    constraints = (root / "constraints.txt").read_text().lower().splitlines()
    assert all(f"{name}=={release}" in constraints for name, release in pinned.items())
    assert importlib.metadata.version("torch").startswith(pinned["torch"])
    assert (package / "code" / "ctharmony" / "harmonizer.py").is_file()
    assert not list(package.rglob("*.pkl"))


def test_the_same_model_is_packaged_in_the_same_bytes(model, package, tmp_path):
    write_package(tmp_path / "plain", model, [], packaged_settings())
    tracking_models.save_model(tmp_path / "plain", tmp_path / "again")
    for path in sorted(p for p in package.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        assert (tmp_path / "again" / path.relative_to(package)).read_bytes() == path.read_bytes()


@pytest.fixture(scope="module")
def registered(model, package):
    """The folder of an embedded store that holds the model, registered."""
    store = model.parents[1] / "mlflow"
    evaluation = model.parents[1] / "evaluation"
    evaluation.mkdir()
    report = model.parents[1] / "report.html"
    report.write_text("report")
    parent = records.study_record("tiny", {"seed": 1}, str(report), [])
    folders = records.ModelFolders(str(model), str(evaluation), str(package))
    child = records.model_record("factorised", folders, folders.metrics(), {"a": 1}, True)
    child = replace(child, parent=parent.content, registered="tiny-factorised")
    for _ in range(2):  # the second time nothing is new
        tracking.track("tiny", [parent, child], store, SETTINGS)
    return store


def test_a_study_takes_the_champion_from_the_registry(registered, model, tmp_path):
    store = registered
    address = "models:/tiny-factorised@champion"
    package = tracking_models.fetch_model(address, str(store), tmp_path)
    unpack(package, tmp_path / "models", ["north"])
    for name in ("weights.safetensors", "model_card.json", "sites/south.json", "history.tsv"):
        assert (tmp_path / "models" / name).read_bytes() == (model / name).read_bytes()


def test_faults_of_fetching_are_told(registered, package, tmp_path):
    store = registered
    with pytest.raises(ValueError, match="is not in the registry"):
        tracking_models.fetch_model("models:/other@champion", str(store), tmp_path)
    with pytest.raises(ValueError, match="is no ctharmony model"):
        tracking_models.fetch_model(str(tmp_path), None, tmp_path)
    inside = tracking_models.fetch_model(str(package), None, tmp_path)
    with pytest.raises(ValueError, match="not trained on the reference site east"):
        unpack(inside, tmp_path / "models", ["east"])
