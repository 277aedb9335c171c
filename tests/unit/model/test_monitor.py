"""The collapse monitor sees a dead latent, whatever killed it."""

import pytest
import torch

from ctharmony.model.monitor import (
    BIOLOGY_COLLAPSED,
    DECODER_IGNORES,
    HEALTHY,
    SCANNER_COLLAPSED,
    _status,
    _used,
    collapse,
)
from ctharmony.model.sampling import PatchSource
from ctharmony.model.settings import Settings
from ctharmony.model.training import Hooks, Trainer
from training_block import training_block


def trained(scans, block, steps=150):
    block["training"].update(steps=steps, steps_per_epoch=steps)
    trainer = Trainer(scans, Settings.from_dict(block), 0, Hooks())
    for _ in range(steps):
        trainer._step()
    return trainer.model.module.eval(), trainer.source


@pytest.fixture(scope="module")
def healthy(scans):
    return trained(scans, training_block())


def test_a_trained_model_is_healthy(healthy, settings):
    found = collapse(*healthy, settings)
    assert found.status == HEALTHY
    assert found.active_scanner > 0
    assert found.active_biology > 0
    assert found.loss_without_biology > 100.0


def _silenced(layer, half):
    """Zero the mean of a posterior (the first half of its last layer's outputs)."""
    kept = layer.weight.detach().clone(), layer.bias.detach().clone()
    with torch.no_grad():
        layer.weight[:half] = 0.0
        layer.bias[:half] = 0.0
        layer.weight[half:] = 0.0
        layer.bias[half:] = 0.0
    return kept


def _restored(layer, kept):
    with torch.no_grad():
        layer.weight.copy_(kept[0])
        layer.bias.copy_(kept[1])


def test_a_silent_scanner_latent_is_seen(healthy, settings):
    model, source = healthy
    kept = _silenced(model.scanner.layers[2], 4)
    found = collapse(model, source, settings)
    _restored(model.scanner.layers[2], kept)
    assert (found.status, found.active_scanner) == (SCANNER_COLLAPSED, 0)


def test_a_silent_biology_latent_is_seen(healthy, settings):
    model, source = healthy
    kept = _silenced(model.biology.head, 4)
    found = collapse(model, source, settings)
    _restored(model.biology.head, kept)
    assert (found.status, found.active_biology) == (BIOLOGY_COLLAPSED, 0)


def test_a_skip_decoder_collapses_and_weak_rates_repair_it(scans, block):
    """With skips and a strong rate nothing flows through z_b; the plain decoder keeps it."""
    block["network"]["decoder"] = "unet"
    block["objective"].update(beta_biology=8.0, free_bits_biology=0.0)
    model, source = trained(scans, block)
    found = collapse(model, source, Settings.from_dict(block))
    assert found.status == BIOLOGY_COLLAPSED
    block["network"]["decoder"] = "plain"
    model, source = trained(scans, block)
    assert collapse(model, source, Settings.from_dict(block)).status == HEALTHY


@pytest.mark.parametrize(
    ("active", "scanner", "biology", "status"),
    [
        ((4, 4), 50.0, 1.0, HEALTHY),
        ((4, 4), 0.0, 0.0, DECODER_IGNORES),
        ((0, 4), 50.0, 1.0, SCANNER_COLLAPSED),
        ((4, 4), 0.1, 1.0, SCANNER_COLLAPSED),
        ((4, 0), 50.0, 1.0, BIOLOGY_COLLAPSED),
        ((4, 4), 50.0, 0.001, BIOLOGY_COLLAPSED),
        ((4, 0), 0.0, 0.0, BIOLOGY_COLLAPSED),
        ((0, 4), 0.0, 1.0, SCANNER_COLLAPSED),
    ],
)
def test_verdicts(active, scanner, biology, status):
    used = _used(scanner, biology, Settings.from_dict(training_block()).monitor)
    assert _status(active, *used) == status


def test_monitor_repeats_itself(healthy, scans, settings):
    model, _ = healthy
    source = PatchSource(scans, ["north", "south", "west"], settings)
    assert collapse(model, source, settings) == collapse(model, source, settings)
