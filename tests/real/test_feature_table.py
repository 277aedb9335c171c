"""`snakemake features_only` on radiomics of lung cancers seen by many scanners."""

import pandas as pd
import pytest

from real_study import run_real

pytestmark = [pytest.mark.real, pytest.mark.workflow]


@pytest.fixture(scope="module")
def found(real_data, tmp_path_factory) -> dict[str, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("features") / "results"
    run_real(real_data, "config/features/config.yaml", folder, "features_only", "--cores", "1")
    paths = (folder / "feature_study").glob("*.tsv")
    return {path.stem: pd.read_csv(path, sep="\t") for path in paths}


def test_maker_and_kernel_go_and_histology_stays(found, capsys):
    table = found["bars"].set_index(["method", "question"])
    with capsys.disabled():
        print(f"\nAUC out of fold, linear and forest:\n{table.round(2).to_string()}")
    ours = table.loc["ctharmony"]
    assert ours.loc[["maker", "kernel"], ["linear", "forest"]].to_numpy().max() <= 0.65
    assert ours.linear["histology"] >= table.linear["none", "histology"] - 0.03
    # a forest still names the batch for certain after ComBat
    assert table.forest["combat", "kernel"] > 0.9
    assert not table.held["nested_combat", "kernel"]


def test_every_value_has_its_interval_and_n(found):
    metrics = found["metrics"]
    assert metrics[["value", "ci_low", "ci_high", "n"]].notna().all().all()
    assert (metrics["n"] > 100).all()
    assert found["probes"]["q_value"].between(0, 1).all()
    assert found["harmonized"].notna().all().all()
