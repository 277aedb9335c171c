"""The picture of one scan: as it came, harmonized, and the same patient elsewhere."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from ctharmony.commands import main
from fabricated_study import SITES, fabricate
from study import Study, default_config


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A fabricated study, its sheets beside it, as the working folder."""
    config = default_config() | {"results": "results", "sites": "config/sites.tsv"}
    rows = {s["site"]: [{"scan": f"{s['site']}-{k:02d}", "subject": f"s{k:02d}", "split": "test"}
                        for k in range(1)] for s in SITES}  # fmt: skip
    manifests = {s["site"]: (s["role"], s["scanner"], rows[s["site"]]) for s in SITES}
    Study(tmp_path, config | {"target": "alpine"}, manifests)
    fabricate(tmp_path / "results", scans=1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def width_of(path) -> int:
    return int((np.asarray(Image.open(BytesIO(path.read_bytes())).convert("L")) < 128).any(0).sum())


def test_panels_of_one_scan(here, capsys):
    call = ["picture", "--model", "plain", "--scan"]
    assert main([*call, "summit/summit-00", "--output", "out/three.png"]) == 0
    assert "Written: out/three.png" in capsys.readouterr().out
    # at the target itself there is no other scan of the patient to show
    assert main([*call, "alpine/alpine-00", "--output", "out/two.png"]) == 0
    assert width_of(here / "out" / "three.png") > width_of(here / "out" / "two.png") > 0


@pytest.mark.parametrize(
    ("scan", "model", "sentence"),
    [
        ("summit/nobody", "plain", "the study has no scan summit/nobody"),
        ("nowhere/summit-00", "plain", "the study has no scan nowhere/summit-00"),
        ("summit/summit-00", "other", "harmonized/other holds no summit/summit-00"),
    ],
)
def test_what_cannot_be_shown_is_told(here, capsys, scan, model, sentence):
    call = ["picture", "--scan", scan, "--model", model, "--output", "out.png"]
    assert main(call) == 1
    assert sentence in capsys.readouterr().err
    assert not (here / "out.png").exists()
