"""Everything in the folder of real scans is ingested, each with the outcome of a golden table.

`golden_ingest.tsv` states per source: status, words of the reason (separated by ` + `), shape,
spacing in mm, maker and kernel; n/a where a scan is set aside or nothing is stated.
"""

import logging
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ctharmony.io.ingest import ingest_batch
from ctharmony.io.tables import read_table
from ctharmony.jobs.ingest import make_intake
from study import ROOT

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("golden")]

GOLDEN = read_table(
    Path(__file__).with_name("golden_ingest.tsv"), text=("source", "shape", "kernel")
).set_index("source")
FOLDERS = ("awkward", "dicom", "nifti")


def sources(folder: Path) -> list[str]:
    """Every series, file and folder of scans, relative to the folder of real data."""
    found = [path for name in FOLDERS for path in (folder / name).iterdir()]
    scans = [path for path in found if path.is_dir() or path.suffix != ".json"]
    return sorted(str(path.relative_to(folder)) for path in scans)


def identifier(source: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", Path(source).name.split(".")[0])


@pytest.fixture(scope="module")
def table(real_data, tmp_path_factory) -> pd.DataFrame:
    """scans.tsv of everything there is, as one batch, by source."""
    block = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["ingest"]
    folder = tmp_path_factory.mktemp("golden")
    names = ("real", "b0000", "reference")
    intake = make_intake(block, names, folder, logging.getLogger("ctharmony"))
    rows = [
        {"scan": identifier(source), "subject": "p", "path": str(real_data / source)}
        for source in sources(real_data)
    ]
    ingest_batch(rows, intake)
    found = read_table(folder / "scans.tsv")
    return found.assign(source=sources(real_data)).set_index("source")


def test_the_golden_table_names_everything_there_is(real_data):
    assert sorted(GOLDEN.index) == sources(real_data)


@pytest.mark.parametrize("source", GOLDEN.index)
def test_outcome_is_the_golden_one(table, source):
    found, golden = table.loc[source], GOLDEN.loc[source]
    assert found["status"] == golden["status"], found["reason"]
    if pd.notna(golden["reason"]):
        for words in golden["reason"].split(" + "):
            assert words in found["reason"]
    if golden["status"] == "set_aside":
        return
    assert "{:g} x {:g} x {:g}".format(*found[["slices", "rows", "columns"]]) == golden["shape"]
    for name in ("spacing_z_mm", "spacing_y_mm", "spacing_x_mm"):
        assert found[name] == pytest.approx(golden[name], abs=1e-3)
    for name in ("manufacturer", "kernel"):
        assert (found[name] == golden[name]) or (pd.isna(found[name]) and pd.isna(golden[name]))
