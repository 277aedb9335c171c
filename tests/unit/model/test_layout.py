"""Channels-last memory and compilation change the speed of training, never what is learned."""

from dataclasses import replace

import pytest
import torch

from ctharmony.model.devices import laid_out
from ctharmony.model.settings import Settings
from ctharmony.model.training import Hooks, Trainer, train
from ctharmony.model.vae import FactorisedVAE
from training_block import training_block


def settings(**training) -> Settings:
    block = training_block()
    block["training"].update(training)
    return Settings.from_dict(block)


def network(how: Settings) -> FactorisedVAE:
    torch.manual_seed(0)
    return FactorisedVAE(how, 2)


@pytest.mark.parametrize("change", [{"channels_last": "always"}, {"compiled": "always"}])
def test_the_networks_say_the_same(change):
    plain, how = network(settings()), settings(**change).training
    other = laid_out(network(settings()), how, on_gpu=False, backend="aot_eager")
    image, z_s = 40.0 * torch.randn(2, 3, 32, 32), torch.zeros(2, 4)
    results = []
    for model in (plain, other):
        z_b = model.encode_biology(image, z_s)[0]
        mean, log_sd = model.decode(z_b, z_s)
        (mean.square().mean() + log_sd.mean()).backward()
        results.append([mean, log_sd, model.biology.stem.weight.grad])
    for first, second in zip(*results, strict=True):
        torch.testing.assert_close(second, first, rtol=1e-3, atol=1e-3)
    assert other.state_dict().keys() == plain.state_dict().keys()


def test_training_on_channels_last_memory_gives_the_weights_of_the_plain_one(scans):
    short = {"steps": 3, "steps_per_epoch": 3}
    plain = train(scans, settings(**short), seed=2, threads=1)[0].state()
    last = train(scans, settings(**short, channels_last="always"), seed=2, threads=1)[0].state()
    for name, value in plain.items():
        torch.testing.assert_close(last[name], value, rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize(("asked", "on_gpu", "expected"), [
    ("never", True, False), ("auto", False, False), ("auto", True, True), ("always", False, True),
])  # fmt: skip
def test_auto_means_on_a_gpu(asked, on_gpu, expected):
    how = replace(settings().training, channels_last=asked)
    weight = laid_out(network(settings()), how, on_gpu).biology.fine.convolution.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) == expected


def test_the_trainer_lays_its_model_out(scans):
    trainer = Trainer(scans, settings(channels_last="always"), 1, Hooks())
    weight = trainer.model.module.decoder.enter.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
