"""Training: repeatable, resumable, safe against not-a-number, blind to test scans."""

import io
from dataclasses import replace

import pytest
import torch

from ctharmony.model import training
from ctharmony.model.inference import TrainedModel
from ctharmony.model.settings import Settings
from ctharmony.model.training import Hooks, Trainer, TrainingInterruptedError, train
from training_block import training_block


def same(first: TrainedModel, second: TrainedModel) -> bool:
    one, two = first.state(), second.state()
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture(scope="module")
def whole(scans):
    return train(scans, Settings.from_dict(training_block()), seed=5, threads=1)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(scans, settings, whole):
    again, history = train(scans, settings, seed=5, threads=1)
    assert same(whole[0], again)
    assert history == whole[1]
    assert not same(whole[0], train(scans, settings, seed=6, threads=1)[0])


@pytest.mark.parametrize("stop_after", [2, 3, 4])
def test_resume_gives_the_weights_of_an_uninterrupted_run(scans, settings, whole, stop_after):
    saved, calls = io.BytesIO(), []

    def stop() -> bool:
        calls.append(1)
        return len(calls) == stop_after

    hooks = Hooks(on_checkpoint=lambda state: torch.save(state, saved), should_stop=stop)
    with pytest.raises(TrainingInterruptedError, match=f"step {stop_after} of 6"):
        train(scans, settings, 5, 1, hooks=hooks)
    saved.seek(0)
    state = torch.load(saved, weights_only=True)
    model, history = train(scans, settings, 5, 1, checkpoint=state)
    assert same(whole[0], model)
    assert history == whole[1]


def test_a_checkpoint_of_another_run_is_refused(scans, settings):
    state = Trainer(scans, settings, 5, Hooks()).checkpoint()
    with pytest.raises(ValueError, match="another seed"):
        train(scans, settings, 6, 1, checkpoint=state)


def test_the_random_numbers_of_the_caller_are_left_alone(scans, settings):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    Trainer(scans, settings, 5, Hooks())
    assert torch.equal(torch.rand(3), expected)


def test_history_names_every_term_in_nats(whole):
    rows = whole[1]
    without_unit = {"decoded_density", "decoded_coverage"}
    assert {row["unit"] for row in rows if row["term"] not in without_unit} == {"nats"}
    assert {row["epoch"] for row in rows} == {1, 2}
    trained = {row["term"] for row in rows if row["split"] == "train"}
    assert {"loss", "reconstruction", "spectrum", "rate_biology", "invariance", "twins"} <= trained
    value = {row["term"]: row["value"] for row in rows if row["split"] == "validation"}
    for group in ("scanner", "scanner_standard", "biology"):
        split = value[f"{group}_mutual_information"] + value[f"{group}_marginal_kl"]
        assert value[f"{group}_rate_sampled"] == pytest.approx(split, abs=1e-6)


def test_test_scans_are_refused_and_training_scans_needed(scans, settings):
    tested = [replace(scans[0], split="test"), *scans[1:]]
    with pytest.raises(ValueError, match=f"must not be trained on: {scans[0].scan}"):
        train(tested, settings, 5, 1)
    with pytest.raises(ValueError, match="no scan of split train"):
        train([scan for scan in scans if scan.split == "validation"], settings, 5, 1)


def test_validation_scans_do_not_touch_the_weights(scans, settings, whole):
    without = [scan for scan in scans if scan.split == "train"]
    assert same(whole[0], train(without, settings, 5, 1)[0])


def test_one_bad_step_is_skipped_and_many_stop_the_run(scans, settings, monkeypatch):
    trainer = Trainer(scans, settings, 5, Hooks())
    real = trainer._parts
    before = {name: value.clone() for name, value in trainer.model.module.state_dict().items()}

    def broken(step):
        parts = real(step)
        parts["reconstruction"] = parts["reconstruction"] * float("nan")
        return parts

    monkeypatch.setattr(trainer, "_parts", broken)
    trainer._step()
    assert trainer.progress.bad_steps == 1
    after = trainer.model.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    trainer.progress.bad_steps = 19
    with pytest.raises(FloatingPointError, match=r"reconstruction .*learning_rate"):
        trainer._step()


def test_the_loss_falls(scans, block):
    block["training"].update(steps=60, steps_per_epoch=15)
    _, history = train(scans, Settings.from_dict(block), 0, 1)
    losses = [
        r["value"] for r in history if r["term"] == "reconstruction" and r["split"] == "train"
    ]
    assert losses[-1] < 0.5 * losses[0]
    assert losses[-1] < 10.0 * 32**2  # nats of 32 x 32 pixels


def test_training_ends_early_with_the_weights_of_the_best_epoch(scans, block, monkeypatch):
    block["training"].update(steps=12, steps_per_epoch=2, patience_epochs=2)
    losses = iter([5.0, 4.0, 4.5, 4.2, 1.0, 1.0])
    states = []

    real = training.validation_rows

    def rows(model, *others):
        states.append({name: value.clone() for name, value in model.state_dict().items()})
        loss = next(losses)
        return [
            row | ({"value": loss} if row["term"] == "loss" else {}) for row in real(model, *others)
        ]

    monkeypatch.setattr(training, "validation_rows", rows)
    trainer = Trainer(scans, Settings.from_dict(block), 5, Hooks())
    _, history = trainer.run(None)
    assert {row["epoch"] for row in history} == {1, 2, 3, 4}
    kept = trainer.model.module.state_dict()
    assert all(torch.equal(kept[name], states[1][name]) for name in kept)
    assert not all(torch.equal(states[3][name], states[1][name]) for name in kept)
