"""MLflow runs keyed by content; a dead server loses nothing and doubles nothing."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ctharmony import mlflow_ui, tracking
from ctharmony.io import records, surroundings
from ctharmony.io.tables import write_table
from fabricated_evaluation import METHODS
from fabricated_study import fabricate

CONFIG = {
    "study": "fabricated", "results": "/somewhere/private", "seed": 1, "target": "alpine",
    "ingest": {"input": {"min_slices": 4}}, "model": {"beta": 1.0}, "models": {"plain": {}},
}  # fmt: skip
JUDGED = "evaluation of plain"
EMBEDDED = tracking.TrackingSettings(True, None, 5, 1, True)
DEAD = tracking.TrackingSettings(True, "http://someone:secret@127.0.0.1:9", 2, 0, True)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    fabricate(folder, scans=1)
    (folder / "report.html").write_text("<p>whole</p>")
    write_table(folder / "sites.tsv", pd.DataFrame({"site": ["alpine"]}))
    return folder


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    tracking.open_store("fabricated", folder, EMBEDDED)
    return folder / "mlflow.db"


@pytest.fixture
def folder(empty_store, tmp_path):
    """A folder whose store exists already: MLflow needs seconds to make one."""
    shutil.copy(empty_store, tmp_path)
    return tmp_path


def told(results: Path, beta: float = 1.0) -> list[records.RunRecord]:
    report, sheets = str(results / "report.html"), [str(results / "sites.tsv")]
    parent = records.study_record("fabricated", CONFIG, report, sheets)
    places = [str(results / stage / "plain") for stage in ("models", "evaluation")]
    folders = records.ModelFolders(*places)
    child = records.model_record("plain", folders, folders.metrics(), {"beta": beta}, weights=True)
    judged = records.evaluation_record(child, folders, folders.metrics())
    child = records.replace(child, parent=parent.content, registered="fabricated-plain")
    return [parent, child, judged]


def runs_of(folder: Path) -> pd.DataFrame:
    with sqlite3.connect(folder / "mlflow.db") as connection:
        return pd.read_sql("select name, run_uuid, status, lifecycle_stage from runs", connection)


def values_of(folder: Path, table: str) -> pd.DataFrame:
    with sqlite3.connect(folder / "mlflow.db") as connection:
        return pd.read_sql(f"select * from {table}", connection)


def test_runs_hold_parameters_curves_metrics_and_artifacts(results, folder):
    outcome = tracking.track("fabricated", told(results), folder, EMBEDDED)
    assert outcome["delivered"] and outcome["waiting"] == 0
    parent, child, judged = (run["run"] for run in outcome["runs"])
    runs = runs_of(folder).set_index("run_uuid")
    assert runs.loc[parent, "name"] == "fabricated" and runs.loc[child, "name"] == "plain"
    assert set(runs["status"]) == {"FINISHED"}
    params = values_of(folder, "params").set_index(["run_uuid", "key"])["value"]
    assert params[parent, "ingest.input.min_slices"] == "4" and params[child, "beta"] == "1.0"
    assert len(params[parent, "sheet.sites.sha256"]) == 64
    metrics = values_of(folder, "metrics").query("run_uuid == @child")
    assert metrics.set_index("key").loc["paired_mae_hu.none.all", "value"] == METHODS["none"]
    curve = metrics[metrics["key"] == "train/reconstruction"].set_index("step")["value"]
    assert curve.to_dict() == pytest.approx({k: 90.0 / (1 + k) for k in range(5)})
    tags = values_of(folder, "tags").set_index(["run_uuid", "key"])["value"]
    assert tags[child, "mlflow.parentRunId"] == parent
    assert tags[judged, "mlflow.parentRunId"] == child
    assert runs.loc[judged, "name"] == JUDGED
    assert params[judged, "model.content"] == tags[child, "ctharmony.content"]
    kept = folder / "artifacts" / "fabricated"
    assert (kept / parent / "artifacts" / "report.html").read_text() == "<p>whole</p>"
    assert (kept / judged / "artifacts" / "tables" / "metrics.tsv").is_file()
    assert (kept / child / "artifacts" / "model" / "weights.safetensors").stat().st_size == 64


def test_same_content_again_adds_nothing(results, folder):
    first = tracking.track("fabricated", told(results), folder, EMBEDDED)
    counts = {name: len(values_of(folder, name)) for name in ("runs", "params", "metrics", "tags")}
    assert tracking.track("fabricated", told(results), folder, EMBEDDED) == first
    again = {name: len(values_of(folder, name)) for name in counts}
    assert again == counts


def test_a_run_cut_short_is_completed_without_doubled_points(results, folder):
    tracking.track("fabricated", told(results), folder, EMBEDDED)
    whole = values_of(folder, "metrics")
    with sqlite3.connect(folder / "mlflow.db") as connection:
        connection.execute("delete from tags where key = 'ctharmony.complete'")
        connection.execute("delete from metrics where step = 3")
    tracking.track("fabricated", told(results), folder, EMBEDDED)
    order = ["run_uuid", "key", "step"]
    mended = values_of(folder, "metrics").sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(mended, whole.sort_values(order, ignore_index=True))


def test_changed_content_is_a_new_run_and_the_old_one_is_no_longer_current(results, folder):
    before = tracking.track("fabricated", told(results), folder, EMBEDDED)["runs"]
    after = tracking.track("fabricated", told(results, beta=2.0), folder, EMBEDDED)["runs"]
    assert before[0]["run"] == after[0]["run"] and before[1]["run"] != after[1]["run"]
    tags = values_of(folder, "tags").query("key == 'ctharmony.current'")
    current = tags.set_index("run_uuid")["value"]
    assert current[before[1]["run"]] == "no" and current[after[1]["run"]] == "yes"
    assert current[after[0]["run"]] == "yes"


def test_models_are_registered_once_and_the_newest_is_the_champion(results, folder):
    first = tracking.track("fabricated", told(results), folder, EMBEDDED)["runs"][1]["run"]
    for beta in (2.0, 2.0):
        second = tracking.track("fabricated", told(results, beta), folder, EMBEDDED)["runs"][1]
    versions = values_of(folder, "model_versions").set_index("version")
    assert versions["run_id"].to_dict() == {1: first, 2: second["run"]}
    assert set(versions["name"]) == {"fabricated-plain"}
    aliases = values_of(folder, "registered_model_aliases")
    assert aliases[["alias", "version"]].to_numpy().tolist() == [["champion", 2]]


def test_sheets_are_inputs_of_the_study(results, folder):
    tracking.track("fabricated", told(results), folder, EMBEDDED)
    datasets = values_of(folder, "datasets")
    digest = records.file_hash(results / "sites.tsv")[:36]
    assert datasets[["name", "digest"]].to_numpy().tolist() == [["sites", digest]]


def test_onboarding_of_a_site_tells_its_own_metrics(results, tmp_path):
    (tmp_path / "site.json").write_text("{}")
    metrics = pd.DataFrame({"metric": ["js_nats"] * 2, "method": "none", "stage": "image",
                            "site": ["summit", "all"], "value": [0.1, 0.2]})  # fmt: skip
    told_of = records.site_record("plain", "summit", str(tmp_path), metrics)
    assert told_of.metrics == [("js_nats.none.summit", 0, 0.1)]
    assert told_of.artifacts == {"site/site.json": str(tmp_path / "site.json")}


def test_surroundings_name_packages_and_hardware():
    tags = surroundings.machine_tags()
    assert tags["package.torch"] and int(tags["hardware.cpus"]) >= 1
    assert not any("/" in value for key, value in tags.items() if key != "platform")


def test_dead_server_leaves_an_outbox_that_the_next_track_delivers_once(results, folder):
    for _ in range(2):
        outcome = tracking.track("fabricated", told(results), folder, DEAD)
        assert not outcome["delivered"] and outcome["waiting"] == 3
        assert "secret" not in json.dumps(outcome) and "someone" not in json.dumps(outcome)
    assert len(list((folder / "outbox").iterdir())) == 3
    newer = told(results, beta=2.0)
    assert tracking.track("fabricated", newer, folder, EMBEDDED)["delivered"]
    assert sorted(runs_of(folder)["name"]) == [*[JUDGED] * 2, "fabricated", "plain", "plain"]
    assert list((folder / "outbox").iterdir()) == []
    assert set(values_of(folder, "params").query("key == 'beta'")["value"]) == {"1.0", "2.0"}


def test_a_torn_outbox_entry_is_written_again(results, tmp_path):
    tracking.track("fabricated", told(results), tmp_path, DEAD)
    for path in (tmp_path / "outbox").glob("*/record.json"):
        path.unlink()
    assert records.outbox_records(tmp_path / "outbox") == []
    tracking.track("fabricated", told(results), tmp_path, DEAD)
    waiting = records.outbox_records(tmp_path / "outbox")
    assert [record.name for _, record in waiting] == ["fabricated", "plain", JUDGED]
    assert [record.content for _, record in waiting] == [r.content for r in told(results)]


def test_store_holds_no_path_user_or_host(results, tmp_path):
    tracking.track("fabricated", told(results), tmp_path, EMBEDDED)
    content = (tmp_path / "mlflow.db").read_bytes()
    for word in (str(tmp_path), str(results), str(Path.cwd()), str(Path.home()), "/somewhere"):
        assert word == "/" or word.encode() not in content, word
    assert not (Path.cwd() / "mlruns").exists()


def test_content_tells_files_and_settings_apart_but_not_folders(results, tmp_path):
    fabricate(tmp_path, scans=1)
    (tmp_path / "report.html").write_text("<p>whole</p>")
    (tmp_path / "sites.tsv").write_bytes((results / "sites.tsv").read_bytes())
    assert [r.content for r in told(tmp_path)] == [r.content for r in told(results)]
    (tmp_path / "report.html").write_text("<p>other</p>")
    assert told(tmp_path)[0].content != told(results)[0].content


def test_switched_off_writes_nothing(results, tmp_path):
    off = tracking.TrackingSettings(False, None, 5, 1, True)
    outcome = tracking.track("fabricated", told(results), tmp_path, off)
    assert not outcome["delivered"] and "switched off" in outcome["reason"]
    assert list(tmp_path.iterdir()) == []


def test_metrics_carry_their_stage_and_never_a_missing_value():
    frame = pd.DataFrame({
        "metric": ["a", "a", "b"], "method": "none", "stage": ["image", "features", "image"],
        "site": "all", "value": [1.0, 2.0, float("nan")]})  # fmt: skip
    assert records.metric_points(frame) == [("a.none.all", 0, 1.0), ("a.features.none.all", 0, 2.0)]


def test_flat_settings_are_short_enough_for_every_store():
    flat = records.flat({"b": {"c": 1, "a": None}, "long": ["x" * 100] * 9, "empty": {}})
    assert list(flat) == ["b.a", "b.c", "empty", "long"]
    assert flat["b.a"] == "null" and flat["empty"] == "{}"
    assert len(flat["long"]) <= records.LONGEST_PARAMETER and "sha256" in flat["long"]


def test_benchmarks_become_seconds_and_peak_memory(tmp_path):
    for batch, seconds, memory in (("b0000", 2.0, 100.0), ("b0001", 3.0, 250.0)):
        frame = pd.DataFrame({"s": [seconds], "max_rss": [memory]})
        write_table(tmp_path / "ingest" / "alpine" / f"{batch}.tsv", frame)
    tags = surroundings.benchmark_tags(tmp_path)
    assert tags == {"seconds.ingest": "5.0", "peak_mb.ingest": "250"}
    assert surroundings.benchmark_tags(tmp_path / "none") == {}


def test_ui_of_a_folder_without_store_says_what_to_do(tmp_path):
    with pytest.raises(SystemExit, match="run the workflow first"):
        mlflow_ui.serve(tmp_path, 5000)


def test_importing_tracking_does_not_import_mlflow():
    code = "import sys, ctharmony.tracking; print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
