"""The six demonstrations at the smallest size: what each divergence does where truth is known."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from ctharmony.demonstration.bounds import bound_row, closed_form, rate_parts
from ctharmony.demonstration.constraint import constraint_row
from ctharmony.demonstration.latents import (
    JUDGED,
    WITHOUT,
    biology_r2,
    invariance_row,
    patients,
    residual_site_auc,
)
from ctharmony.demonstration.mixtures import grid, mode_row, ring, single_mode
from ctharmony.demonstration.play import Effort
from ctharmony.demonstration.study import DEMONSTRATIONS, chosen, demonstrate, summarised
from ctharmony.demonstration.supports import support_row
from ctharmony.information.variational import DIVERGENCES
from ctharmony.model.critics import SLICED, WASSERSTEIN
from ctharmony.model.settings import Settings
from training_block import training_block

MONITOR = Settings.from_dict(training_block()).monitor
SHORT = Effort(steps=400, samples=512, width=32, critic_steps=1, learning_rate=5e-3)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize(("name", "dimensions"), [("kl", 1), ("js", 8), ("hellinger", 2)])
def test_a_bound_reaches_its_closed_form_from_below(name, dimensions):
    row = bound_row(name, dimensions, 0.8, 40_000, SHORT, 0)
    assert row["ci_high"] >= 0.95 * row["closed_form"]
    assert row["ci_low"] <= row["closed_form"]


def test_closed_forms_agree_with_one_another():
    assert closed_form("kl", 0.8) == pytest.approx(0.32, abs=1e-6)
    assert closed_form("reverse_kl", 0.8) == pytest.approx(0.32, abs=1e-6)
    assert closed_form("pearson", 0.8) == pytest.approx(math.expm1(0.64))
    assert closed_form("hellinger", 0.8) == pytest.approx(2 * (1 - math.exp(-0.08)))
    assert closed_form("tv", 0.8) == pytest.approx(math.erf(0.4 / math.sqrt(2)), abs=1e-5)
    assert closed_form("gan", 0.8) == pytest.approx(2 * closed_form("js", 0.8))
    assert all(closed_form(name, 1e-6) < 1e-5 for name in DIVERGENCES)


@pytest.mark.parametrize("noise", [0.1, 0.5, 2.0])
def test_information_and_marginal_add_up_to_the_rate(noise):
    parts = rate_parts(0.9, noise)
    total = parts["mutual_information"] + parts["marginal_kl"]
    assert total == pytest.approx(parts["rate"], abs=1e-6)


def test_disjoint_lines_saturate_js_and_not_wasserstein():
    effort = Effort(steps=300, samples=128, width=32, critic_steps=1, learning_rate=1e-2)
    row = support_row("js", 1.0, effort, 0, MONITOR)
    assert row["js_exact"] == pytest.approx(math.log(2.0), abs=1e-6)
    assert row["js_nats"] > 0.95 * math.log(2.0)
    assert abs(row["slope"]) < 0.01 and row["saturated"]
    row = support_row(WASSERSTEIN, 1.0, effort, 0, MONITOR)
    assert row["wasserstein_exact"] == pytest.approx(1.0, abs=1e-9)
    assert row["value"] == pytest.approx(1.0, abs=0.1)
    assert abs(row["slope"]) == pytest.approx(1.0, abs=0.1) and not row["saturated"]


def test_reverse_kl_sits_on_one_mode_and_forward_kl_spans_both():
    effort = Effort(steps=500, samples=256, width=32, critic_steps=2, learning_rate=5e-3)
    forward = single_mode("kl", effort, 0)[0]
    reverse = single_mode("reverse_kl", effort, 0)[0]
    assert forward["coverage"] >= 0.95 and abs(forward["mean"]) < 0.5
    assert reverse["coverage"] <= 0.6 and abs(reverse["mean"]) > 1.3


def test_only_a_held_critic_is_1_lipschitz():
    held = constraint_row("gradient penalty", SHORT, 0, MONITOR)
    free = constraint_row("none", SHORT, 0, MONITOR)
    assert 0.9 <= held["lipschitz"] <= 1.1 and not held["not_lipschitz"]
    assert free["lipschitz"] > 2.0 and free["not_lipschitz"]


def test_site_goes_and_biology_stays_only_given_the_covariates():
    effort = Effort(steps=250, samples=256, width=32, critic_steps=2, learning_rate=5e-3)
    rows = {n: invariance_row(n, w, effort, 1) for n, w in {"none": 0, "js": 300.0}.items()}
    assert rows["js"]["site_auc"] < rows["none"]["site_auc"] - 0.1
    assert rows["js"]["biology_r2"] > rows["none"]["biology_r2"] - 0.15
    marginal = invariance_row(WITHOUT, 300.0, effort, 1)
    assert marginal["biology_r2"] < rows["js"]["biology_r2"]


def test_the_truth_of_the_invariance_problem_is_what_it_says():
    by_lot, own = patients(JUDGED, True, 0), patients(JUDGED, False, 0)
    perfect = by_lot.biology.numpy()
    assert residual_site_auc(perfect, by_lot.site.numpy()) == pytest.approx(0.5, abs=0.06)
    assert biology_r2(perfect, perfect) > 0.95
    assert residual_site_auc(own.biology.numpy(), own.site.numpy()) > 0.7
    assert residual_site_auc(by_lot.x.numpy(), by_lot.site.numpy()) > 0.85


def test_modes_are_counted_and_sliced_wasserstein_finds_the_ring():
    generator = torch.Generator().manual_seed(0)
    for target in (ring(), grid()):
        drawn = target.draw(generator, 2000)
        assert target.captured(drawn) == (len(target.centres), pytest.approx(1.0, abs=0.02))
        assert target.captured(target.centres[:1].repeat(100, 1))[0] == 1
    effort = Effort(steps=200, samples=256, width=32, critic_steps=1, learning_rate=5e-3)
    row, samples = mode_row("ring", SLICED, effort, 0, MONITOR)
    assert row["modes"] >= 6 and not row["failed"]
    assert samples.shape == (2000, 2)


def summary_of(**values) -> pd.DataFrame:
    rows = [
        {"divergence": n, "seed": 0, "site_auc": a, "biology_r2": r, "epoch_seconds": 1.0,
         "failed": failed}
        for n, (a, r, failed) in values.items()
    ]  # fmt: skip
    return summarised(pd.DataFrame(rows))


def test_the_choice_keeps_biology_and_never_fails():
    summary = summary_of(
        none=(0.5, 0.9, False), js=(0.56, 0.88, False), kl=(0.55, 0.9, True), tv=(0.51, 0.5, False)
    )
    assert chosen(summary) == "js"
    assert list(summary["chosen"]) == [False, True, False, False]
    assert chosen(summary_of(none=(0.5, 0.9, False))) == ""


def test_every_demonstration_gives_tables_and_figures():
    effort = {"steps": 2, "samples": 32, "width": 4, "critic_steps": 1, "learning_rate": 1e-3}
    blocks = {
        "bounds": {"shift": 0.8, "dimensions": [1], "held_out": 200},
        "supports": {"distances": [1.0]},
        "invariance": {"weights": {"none": 0.0, "moyer": 1.0}},
    }
    for name in DEMONSTRATIONS:
        tables, drawn = demonstrate(
            name, {"effort": effort, "monitor": vars(MONITOR), **blocks.get(name, {})}, 1
        )
        assert name in tables and name in drawn
        assert all(len(table) for table in tables.values())
        numbers = tables[name].select_dtypes("number").drop(columns="js_nats", errors="ignore")
        assert np.isfinite(numbers.to_numpy(float)).all()
