"""Small settings for fast probes."""

import pytest

from ctharmony.evaluation.probes import ProbeSettings


@pytest.fixture
def quick() -> ProbeSettings:
    return ProbeSettings(
        folds=4,
        minimum_subjects=3,
        linear_c=1.0,
        forest_trees=30,
        bootstrap_repeats=200,
        permutations=99,
        seed=0,
    )
