"""The confounding study at its smallest: four patients to learn from, six to be judged."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import synthetic
from ctharmony.io.tables import write_table
from ctharmony.io.volumes import write_volume
from ctharmony.jobs.confounding import OURS, UNTOUCHED, ConfoundingStudy
from ctharmony.settings import features_block
from packaged import CONFIG, measured
from training_block import training_block

SITES, TRAINED, JUDGED = ["north", "south"], 4, 6
ROW = ["correlation", "method", "factor", "n", "overlap", "r2_truth", "r2", "kept", "answer"]


def block() -> dict:
    study = dict(CONFIG["confounding_study"], sites=SITES, divisions=1, factor="fat")
    probes = dict(CONFIG["evaluation"]["probes"], bootstrap_repeats=20)
    return {"study": study, "model": training_block(), "features": features_block(CONFIG),
            "harmonization": CONFIG["harmonization"], "probes": probes}  # fmt: skip


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> SimpleNamespace:
    """Every patient's scan at both sites, as the rules before leave them."""
    root = tmp_path_factory.mktemp("confounding")
    for site in SITES:
        folder, rows, curves = root / "ingested" / site, [], []
        for seed in range(TRAINED + JUDGED):
            scan = synthetic.scan(site, seed, field_mm=200.0, slices=3)
            affine = np.diag([*scan.spacing[::-1], 1.0])
            write_volume(folder / f"{scan.scan}.nii.gz", scan.hu, affine)
            write_volume(folder / f"{scan.scan}_mask.nii.gz", scan.mask, affine, np.uint8)
            row, curve = measured(scan)
            split = "train" if seed < TRAINED else "test"
            rows.append(row | {"subject": scan.subject, "split": split})
            curves.append(curve)
        table = pd.DataFrame(rows)
        write_table(folder / "scans.tsv", table)
        write_table(folder / "curves.tsv", pd.concat(curves))
        truth = table[["scan", "site", "subject"]].assign(
            age=50 + np.arange(len(table)), sex="F", fat=np.arange(len(table)) % 7
        )
        write_table(root / "truth" / site / "truth.tsv", truth)
        features = table[["scan", "noise_sd_hu", "lung_mode_hu"]].add_prefix("image_")
        write_table(root / "features" / site / "features.tsv",
                    features.rename(columns={"image_scan": "scan"}))  # fmt: skip
    stages = ("ingested", "truth", "features")
    return SimpleNamespace(**{name: [str(root / name / site) for site in SITES] for name in stages})


def test_the_answers_name_every_factor_under_both_methods(given, tmp_path, monkeypatch):
    monkeypatch.setattr("ctharmony.jobs.confounding.scan_features", few_features)
    table = ConfoundingStudy(given, block(), "north", 1).table(0.5, 1, tmp_path)
    assert list(table["method"].unique()) == [UNTOUCHED, OURS]
    assert set(table["factor"]) == {"age", "fat"} and set(table["n"]) == {JUDGED}
    assert set(ROW) <= set(table) and (table["correlation"] == 0.5).all()
    assert sorted(path.name for path in (tmp_path / "sites").glob("*.json")) == [
        "north.json",
        "south.json",
    ]
    by_method = table.set_index(["method", "factor"])["r2_truth"]
    assert by_method[UNTOUCHED, "fat"] == pytest.approx(by_method[OURS, "fat"])


def few_features(hu, labels, spacing, how) -> dict[str, float]:
    """Two features in the place of all, which take seconds a scan."""
    body = hu[labels > 0]
    return {
        "image_noise_sd_hu": float(body.std()),
        "image_lung_mode_hu": float(hu[labels == 2].mean()),
    }


def test_a_study_without_the_target_site_is_told(given):
    with pytest.raises(ValueError, match="lacks the target site west"):
        ConfoundingStudy(given, block(), "west", 1)
