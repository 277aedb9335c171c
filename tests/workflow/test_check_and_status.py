"""`check` and `status` against the real Snakemake, on studies of empty files."""

import base64
from pathlib import Path

import pandas as pd
import pytest

from ctharmony.commands import main
from ctharmony.commands.estimates import Size, seconds_of
from ctharmony.commands.plan import short_reason
from ctharmony.commands.status import incomplete, progress, set_aside, why
from ctharmony.commands.study import open_study

pytestmark = pytest.mark.workflow


@pytest.fixture
def here(file_study, monkeypatch):
    """The study's folder as the working folder."""
    monkeypatch.chdir(file_study.folder)
    return file_study


def test_check_prints_the_plan(here, capsys):
    assert main(["check"]) == 0
    said = capsys.readouterr().out
    assert "alpha" in said and "reference (target)" in said
    assert "2 scans" in said and "2 sites" in said
    assert "ingest" in said and "harmonize" in said
    assert "GB in results" in said
    assert "All is well. Run: snakemake --cores all" in said
    assert not here.results.exists()


def test_check_tells_a_fault_in_one_sentence(here, capsys):
    here.config["target"] = "beta"
    here.write()
    assert main(["check"]) == 1
    complaint = capsys.readouterr().err
    assert "'beta', which is not a reference site" in complaint
    assert "Traceback" not in complaint


def test_check_finds_a_full_disk(here, capsys, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    assert main(["check"]) == 1
    assert "GB are needed; free some" in capsys.readouterr().err


def test_status_shows_done_set_aside_cut_short_and_to_do(here, capsys):
    folder = here.results / "ingested" / "beta" / "b0000"
    folder.mkdir(parents=True)
    reason = "site beta, scan beta-1: files are truncated; copy them again"
    table = pd.DataFrame([{"scan": "beta-1", "status": "set_aside", "reason": reason}])
    table.to_csv(folder / "scans.tsv", sep="\t", index=False)
    marks = here.folder / ".snakemake" / "incomplete"
    marks.mkdir(parents=True, exist_ok=True)
    begun = "results/ingested/alpha/b0000"
    (marks / base64.b64encode(begun.encode(), b"_-").decode()).touch()
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert reason in said
    assert begun in said.partition("Cut short")[2]
    row = next(line.split() for line in said.splitlines() if line.strip().startswith("ingest"))
    assert row[1:] == ["1", "1", "0", "2"]
    assert "Continue: snakemake --cores all" in said


def test_status_does_not_ask_for_a_second_run_beside_the_first(here, capsys, monkeypatch):
    monkeypatch.setattr("ctharmony.commands.status.runs_here", lambda folder: True)
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert "A run is at work in this folder" in said and "Continue" not in said


def test_incomplete_marks_and_reasons_are_read(tmp_path):
    assert incomplete(tmp_path) == []
    assert set_aside(tmp_path) == []
    assert why([]) == []
    told = "Params have changed since last execution: a; Input files updated by another job: b, c"
    assert short_reason(told) == "Params have changed since last execution"
    assert short_reason("Input files updated by another job: b") == "an earlier stage runs again"


def test_a_training_in_work_tells_its_epoch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = Path("results/lung")
    for rule, name in (("train", "factorised"), ("train_peer", "conditional_vae")):
        log = Path("logs/lung", rule, f"{name}.log")
        log.parent.mkdir(parents=True)
        log.write_text("INFO epoch 2 of 7, 3:10 left: loss 5 nats\n")
    for path in ("results/lung/models/factorised", "results/lung/peers/conditional_vae"):
        assert progress(path, results) == f"{path}: epoch 2 of 7, 3:10 left"
    for path in ("results/lung/models/other", "results/lung/ingested/a/b0000"):
        assert progress(path, results) == path


def test_models_and_peers_are_expected_to_take_their_own_steps(here):
    here.config["models"] = {
        "short": {"training": {"steps": 100}},
        "long": {"training": {"steps": 500}},
    }
    here.config["harmonization"]["peers"]["steps"] = 300
    here.write()
    expected = seconds_of(open_study(None), {"train": 2, "train_peer": 2}, Size(2, 60.0))
    assert expected["train"] == expected["train_peer"] > 600 * 0.5


def test_own_benchmarks_win_over_typical_figures(here):
    study = open_study(None)
    size = Size(2, 60.0)
    typical = seconds_of(study, {"ingest": 2, "train": 1}, size)
    assert typical["train"] > typical["ingest"] > 10
    folder = here.results / "benchmarks" / "ingest" / "alpha"
    folder.mkdir(parents=True)
    pd.DataFrame({"s": [7.0]}).to_csv(folder / "b0000.tsv", sep="\t", index=False)
    assert seconds_of(study, {"ingest": 2}, size) == {"ingest": 14.0}
