"""The tutorial's walk-throughs, run as they stand in a folder that looks like a clone.

Only the budget is the test's own: a tiny model, and no further than the harmonized scans.
"""

import re
import shlex
import subprocess

import pandas as pd
import pydicom
import pytest
import yaml

from archive import working_folder, write_archive
from ctharmony.harmonization import Harmonizer
from ctharmony.settings import merge
from study import ROOT, environment
from training_block import training_block

pytestmark = pytest.mark.workflow

DOCUMENT = ROOT / "workflow" / "documentation.md"
ENOUGH = ["--until", "package", "export"]
TINY = {"model": {**training_block(), "threads": 1}, "export": {"dicom": True}}


def commands(name: str) -> list[list[str]]:
    """The commands of a walk-through."""
    found = re.search(
        rf"<!-- walk-through: {name} -->\n```bash\n(.*?)```", DOCUMENT.read_text(), re.S
    )
    return [shlex.split(line) for line in found[1].splitlines()]


def walk(name, folder) -> str:
    """Run a walk-through; everything it says."""
    said = ""
    for command in commands(name):
        more = ENOUGH if command[0] == "snakemake" else []
        done = subprocess.run(
            [*command, *more], cwd=folder, env=environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-4000:]}"
        said += done.stdout
    return said


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A folder like a clone, with two hospitals' scans."""
    folder = working_folder(tmp_path_factory.mktemp("clone"))
    (folder / "workflow").symlink_to(ROOT / "workflow")
    (folder / "Snakefile").symlink_to(ROOT / "Snakefile")
    config = folder / "config" / "config.yaml"
    settings = merge(yaml.safe_load(config.read_text()), TINY)
    # what `init` writes wins over this file, so the budget is named where both agree
    settings["models"] = {"factorised": {"training": TINY["model"]["training"]}}
    config.write_text(yaml.safe_dump(settings))
    write_archive(folder / "archive", ("north", "south"))
    write_archive(folder / "later", ("west",), patients=1)
    return folder


@pytest.fixture(scope="module")
def own_data(clone):
    """What the first walk-through said."""
    return walk("own data", clone)


def harmonized(folder) -> dict[str, bytes]:
    found = sorted(folder.glob("results/lung/harmonized/*/*/*/*.nii.gz"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_own_data(clone, own_data):
    assert "All is well" in own_data
    assert "it cannot be read as NIfTI" in own_data
    tables = sorted(clone.glob("results/lung/harmonized/factorised/*/*/harmonized.tsv"))
    rows = pd.concat([pd.read_csv(path, sep="\t") for path in tables])
    assert len(rows) == 4
    assert set(rows.status) == {"ok"}
    assert re.search(r"harmonize\s+2\s+0\s+0\s+2", own_data)


def test_derivatives_say_what_made_them(clone, own_data):
    folder = clone / "results/lung/harmonized/factorised/south/b0000"
    about = yaml.safe_load((folder / "dataset_description.json").read_text())
    assert about["DatasetType"] == "derivative"
    assert about["GeneratedBy"][0]["Name"] == "ctharmony"
    sidecar = yaml.safe_load(next(iter(sorted(folder.glob("south-*.json")))).read_text())
    scans = pd.read_csv(clone / "results/lung/ingested/south/b0000/scans.tsv", sep="\t")
    assert sidecar["SourceSHA256"] in set(scans.sha256)
    assert len(sidecar["ModelSHA256"]) == len(sidecar["ConfigSHA256"]) == 64


def test_dicom_holds_the_harmonized_voxels(clone, own_data):
    (folder,) = clone.glob("results/lung/dicom/factorised/south/b0000/south-s001")
    slices = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    assert len(slices) == 5
    assert slices[0].Manufacturer == "ctharmony"
    assert slices[0].ContributingEquipmentSequence[0].Manufacturer == "GE"


def test_new_site_leaves_the_others_as_they_were(clone, own_data):
    before = harmonized(clone)
    said = walk("new site", clone)
    assert "train " not in said.partition("All is well")[0].partition("stage")[2]
    after = harmonized(clone)
    assert {name: after[name] for name in before} == before
    assert any("/west/" in name for name in set(after) - set(before))
    known = Harmonizer.load(clone / "results/lung/packages/factorised").sites
    assert known == ["north", "south", "west"]
