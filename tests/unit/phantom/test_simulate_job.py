"""The job that simulates a batch: what it writes, and what an interruption leaves."""

import json
import runpy
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import pandas as pd
import pytest

from ctharmony.io.unfinished import UnfinishedJob, write_record
from virtual_study import SMALL, scan_row

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


def simulate_job(root: Path, scanners: dict, rows: list[dict], output: Path) -> SimpleNamespace:
    """What Snakemake hands to the script for the site alpine."""
    params = SimpleNamespace(
        rows=rows,
        site={"site": "alpine", "role": "reference", "scanner": "alpine"},
        scanner=scanners["alpine"],
        target_scanner=scanners["alpine"],
        settings=SMALL,
        seed=9,
        version=1,
    )
    return SimpleNamespace(params=params, output=outputs(output), log=[], threads=1)


def outputs(folder: Path) -> SimpleNamespace:
    """DICOM and truth in two folders side by side."""
    return SimpleNamespace(dicom=str(folder), truth=f"{folder}-truth")


def simulate(root: Path, job: SimpleNamespace) -> None:
    runpy.run_path(str(root / "workflow/scripts/simulate.py"), init_globals={"snakemake": job})


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its relative path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_script_writes_what_the_chain_reads(root: Path, scanners: dict, tmp_path) -> None:
    rows = [scan_row("alpine", "alpine-01"), scan_row("alpine", "travel-01")]
    simulate(root, simulate_job(root, scanners, rows, tmp_path / "b"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "b-truth"]
    truth = pd.read_csv(tmp_path / "b-truth" / "truth.tsv", sep="\t")
    assert truth.columns[:4].tolist() == ["scan", "site", "subject", "travelling"]
    assert truth["scan"].tolist() == ["alpine-alpine-01", "alpine-travel-01"]
    assert truth["travelling"].tolist() == [0, 1]
    assert set(FACTORS) <= set(truth.columns)
    assert len(list((tmp_path / "b/dicom/alpine-alpine-01").glob("*.dcm"))) == SMALL["slices"]
    stored = {path.name for path in (tmp_path / "b-truth").glob("*.nii.gz")}
    kinds = ("target", "clean", "labels")
    assert stored == {
        "alpine-alpine-01_labels.nii.gz",
        *(f"alpine-travel-01_{kind}.nii.gz" for kind in kinds),
    }
    image = nib.load(tmp_path / "b-truth/alpine-travel-01_clean.nii.gz")
    assert image.shape == (96, 96, 4)


KILLED = """
import json, sys
from types import SimpleNamespace
import runpy
given = json.loads(sys.argv[1])
output = SimpleNamespace(dicom=sys.argv[2], truth=sys.argv[2] + "-truth")
job = SimpleNamespace(params=SimpleNamespace(**given), output=output, log=[], threads=1)
runpy.run_path(sys.argv[3], init_globals={"snakemake": job})
"""


def kill_after_first_scan(root: Path, job: SimpleNamespace) -> Path:
    """Run the job in a process of its own, SIGKILL it after one scan; where that scan waits."""
    script = str(root / "workflow/scripts/simulate.py")
    given = json.dumps(vars(job.params))
    process = subprocess.Popen([sys.executable, "-c", KILLED, given, job.output.dicom, script])
    folder = Path(job.output.dicom)
    deadline = time.monotonic() + 300
    while not (finished := list(folder.parent.glob(".*.unfinished/*/record.json"))) or (
        finished[0].parent.suffix == ".building"
    ):
        assert process.poll() is None, "the job ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    return finished[0].parent


def test_a_killed_job_goes_on_where_it_was(root: Path, scanners: dict, tmp_path) -> None:
    """Finished scans are taken over, the one under way is made anew, all bytes are the same."""
    rows = [scan_row("alpine", f"alpine-{number:02d}") for number in range(1, 6)]
    job = simulate_job(root, scanners, rows, tmp_path / "killed" / "b")
    place = kill_after_first_scan(root, job)
    assert not (tmp_path / "killed" / "b").exists()
    first = {path.name: path.stat().st_ino for path in place.rglob("*.dcm")}
    simulate(root, job)
    taken = tmp_path / "killed/b/dicom/alpine-alpine-01"
    assert {path.name: path.stat().st_ino for path in taken.iterdir()} == first
    simulate(root, simulate_job(root, scanners, rows, tmp_path / "whole" / "b"))
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_finished_scans_of_other_settings_are_not_taken(tmp_path: Path) -> None:
    row = {"scan": "a", "age": "50"}
    for recipe, known in (([1, {"kvp": 120}], True), ([1, {"kvp": 100}], False)):
        job = UnfinishedJob(tmp_path / "b", [1, {"kvp": 120}])
        with job.make(row) as place:
            write_record(place, {"scan": "a"})
        assert UnfinishedJob(tmp_path / "b", recipe).has(row) is known
        assert not UnfinishedJob(tmp_path / "b", recipe).has({**row, "age": "51"})


def test_a_scan_that_failed_is_not_finished(tmp_path: Path) -> None:
    job, row = UnfinishedJob(tmp_path / "b", 1), {"scan": "a"}
    with pytest.raises(OSError, match="disk full"), job.make(row) as place:
        write_record(place, {"scan": "a"})
        raise OSError("disk full")
    assert not job.has(row)
