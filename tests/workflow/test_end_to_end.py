"""The whole chain on a small simulated study, and what a rerun does and does not touch."""

import json
import shutil
import sqlite3
from types import SimpleNamespace

import pandas as pd
import pytest

from canaries import Canaries, everything_written, leaks, named_and_filled
from study import simulated_rows

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("small_study")]

METRIC_COLUMNS = [
    "metric",
    "method",
    "stage",
    "site",
    "value",
    "ci_low",
    "ci_high",
    "unit",
    "n",
]
METHODS = {"none", "histogram_matching", "band_energy", "physics_control", "ctharmony"}
AGGREGATES = {"survey", "package", "evaluate", "report", "track"}


def metrics_of(study) -> pd.DataFrame:
    return pd.read_csv(study.results / "evaluation" / "factorised" / "metrics.tsv", sep="\t")


def test_metrics_compare_all_methods(finished_study):
    metrics = metrics_of(finished_study)
    assert list(metrics.columns) == METRIC_COLUMNS
    paired = metrics[(metrics.metric == "paired_mae_hu") & (metrics.site == "all")]
    assert set(paired.method) >= METHODS
    assert paired.value.between(0, 500).all()
    assert (paired.n > 0).all()
    terms = set(metrics.metric)
    assert {"rate_nats", "distortion_nats", "mutual_information_nats_scanner"} <= terms


def test_every_scan_is_harmonized_on_its_own_grid(finished_study):
    import nibabel as nib

    pairs = 0
    for table in sorted(finished_study.results.glob("harmonized/factorised/*/*/harmonized.tsv")):
        site, batch = table.parts[-3:-1]
        for scan in pd.read_csv(table, sep="\t").query("status != 'set_aside'").scan:
            before = nib.load(finished_study.results / f"ingested/{site}/{batch}/{scan}.nii.gz")
            after = nib.load(table.parent / f"{scan}.nii.gz")
            assert after.shape == before.shape
            assert (after.affine == before.affine).all()
            assert after.get_data_dtype() == "int16"
            pairs += 1
    assert pairs == 12


def test_target_scans_come_out_unchanged(finished_study):
    (table,) = finished_study.results.glob("harmonized/factorised/alpine/*/harmonized.tsv")
    changes = pd.read_csv(table, sep="\t").max_absolute_change_hu
    assert len(changes) and (changes == 0).all()


def test_registration_raises_mutual_information(finished_study):
    tables = sorted(finished_study.results.glob("registered/*/*/registration.tsv"))
    rows = pd.concat([pd.read_csv(table, sep="\t") for table in tables])
    assert len(rows) == 12
    moved = rows[rows.status != "failed"]
    assert len(moved) >= 10
    assert (moved.mi_after_nats >= moved.mi_before_nats - 0.02).all()
    assert moved.mi_after_nats.mean() > moved.mi_before_nats.mean()


def test_report_stands_alone(finished_study):
    page = (finished_study.results / "report.html").read_text()
    assert "<html" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "summit" in page


def test_mlflow_holds_the_run(finished_study):
    tracked = json.loads((finished_study.results / "mlflow" / "tracked.json").read_text())
    assert tracked
    with sqlite3.connect(finished_study.results / "mlflow" / "mlflow.db") as store:
        runs = store.execute("select count(*) from runs").fetchone()[0]
        values = store.execute("select count(*) from metrics where key like 'paired_mae_hu%'")
        assert runs >= 1
        assert values.fetchone()[0] >= len(METHODS)


def test_second_run_has_nothing_to_do(finished_study):
    assert "Nothing to be done" in finished_study.finish()


def hospital_rows(archive, series, canaries) -> list[dict]:
    """A DICOM series and a broken file of an archive that names its patient wherever it can."""
    named = archive / canaries.text()
    shutil.copytree(series, named)
    uid = named_and_filled(named, canaries)
    broken = archive / f"{canaries.text()}.nii.gz"
    broken.write_bytes(b"not a scan" + canaries.text().encode())
    note = {"notes": canaries.text()}
    return [
        {"scan": "visitor-1", "subject": "visitor-1", "path": str(named), "series": uid, **note},
        {"scan": "visitor-2", "subject": "visitor-2", "path": str(broken), **note},
    ]


