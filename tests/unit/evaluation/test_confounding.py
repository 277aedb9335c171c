"""Biology under confounding: who is sent where, what is kept, what cannot be answered."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ctharmony.evaluation import figures
from ctharmony.evaluation.confounding import (
    KEPT,
    LOST,
    NO_OVERLAP,
    NO_SIGNAL,
    ConfoundingSettings,
    Judged,
    confounding_rows,
    retained,
    sent_to,
    stacked_features,
)
from ctharmony.evaluation.probes import ProbeSettings

PROBES = ProbeSettings(5, 3, 1.0, 10, 200, 50, seed=1)
HOW = ConfoundingSettings(PROBES, 2, overlap_minimum=0.3, least_r2=0.3, biology_loss=0.05)
SITES, PATIENTS = ("near", "middle", "far"), 120


def patients(correlation: float, site_effect: float) -> tuple[Judged, pd.DataFrame]:
    """Patients with a severity that one feature shows; each site adds its own to that feature."""
    random = np.random.default_rng(2)
    severity = random.standard_normal(PATIENTS)
    seen = sent_to(severity, correlation, len(SITES), seed=3)
    noise = 0.3 * random.standard_normal((PATIENTS, len(SITES), 2))
    features = noise + np.stack([severity, np.zeros(PATIENTS)], 1)[:, None]
    features[..., 0] += site_effect * np.arange(len(SITES))
    factors = pd.DataFrame({"severity": severity, "luck": random.standard_normal(PATIENTS)})
    return Judged(features, seen, target=0), factors


@pytest.mark.parametrize(("correlation", "expected"), [(0.0, 0.0), (0.6, 0.55), (1.0, 0.94)])
def test_patients_are_sent_by_the_factor_and_equally_many(correlation, expected):
    factor = np.random.default_rng(0).exponential(size=3000)
    sites = sent_to(factor, correlation, 3, seed=1)
    assert np.bincount(sites).tolist() == [1000] * 3
    ranks = pd.Series(factor).rank().corr(pd.Series(sites))
    assert ranks == pytest.approx(expected, abs=0.05)
    assert (sites == sent_to(factor, correlation, 3, seed=1)).all()


def test_without_a_scanner_nothing_is_lost():
    judged, factors = patients(0.6, site_effect=0.0)
    found = retained(judged, factors["severity"].to_numpy(), HOW)
    assert found["truth"].value > 0.85
    assert found["kept"].low < 1.0 < found["kept"].high + 0.02
    assert found["kept"].value == pytest.approx(1.0, abs=0.03)


def test_a_probe_that_took_the_scanner_for_the_patient_pays():
    losses = {}
    for correlation in (0.0, 0.6):
        judged, factors = patients(correlation, site_effect=1.5)
        rows = confounding_rows({"none": judged}, factors, SITES, HOW)
        severity = next(row for row in rows if row["factor"] == "severity")
        losses[correlation] = 1.0 - severity["kept"]
        assert severity["answer"] == LOST and severity["n"] == PATIENTS
        assert severity["ci_low"] <= severity["kept"] <= severity["ci_high"] < 0.95
    assert losses[0.6] > 0.2 and losses[0.0] > 0.2


def test_what_cannot_be_answered_gets_no_number():
    judged, factors = patients(0.98, site_effect=0.0)
    rows = {row["factor"]: row for row in confounding_rows({"none": judged}, factors, SITES, HOW)}
    assert rows["severity"]["overlap"] < 0.3 and rows["severity"]["answer"] == NO_OVERLAP
    assert np.isnan([rows["severity"][name] for name in ("r2", "kept", "ci_low", "ci_high")]).all()
    assert rows["luck"]["answer"] == NO_SIGNAL and rows["luck"]["r2_truth"] < 0.3
    lenient = replace(HOW, overlap_minimum=0.0)
    answers = {row["factor"]: row["answer"]
               for row in confounding_rows({"none": judged}, factors, SITES, lenient)}  # fmt: skip
    assert answers["severity"] == KEPT


def test_patients_that_a_site_lacks_and_features_it_cannot_have_are_left_out():
    rows = [
        {"site": site, "subject": subject, "shared": 1.0 + place, "lost": np.nan if place else 2.0}
        for place, site in enumerate(SITES)
        for subject in ("b", "a", "c")
        if (site, subject) != ("far", "c")
    ]
    stack, subjects = stacked_features(pd.DataFrame(rows), SITES)
    assert subjects == ["a", "b"] and stack.shape == (2, 3, 1)
    assert stack[:, :, 0].tolist() == [[1.0, 2.0, 3.0]] * 2


def test_the_figure_shows_every_method_and_leaves_out_what_has_no_answer():
    table = pd.DataFrame(
        {"method": ["none", "none", "ctharmony"], "factor": "severity", "kept": [0.7, np.nan, 1.0],
         "correlation": [0.0, 0.9, 0.0], "ci_low": 0.6, "ci_high": 1.1}
    )  # fmt: skip
    figure = figures.retention(table, 0.95)
    assert [axes.get_title() or axes.get_title("left") for axes in figure.axes] == [
        "none",
        "ctharmony",
    ]
    assert figures.save(figure, "png")[:4] == b"\x89PNG"
