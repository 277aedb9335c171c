"""Critics: every name trains, resumes bit for bit, and tells what it should."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ctharmony.model.card import model_card
from ctharmony.model.conditioning import Conditioning, covariate_values
from ctharmony.model.critics import (
    CRITICS,
    SLICED,
    WASSERSTEIN,
    Critic,
    Samples,
    dense_network,
    interpolates,
)
from ctharmony.model.honesty import (
    MODES_DROPPED,
    NOT_LIPSCHITZ,
    OVERFITTED,
    SATURATED,
    SLACK,
    findings,
    generator_gradient,
    lipschitz,
)
from ctharmony.model.settings import CriticSettings, Settings
from ctharmony.model.training import Hooks, TrainingInterruptedError, train
from ctharmony.model.units import term_unit
from training_block import training_block

MONITOR = Settings.from_dict(training_block()).monitor
HOW = CriticSettings(32, 1, 512, 2e-3, "penalty", 10.0, 32)
every = pytest.mark.parametrize("name", CRITICS)


def with_games(name: str, realism: str = "none") -> Settings:
    block = training_block()
    block["invariance"].update(divergence=name)
    block["realism"].update(divergence=realism)
    if name == "gan":
        block["critics"].update(lipschitz="spectral_norm")
    block["training"].update(steps=4, steps_per_epoch=2)
    return Settings.from_dict(block)


def aged(scans):
    """The scans with an age, missing once."""
    ages = [(float("nan") if k == 1 else 40.0 + 5 * k, float(k % 2)) for k in range(len(scans))]
    return [replace(scan, covariates=age) for scan, age in zip(scans, ages, strict=True)]


@every
def test_every_name_trains_and_resumes_bit_for_bit(scans, name):
    settings = with_games(name, realism=name)
    given = aged(scans)
    whole, history = train(given, settings, 3, 1)
    saved, calls = io.BytesIO(), []
    hooks = Hooks(
        on_checkpoint=lambda state: torch.save(state, saved),
        should_stop=lambda: calls.append(1) or len(calls) == 3,
    )
    with pytest.raises(TrainingInterruptedError):
        train(given, settings, 3, 1, hooks=hooks)
    saved.seek(0)
    state = torch.load(saved, weights_only=True)
    again, resumed = train(given, settings, 3, 1, checkpoint=state)
    assert all(torch.equal(whole.state()[key], value) for key, value in again.state().items())
    assert resumed == history
    terms = {(row["split"], row["term"]) for row in history}
    for place in ("invariance", "realism"):
        assert {("train", place), ("train", f"{place}_{name}")} <= terms
        assert {("validation", f"{place}_{name}")} <= terms
        assert {("validation", f"{place}_generator_gradient")} <= terms
        if name not in (SLICED, WASSERSTEIN, "tv"):
            assert ("validation", f"{place}_js") in terms
        if name != SLICED:
            assert ("validation", f"{place}_lipschitz_off") in terms
    assert all(math.isfinite(row["value"]) for row in history)


def test_the_card_tells_what_the_critic_hides(scans):
    settings = with_games("js")
    model, history = train(aged(scans), settings, 3, 1)
    last = max(row["epoch"] for row in history)
    lie = {"split": "validation", "unit": "nats", "epoch": last}
    history = [row for row in history if not row["term"].startswith("invariance_")]
    history += [lie | {"term": "invariance_js", "value": 0.69}]
    history += [lie | {"term": "invariance_generator_gradient", "value": 1e-6}]
    assert f"invariance: {SATURATED}" in model_card(model, scans, history, 3)["status"]


def test_findings_read_the_last_epoch_only():
    def rows(epoch, **values):
        return [
            {"epoch": epoch, "split": "validation", "term": name, "value": value}
            for name, value in values.items()
        ]

    held = {"realism_generator_gradient": 1.0, "realism_wasserstein_gp": 0.1}
    early = rows(1, decoded_coverage=0.1, realism_lipschitz=9.0, **held)
    late = rows(2, decoded_coverage=0.99, realism_lipschitz=1.05, **held)
    places = {"invariance": "moyer", "realism": WASSERSTEIN}
    assert findings(early + late, places, MONITOR) == []
    assert findings(early, places, MONITOR) == [
        f"realism: {NOT_LIPSCHITZ}",
        f"decoded patches: {MODES_DROPPED}",
    ]
    flat = rows(2, realism_lipschitz=0.5, **held)
    assert findings(flat, places, MONITOR) == [f"realism: {SLACK}"]
    learned = [{"epoch": 2, "split": "train", "term": "realism_wasserstein_gp", "value": 1.0}]
    assert findings(late + learned, places, MONITOR) == [f"realism: {OVERFITTED}"]


def conditional_samples(dependent: bool) -> tuple[Samples, torch.Tensor]:
    """z follows the covariate; the site too; `dependent` adds what the site does to z."""
    rng = np.random.default_rng(0)
    age = rng.normal(size=4000)
    site = (rng.random(4000) < 1 / (1 + np.exp(-2 * age))).astype(np.int64)
    z = age + 0.5 * rng.normal(size=4000) + dependent * 1.5 * site
    conditioning = Conditioning(age[:, None], site, 2)
    context = torch.tensor(age[:, None], dtype=torch.float32)
    points = torch.tensor(z[:, None], dtype=torch.float32).requires_grad_()
    share = conditioning.share(context)
    return Samples(
        points, points, conditioning.context(context), torch.from_numpy(site), share
    ), points


@pytest.mark.parametrize("name", ["js", "kl", "gan_nonsaturating", WASSERSTEIN, SLICED])
def test_independence_given_the_covariate_costs_nothing_and_dependence_does(name):
    found = []
    for dependent in (False, True):
        samples, _ = conditional_samples(dependent)
        torch.manual_seed(0)
        critic = Critic(name, dense_network(2, 2, 32), HOW)
        generator = torch.Generator().manual_seed(0)
        for _ in range(200):
            critic.ascend(samples, generator)
        found.append(float(critic.value(samples, generator).detach()))
    assert found[1] > found[0] + 0.05
    assert found[0] < 0.4 * found[1]


def test_the_generator_gets_a_gradient_and_the_critic_none():
    samples, points = conditional_samples(True)
    critic = Critic("js", dense_network(2, 2, 16), HOW)
    critic.loss(samples, torch.Generator().manual_seed(0)).backward()
    assert float(points.grad.abs().sum()) > 0
    assert all(weight.grad is None for weight in critic.network.parameters())
    assert all(weight.requires_grad for weight in critic.network.parameters())


def test_spectral_normalisation_bounds_the_slope():
    torch.manual_seed(0)
    how = replace(HOW, lipschitz="spectral_norm", learning_rate=1e-2)
    critic = Critic(WASSERSTEIN, dense_network(2, 1, 32), how)
    generator = torch.Generator().manual_seed(0)
    samples = Samples(torch.randn(256, 2) + 3.0, torch.randn(256, 2))
    for _ in range(150):
        critic.ascend(samples, generator)
    slopes = critic.slopes(*interpolates(samples, generator, inside=True), kept=False)
    assert float(slopes.max()) <= 1.02
    assert float(critic.value(samples, generator).detach()) > 1.0


def test_gradient_and_slopes_of_a_known_critic():
    critic = Critic(WASSERSTEIN, torch.nn.Linear(2, 1, bias=False), HOW)
    with torch.no_grad():
        critic.network.weight.copy_(torch.tensor([[3.0, 4.0]]))
    generator = torch.Generator().manual_seed(0)
    samples = Samples(torch.randn(500, 2), torch.randn(500, 2))
    found = lipschitz(critic, samples, generator)
    assert found["lipschitz"] == pytest.approx(5.0, rel=1e-5)
    assert found["lipschitz_off"] == pytest.approx(5.0, rel=1e-5)
    assert generator_gradient(critic, samples, generator) == pytest.approx(5.0, rel=0.1)


def test_propensity_follows_the_covariate_and_words_become_numbers():
    rows = [
        {"site": "a", "scan": "1", "age": 40, "sex": "M", "note": None},
        {"site": "a", "scan": "2", "age": None, "sex": "F", "note": None},
    ]
    values = covariate_values(rows, ["age", "sex", "note", "unheard"])
    assert values["a", "1"] == (40.0, 1.0)
    assert math.isnan(values["a", "2"][0]) and values["a", "2"][1] == 0.0
    age = np.linspace(-1, 1, 60)[:, None].astype(np.float32)
    site = (age[:, 0] > 0).astype(int)
    share = Conditioning(age, site, 2).share(torch.tensor([[-1.0], [1.0], [float("nan")]]))
    assert share[0, 0] > 0.9 > 0.1 > share[1, 0]
    assert share[2].tolist() == pytest.approx([0.5, 0.5], abs=0.05)
    even = Conditioning(np.zeros((4, 0), np.float32), np.array([0, 0, 0, 1]), 2)
    assert even.share(torch.zeros(2, 0)).tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_unknown_names_are_told():
    with pytest.raises(ValueError, match="'jsd' is none of kl"):
        Critic("jsd", None, HOW)


def test_units_are_nats_but_for_distances_and_pure_numbers():
    terms = ["invariance", "invariance_sliced_wasserstein", "realism", "realism_js", "loss"]
    told = {name: term_unit(name, terms) for name in (*terms, "realism_lipschitz")}
    assert told["invariance"] == told["invariance_sliced_wasserstein"] == "SD"
    assert told["realism"] == told["realism_js"] == told["loss"] == "nats"
    assert told["realism_lipschitz"] == "1" and term_unit("invariance", ["loss"]) == "nats"
