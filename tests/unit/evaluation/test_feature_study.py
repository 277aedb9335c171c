"""A table of radiomics alone: batches that a forest tells after ComBat; an outcome that stays."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ctharmony.evaluation.feature_harmonizers import TABLE_METHODS, table_harmonizer
from ctharmony.evaluation.feature_study import FeatureStudySettings, evaluate_feature_table
from ctharmony.io.feature_tables import joined_tables

COUNT = 72


def radiomics(seed: int = 0) -> pd.DataFrame:
    """Skewed features that maker and kernel shift, stretch and round; `grade` moves four."""
    generator = np.random.default_rng(seed)
    maker = np.where(generator.random(COUNT) < 0.3, "B", "A")
    kernel = np.where(generator.random(COUNT) < np.where(maker == "B", 0.7, 0.4), "sharp", "soft")
    grade = generator.integers(0, 2, COUNT)
    values = generator.gamma(3.0, 1.0, (COUNT, 12))
    values[:, :4] += 2.5 * grade[:, None]
    values = np.where((maker == "B")[:, None], 1.8 * values + 2.0, values)
    values = np.where((kernel == "sharp")[:, None], np.round(values) - 1.0, values)
    table = pd.DataFrame(values, columns=[f"f_{k}" for k in range(12)]).astype(str)
    table.insert(0, "scan", [f"p{k:03d}" for k in range(COUNT)])
    return table.assign(maker=maker, kernel=kernel, grade=grade.astype(str))


@pytest.fixture
def how(quick) -> FeatureStudySettings:
    outcomes = {"grade": {"column": "grade", "values": ["0", "1"]}}
    return FeatureStudySettings(
        features="^f_", subject=None, batches={"maker": "maker", "kernel": "kernel"},
        outcomes=outcomes, unknown=["", "0"], minimum_scans=6,
        harmonizers=["combat", "ctharmony"], rounds=2,
        repeats=1, batch_auc=0.7, outcome_loss=0.05, probes=quick,
    )  # fmt: skip


def test_ours_hides_both_batches_from_both_probes_and_keeps_the_outcome(how):
    found = evaluate_feature_table(radiomics(), how)
    bars = found["bars"].set_index(["method", "question"])
    assert bars.loc[("none", "maker"), "linear"] > 0.85
    assert bars.loc[("none", "kernel"), "forest"] > 0.7
    assert bars.loc["ctharmony"]["held"].all()
    assert not bars.loc["none"]["held"][["maker", "kernel"]].any()
    assert (bars["n"] == COUNT).all()
    share = found["feature_differences"].groupby(["method", "question"])["q_value"]
    below = share.apply(lambda q: (q <= 0.05).mean())
    assert below["none", "maker"] > 0.9 and below["ctharmony", "maker"] == 0
    assert found["harmonized"].shape == (COUNT, 13)


def test_strange_rows_and_cells_are_noted(how):
    table = radiomics()
    table.loc[0, "maker"] = "0"
    table.loc[1, "maker"] = "C"
    table.loc[2, "f_3"] = "#NAME?"
    found = evaluate_feature_table(table, how)
    told = " ".join(found["notes"]["reason"])
    assert "1 scans are left out because their maker is not known: p000" in told
    assert "their maker has fewer than 6 scans: p001" in told
    assert "1 cells of 1 features hold no number" in told
    assert np.isfinite(found["harmonized"].drop(columns="scan").to_numpy()).all()


@pytest.mark.parametrize("method", TABLE_METHODS)
def test_a_held_out_scan_changes_nothing_for_its_neighbours(method):
    generator = np.random.default_rng(1)
    values = generator.normal(size=(50, 5))
    batches = generator.choice(["a", "b"], (50, 2))
    harmonize = table_harmonizer(method, 2)
    both = harmonize(values[:40], values[40:], batches[:40], batches[40:])
    alone = harmonize(values[:40], values[40:41], batches[:40], batches[40:41])
    # products of matrices of other sizes round otherwise
    assert np.allclose(both[0], alone[0], atol=1e-12)
    assert np.allclose(both[1][:1], alone[1], atol=1e-12)


def test_an_unknown_method_and_a_missing_column_are_refused(how):
    with pytest.raises(ValueError, match="harmonizes no table"):
        table_harmonizer("magic", 1)
    with pytest.raises(ValueError, match="no table has a column 'maker'"):
        evaluate_feature_table(radiomics().drop(columns="maker"), how)
    with pytest.raises(ValueError, match="no column with numbers"):
        evaluate_feature_table(radiomics().filter(regex="^[^f]"), how)


def test_tables_are_joined_by_their_ids(tmp_path, monkeypatch):
    monkeypatch.setenv("SOMEWHERE", str(tmp_path))
    (tmp_path / "features.csv").write_text("patient,f_0\np1,1.5\np2,#NAME?\np3,2\n")
    (tmp_path / "scanners.tsv").write_text("id\tmaker\np2\tA\np1\tB\n")
    tables = [{"path": "${SOMEWHERE}/features.csv", "id": "patient"},
              {"path": "${SOMEWHERE}/scanners.tsv", "id": "id"}]  # fmt: skip
    joined = joined_tables(tables)
    assert joined.to_dict("list") == {
        "scan": ["p1", "p2"], "f_0": ["1.5", "#NAME?"], "maker": ["B", "A"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "told"),
    [("id,x\na,1\na,2\n", "the id a twice"), ("x\n1\n", "no column 'id'"), ("", "not a readable")],
)
def test_a_faulty_table_is_told_in_one_sentence(tmp_path, content, told):
    path = tmp_path / "table.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=told):
        joined_tables([{"path": str(path), "id": "id"}])
    with pytest.raises(ValueError, match="names no table"):
        joined_tables([])


def test_rows_of_one_patient_stay_together_and_are_counted_once(how):
    table = radiomics().assign(patient=[f"q{k // 2:02d}" for k in range(COUNT)])
    table.loc[0, "patient"] = ""
    quick = replace(how, subject="patient", harmonizers=[], outcomes={})
    found = evaluate_feature_table(table, quick)
    assert (found["bars"]["n"] == COUNT // 2 + 1).all()
    with pytest.raises(ValueError, match="no table has a column 'nobody'"):
        evaluate_feature_table(table, replace(quick, subject="nobody"))
