"""Features that a whole site lacks are compared at none: where they are missing is no evidence."""

import numpy as np
import pandas as pd
import pytest

from ctharmony.evaluation.probes import probe
from ctharmony.evaluation.tables import feature_set, known_at_every_site

SCANS = pd.DataFrame(
    {
        "scan": [f"c{i}" for i in range(48)],
        "site": np.repeat(["fine", "coarse"], 24),
        "subject": [f"s{i}" for i in range(48)],
    }
)


@pytest.fixture
def table() -> pd.DataFrame:
    """Equal distributions at both sites; the coarse pixels of one know no high frequencies."""
    values = np.random.default_rng(3).normal(size=(48, 3))
    values[24:, 2] = np.nan
    named = pd.DataFrame(values, columns=["low", "middle", "high"])
    return pd.concat([SCANS[["scan"]], named], axis=1)


def site_auc(table: pd.DataFrame, quick) -> float:
    sample = feature_set(table, SCANS, ("none", "image", "image")).sample
    return probe(sample, SCANS["site"], "forest", quick).auc.value


def test_what_is_missing_would_name_the_site(table, quick):
    shared, lost = known_at_every_site(table, SCANS, 0.5)
    assert lost == {"high": "coarse"} and list(shared.columns) == ["scan", "low", "middle"]
    assert site_auc(table, quick) > 0.9
    assert 0.3 < site_auc(shared, quick) < 0.7


def test_scans_that_lack_a_feature_here_and_there_cost_nothing(table):
    table.loc[::5, "low"] = np.nan
    assert "low" in known_at_every_site(table, SCANS, 0.5)[0]
    assert "low" not in known_at_every_site(table, SCANS, 0.9)[0]


def test_one_method_that_loses_a_feature_loses_it_for_all(table):
    methods = pd.concat([table.assign(method="none"), table.assign(method="ours", low=np.nan)])
    shared, lost = known_at_every_site(methods, SCANS, 0.6)
    assert set(lost) == {"low", "high"} and list(shared.columns) == ["scan", "middle", "method"]
