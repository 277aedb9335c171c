"""Faults of disks, files and neighbours: one clear sentence each, and nothing is lost."""

import os
import shutil
import subprocess
import time

import pandas as pd
import pytest

from flipped import flip_digit
from small_study import finished_small_study

pytestmark = pytest.mark.workflow
TARGET = "results/baselines/summit/b0000"
SURVEY = "results/survey"
KILLED = """\
import os, signal, sys
if any(name.endswith(".survey.py") for name in sys.orig_argv):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory, shared_folder):
    """The small study, run to its end."""
    return finished_small_study(tmp_path_factory.mktemp("faults"), shared_folder)


@pytest.fixture
def small_disk(tmp_path):
    """A folder that holds 300 kB."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(tmp_path)])
    if done.returncode:
        pytest.skip("a small disk needs the right to mount a tmpfs")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def failed(study, *arguments) -> str:
    """What a run that must fail says."""
    done = study.run(*arguments)
    assert done.returncode != 0
    return done.stdout


def test_full_disk_is_told_and_a_rerun_finishes(finished, small_disk):
    place = finished.results / "baselines" / "summit"
    before = finished.fingerprints("baselines")
    kept = place.rename(place.with_name("summit.kept"))
    place.symlink_to(small_disk)
    said = failed(finished, TARGET)
    assert "the disk is full; free some space and run the same command again" in said
    place.unlink()
    finished.finish(TARGET)
    shutil.rmtree(kept)
    assert finished.fingerprints("baselines") == before


def test_flipped_bits_set_a_scan_aside_and_are_named(finished):
    whole = finished.fingerprints("baselines/summit")
    scan = finished.results / "ingested" / "summit" / "b0000" / "summit-01.nii.gz"
    content = scan.read_bytes()
    damaged = bytearray(content)
    damaged[len(damaged) // 2] ^= 0b00010000
    scan.write_bytes(damaged)
    redo(finished)
    table = finished.results / "baselines" / "summit" / "b0000" / "baselines.tsv"
    rows = pd.read_csv(table, sep="\t").set_index("scan")
    assert set(rows.status["summit-01"]) == {"set_aside"}
    assert rows.reason["summit-01"].str.contains(r"summit-01.nii.gz cannot be read as NIfTI").all()
    assert "set_aside" not in set(rows.drop(index="summit-01").status)
    scan.write_bytes(content)
    redo(finished)
    assert finished.fingerprints("baselines/summit") == whole


def test_a_flipped_digit_in_a_table_is_named_and_mended(finished):
    whole = finished.fingerprints("ingested", "baselines")
    folder = finished.results / "ingested" / "summit" / "b0000"
    flip_digit(folder / "scans.tsv")
    shutil.rmtree(finished.results / "baselines" / "summit" / "b0000")
    said = failed(finished, TARGET)
    assert "results/ingested/summit/b0000/scans.tsv is damaged or was changed by hand" in said
    assert "remove the folder results/ingested/summit/b0000 and run the same command" in said
    shutil.rmtree(folder)
    finished.finish(TARGET)
    assert finished.fingerprints("ingested", "baselines") == whole


def redo(finished) -> None:
    """Make the baselines of the query site anew."""
    shutil.rmtree(finished.results / "baselines" / "summit" / "b0000")
    finished.finish(TARGET)


def test_second_workflow_on_one_study_is_refused(finished):
    os.utime(finished.results / "template" / ".snakemake_timestamp")
    first = finished.start()
    locks = finished.folder / ".snakemake" / "locks"
    try:
        while not list(locks.glob("*")):
            assert first.poll() is None, "the first run ended before the second began"
        said = failed(finished)
        assert "Directory cannot be locked" in said
    finally:
        first.terminate()
        first.wait()


def test_a_job_killed_for_its_memory_is_told_with_the_mend(finished, tmp_path, monkeypatch):
    before = finished.fingerprints("survey")
    shutil.rmtree(finished.results / "survey")
    (tmp_path / "sitecustomize.py").write_text(KILLED)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setattr(finished, "environment", {"PYTHONPATH": path})
    said = failed(finished, SURVEY)
    assert "ERROR rule survey (results/survey): the job was killed (SIGKILL)" in said
    assert "run the same command again with fewer jobs at a time (--cores 1)" in said
    monkeypatch.setattr(finished, "environment", {})
    finished.finish(SURVEY)
    assert finished.fingerprints("survey") == before


def test_clocks_that_differ_neither_loop_nor_lose(finished):
    """A node whose clock is ten hours ahead wrote a folder of scans; then one ten hours behind.

    The folder is newer than what was made of it, then older than what it was made of: either way
    a run makes it good once, with the same bytes, and the next one has nothing to do.
    """
    before = finished.fingerprints("ingested", "survey")
    stamp = finished.results / "ingested" / "summit" / "b0000" / ".snakemake_timestamp"
    for hours in (10, -10):
        date_from_now(stamp, hours)
        assert "Nothing to be done" not in finished.finish(SURVEY)
        assert "Nothing to be done" in finished.finish(SURVEY)
    assert finished.fingerprints("ingested", "survey") == before


def date_from_now(path, hours) -> None:
    moment = time.time() + 3600 * hours
    os.utime(path, (moment, moment))


def test_read_only_results_are_told_before_work_starts(file_study, monkeypatch):
    file_study.results.mkdir()
    (file_study.folder / "sealed").mkdir()
    sealed = file_study.folder / "sealed"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=4k", "tmpfs", str(sealed)])
    if done.returncode:
        pytest.skip("a read-only disk needs the right to mount a tmpfs")
    try:
        file_study.config["results"] = "sealed/results"
        file_study.write()
        said = failed(file_study, "--dry-run")
        assert "is read-only for you; correct its owner or mode, or write elsewhere" in said
    finally:
        subprocess.run(["umount", str(sealed)], check=True)
