"""The report tells how far critics can be trusted, and shows the divergence study if it was run."""

import numpy as np
import pandas as pd

from ctharmony.demonstration.study import summarised
from ctharmony.evaluation.report import ModelRecord, StudyRecord
from ctharmony.evaluation.report.divergences import divergence_section, mixture_summary
from ctharmony.evaluation.report.honesty import honesty_blocks
from ctharmony.evaluation.report.modelling import model_section
from ctharmony.io.records import study_record
from ctharmony.io.results import demonstrations
from ctharmony.io.tables import write_table

TERMS = {
    "reconstruction": 90.0, "invariance_js": 0.68, "invariance_generator_gradient": 0.001,
    "decoded_coverage": 0.9,
}  # fmt: skip


def history() -> pd.DataFrame:
    return pd.DataFrame(
        {"epoch": epoch, "term": term, "split": split, "value": value + epoch, "unit": "nats"}
        for epoch in (1, 2)
        for term, value in TERMS.items()
        for split in ("train", "validation")
    )


def invariance() -> pd.DataFrame:
    return pd.DataFrame(
        {"divergence": name, "seed": seed, "site_auc": auc, "biology_r2": 0.9,
         "epoch_seconds": 1.0, "failed": False}
        for name, auc in (("none", 0.9), ("js", 0.6))
        for seed in (0, 1)
    )  # fmt: skip


def folder_of(place):
    folder = place / "divergence_study" / "invariance"
    write_table(folder / "invariance.tsv", invariance())
    write_table(folder / "summary.tsv", summarised(invariance()))
    (folder / "invariance.png").write_bytes(b"picture")
    return folder


def test_monitors_stand_beside_the_curves_and_not_among_the_terms():
    model = ModelRecord("plain", history=history(), card={"status": "invariance: saturated"})
    shown = honesty_blocks(model)
    cells = {row[1].text: row[2].text for row in shown[1].rows}
    assert cells == {"js": "2.68", "generator gradient": "2.00", "coverage": "2.90"}
    section = model_section(StudyRecord("s", "a", (), (model,)), model)
    terms = [block for block in section.blocks if getattr(block, "kind", "") == "drawing"]
    assert "reconstruction" in terms[0].alternative and "js" not in terms[0].alternative
    assert "Health monitors: invariance: saturated" in section.blocks[0].text
    assert honesty_blocks(ModelRecord("plain")) == []


def test_a_study_that_was_run_is_shown_with_its_choice(tmp_path):
    made = demonstrations({str(folder_of(tmp_path)): 1})
    section = divergence_section(StudyRecord("s", "a", (), (), demonstrations=made))
    kinds = [block.kind for block in section.blocks]
    assert kinds.count("drawing") == 1 and kinds.count("table") == 2
    note = next(block.text for block in section.blocks if block.kind == "text")
    assert note.startswith("Chosen from this table: js")
    assert divergence_section(StudyRecord("s", "a", (), ())) is None


def test_mixtures_are_summed_up_over_seeds():
    frame = pd.DataFrame({"mixture": "ring", "divergence": "kl", "seed": [0, 1], "modes": [8, 6],
        "of": 8, "near": [0.9, 0.7], "density": 1.0, "coverage": [0.9, 0.6],
        "modes_dropped": [False, True], "failed": False})  # fmt: skip
    row = mixture_summary(frame).iloc[0]
    assert (row["modes"], row["least"], row["dropped"], row["failures"]) == (7.0, 6, 1, 0)
    assert np.isclose(row["near"], 0.8)


def test_the_store_is_told_figures_tables_and_means(tmp_path):
    report, sheet = tmp_path / "report.html", tmp_path / "sites.tsv"
    for path in (report, sheet):
        path.write_text("text")
    folder = folder_of(tmp_path)
    record = study_record("s", {"seed": 1}, str(report), [str(sheet)], [str(folder)])
    told = {name for name in record.artifacts if name.startswith("divergence_study/")}
    ends = ("invariance.png", "invariance.tsv", "summary.tsv")
    assert told == {f"divergence_study/invariance/{end}" for end in ends}
    assert ("divergence_study/site_auc.js", 0, 0.6) in record.metrics
