"""Small settings for fast probes; figures that are built and not painted."""

from types import SimpleNamespace

import pytest

import scanner_effects
from ctharmony.evaluation.probes import ProbeSettings
from ctharmony.evaluation.report import blocks
from ctharmony.evaluation.settings import EvaluationSettings


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


@pytest.fixture(scope="module")
def study():
    """Tables and images of the small study with planted scanner effects."""
    return scanner_effects.study()


@pytest.fixture(scope="module")
def how() -> EvaluationSettings:
    """The shipped settings, cut down to seconds."""
    return scanner_effects.quick_settings()


@pytest.fixture
def unpainted(monkeypatch):
    """Figures are built and not painted, which takes most of a report's time."""
    stub = SimpleNamespace(save=lambda figure, kind: b"<svg/>")
    monkeypatch.setattr(blocks, "figures", stub)
