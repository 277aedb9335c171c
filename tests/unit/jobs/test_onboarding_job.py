"""A query site is onboarded from its own scans; the study of it aims as harmonization does."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import synthetic
from ctharmony.evaluation.onboarding import TRAINED, Subset
from ctharmony.io.models import encode_scans, read_model, read_usable_rows
from ctharmony.io.tables import write_table
from ctharmony.io.volumes import write_volume
from ctharmony.jobs.onboarding import LOGGER, OnboardingStudy, onboarded, read_prior
from ctharmony.jobs.training import training_rows
from ctharmony.jobs.traversal import scan_to_show
from packaged import CONFIG, measured, train_tiny

BLOCK = CONFIG["harmonization"]
OWN, TRAVELLING = ("query1", "query2"), "query3"


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> SimpleNamespace:
    """A model of two sites and one batch of a third, of which one patient travels."""
    root = tmp_path_factory.mktemp("onboarding")
    ingested, truth = root / "ingested/query/b0000", root / "truth/query/b0000"
    rows, curves = [], []
    for seed in (1, 2, 3):
        scan = synthetic.scan("query", seed, "test", synthetic.QUERY)
        affine = np.diag([*scan.spacing[::-1], 1.0])
        write_volume(ingested / f"{scan.scan}.nii.gz", scan.hu, affine)
        write_volume(ingested / f"{scan.scan}_mask.nii.gz", scan.mask, affine, np.uint8)
        write_volume(truth / f"{scan.scan}_target.nii.gz", scan.hu - 10.0, affine)
        row, curve = measured(scan)
        rows.append(row | {"subject": scan.subject, "split": "test"})
        curves.append(curve)
    write_table(ingested / "scans.tsv", pd.DataFrame(rows))
    write_table(ingested / "curves.tsv", pd.concat(curves))
    placed = [{"site": "query", "scan": row["scan"], "status": "ok"} for row in rows]
    write_table(root / "registered/query/b0000/registration.tsv", pd.DataFrame(placed))
    known = [{"scan": row["scan"], "travelling": int(row["scan"] == TRAVELLING)} for row in rows]
    write_table(truth / "truth.tsv", pd.DataFrame(known))
    return SimpleNamespace(
        ingested=[str(ingested)], truth=[str(truth)],
        registered=[str(root / "registered/query/b0000")],
        model=str(train_tiny(root / "models" / "factorised")),
        trained=str(train_tiny(root / "trained", sites=("north", "south", "query"))),
    )  # fmt: skip


def test_a_site_is_known_by_its_scans_or_refused_without_any(given):
    rows = read_usable_rows(given.ingested, given.registered)
    model, prior = read_model(given.model), read_prior(given.model)
    posteriors = list(encode_scans(model, rows, LOGGER).values())
    profile = onboarded(model, "query", posteriors, rows, BLOCK["operator"], prior)
    assert profile["site"] == "query" and profile["n_scans"] == profile["operator"]["n_scans"] == 3
    assert profile["operator"]["noise_sd"] != prior.noise_sd
    empty = onboarded(model, "query", [], rows.head(0), BLOCK["operator"], prior)
    assert empty["n_scans"] == 0 and "not adapted to query" in empty["reason"]
    assert empty["operator"]["noise_sd"] == prior.noise_sd


def test_travelling_scans_judge_and_the_study_aims_where_the_config_says(given):
    errors, trained = [], []
    for aim in ("target", "barycentre"):
        study = OnboardingStudy("query", given, "north", BLOCK | {"aim": aim})
        assert sorted(study.posteriors) == list(OWN)
        (row,) = study.errors(Subset("2", 0, OWN))
        assert (row["size"], row["repeat"], row["scan"]) == ("2", 0, TRAVELLING)
        errors.append(row["paired_mae_hu"])
        (row,) = study.errors_of_trained()
        assert (row["size"], row["scan"]) == (TRAINED, TRAVELLING)
        trained.append(row["paired_mae_hu"])
    assert errors[0] != errors[1] and 0 < min(errors) < max(errors) < 500
    assert trained[0] != trained[1] and not set(trained) & set(errors) and max(trained) < 500


def test_scans_of_a_query_site_are_taken_into_a_training(given):
    rows = read_usable_rows(given.ingested, given.registered)
    assert set(rows["split"]) == {"test"}
    taken = training_rows(given, OWN).set_index("scan")["split"]
    assert taken.to_dict() == {OWN[0]: "train", OWN[1]: "train", TRAVELLING: "test"}


def test_a_target_without_a_usable_scan_is_told(given):
    rows = read_usable_rows(given.ingested, given.registered)
    assert scan_to_show(rows, "query").scan == OWN[0]
    with pytest.raises(ValueError, match="target site north has no usable scan"):
        scan_to_show(rows, "north")