@pytest.fixture(scope="module")
def joined(finished_study, tmp_path_factory):
    """The study after two query sites joined in one run: meadow, and a hospital whose files are
    full of canaries. Beside it what was there before, what meadow alone plans, what the run said.
    """
    study, canaries, folder = finished_study, Canaries(), tmp_path_factory.mktemp("hospital")
    before = study.fingerprints()
    study.manifests["meadow"] = ("query", "meadow", simulated_rows("meadow", "query", study.config))
    study.write()
    planned = study.planned()
    key = folder / "key"
    key.write_text(canaries.text() * 4)
    study.environment = {"CTHARMONY_UID_KEY_FILE": str(key)}
    series = sorted((study.results / "simulated/summit/b0000/dicom").iterdir())[0]
    study.manifests["visitor"] = (
        "query", None, hospital_rows(folder / canaries.text(), series, canaries)
    )  # fmt: skip
    study.write()
    said = study.finish()
    study.environment = {}
    return SimpleNamespace(study=study, before=before, planned=planned, said=said)


def test_a_new_query_site_reruns_only_its_own_jobs(joined):
    own = {"simulate": 1, "ingest": 1, "register": 1, "adapt": 1, "baseline": 1, "harmonize": 1}
    expected = {**own, "features": 2, **dict.fromkeys(AGGREGATES, 1), "study": 1}
    assert joined.planned == expected
    after = joined.study.fingerprints()
    redone = tuple(f"benchmarks/{stage}/" for stage in AGGREGATES)
    aggregates = ("survey/", "evaluation/", "packages/", "report.html", "mlflow/", *redone)
    kept = {name: value for name, value in joined.before.items() if not name.startswith(aggregates)}
    assert {name: after.get(name) for name in kept} == kept
    assert "meadow" in set(metrics_of(joined.study).site)


def test_a_hospitals_scans_come_in_and_leave_no_trace_of_patients(joined):
    study = joined.study
    scans = pd.read_csv(
        study.results / "ingested/visitor/b0000/scans.tsv", sep="\t", index_col="scan"
    )
    assert scans.status.to_dict() == {"visitor-1": "warned", "visitor-2": "set_aside"}
    assert "site visitor, scan visitor-2: it cannot be read" in scans.reason["visitor-2"]
    assert "visitor-2" in (study.results / "report.html").read_text()
    assert (study.results / "harmonized/factorised/visitor/b0000/visitor-1.nii.gz").exists()
    sidecar = json.loads((study.results / "ingested/visitor/b0000/visitor-1.json").read_text())
    assert sidecar["StudyInstanceUID"].startswith("2.25.")
    for place in (study.results, study.folder / "logs", study.folder / ".snakemake"):
        assert leaks(everything_written(place, joined.said)) == []


def test_other_divergences_by_one_key(finished_study):
    study, names = finished_study, ("js", "wasserstein_gp", "sliced_wasserstein")
    models = ", ".join(f"{name}: {{invariance: {{divergence: {name}}}}}" for name in names)
    folders = [f"harmonized/{name}/summit/b0000" for name in names]
    targets = [f"{study.config['results']}/{folder}" for folder in folders]
    study.finish("--config", f"models={{{models}}}", "--", *targets)
    for name, folder in zip(names, folders, strict=True):
        history = pd.read_csv(study.results / "models" / name / "history.tsv", sep="\t")
        terms = {"invariance", f"invariance_{name}", "invariance_generator_gradient"}
        assert terms <= set(history.term)
        assert history.value.notna().all()
        assert list((study.results / folder).glob("*.nii.gz"))


def test_the_divergence_study_is_a_target_of_its_own(finished_study):
    planned = finished_study.planned("divergence_study")
    assert planned == {"demonstrate": 7, "divergence_study": 1}
    assert "demonstrate" not in finished_study.planned("--forceall")


def test_the_onboarding_study_trains_a_model_on_the_site_to_hold_against(finished_study):
    # sites of other tests may have joined by now; only virtual ones have a truth
    sites = finished_study.manifests.values()
    new = sum(role == "query" and scanner is not None for role, scanner, _ in sites)
    planned = finished_study.planned("onboarding_study")
    assert planned == {"train_with_site": new, "onboarding": new, "onboarding_study": 1}


def test_the_confounding_study_is_a_target_of_its_own(finished_study):
    sites = "confounding_study={sites: [alpine, harbour, summit]}"
    planned = finished_study.planned("confounding_study", "--config", sites)
    stages = {f"confounding_{stage}": 6 for stage in ("simulate", "ingest", "features")}
    assert planned == {**stages, "confounding": 4, "confounding_study": 1}
