"""A study that takes another's registered model instead of training its own."""

import pytest

from small_study import finished_small_study

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("small_study")]
BORROWER = {
    "study": "borrower",
    "results": "borrowed",
    "model": {
        "source": {"address": "models:/small-factorised@champion", "registry": "results/mlflow"}
    },
}


def test_the_champion_of_another_study_is_fetched_and_not_trained(tmp_path, shared_folder):
    study = finished_small_study(tmp_path, shared_folder, BORROWER)
    planned = study.planned()
    assert planned["fetch"] == 1 and planned["harmonize"] == 3 and "train" not in planned
    study.finish("borrowed/models/factorised")
    lent, taken = (
        (tmp_path / results / "models" / "factorised" / "weights.safetensors").read_bytes()
        for results in ("results", "borrowed")
    )
    assert taken == lent
