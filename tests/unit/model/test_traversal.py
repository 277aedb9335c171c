"""Traversals: a site's step is what the decoder shows of it, a trait moves its pattern."""

import numpy as np
import pytest
import torch

from ctharmony.model.inference import TrainedModel
from ctharmony.model.scans import slab
from ctharmony.model.settings import Settings
from ctharmony.model.traversal import Step, site_steps, trait_steps, traverse
from ctharmony.model.vae import FactorisedVAE
from training_block import training_block


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    torch.manual_seed(3)
    settings = Settings.from_dict(training_block())
    network = FactorisedVAE(settings, 3)
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.05 * torch.randn_like(weight)
    return TrainedModel(settings, ["north", "south", "west"], network)


def test_steps_at_sites_are_what_decode_shows(model, scans):
    scan = scans[0]
    hu = scan.hu.astype(np.float32)
    source = model.site_prior("north")[0]
    steps = site_steps(model, ["north", "south", "west"], between=1)
    assert [step.label for step in steps] == ["north", "", "south", "", "west", "", ""]
    shown = traverse(model, slab(hu, 1), scan.spacing, source, steps)
    assert shown.shape == (7, *hu.shape[1:])
    for index, site in ((0, "north"), (2, "south"), (4, "west")):
        decoded = model.decode(hu, scan.spacing, source, model.site_prior(site)[0])[1]
        assert np.allclose(shown[index], decoded[1], atol=0.01)
    assert np.array_equal(shown[0], shown[-1]) and not np.allclose(shown[0], shown[2])


def test_a_trait_moves_along_its_pattern(model, scans):
    generator = np.random.default_rng(0)
    channels = model.settings.network.biology_channels
    pattern = generator.normal(size=channels)
    ages = generator.uniform(40, 80, 200)
    biology = np.outer(ages, pattern) + generator.normal(size=(200, channels))
    z_s = model.site_prior("north")[0]
    steps = trait_steps(biology, ages, 60.0, z_s, 5)
    low, high = np.percentile(ages, [5, 95])
    assert steps[0].label == f"{low:.3g}" and steps[-1].label == f"{high:.3g}"
    assert steps[-1].shift == pytest.approx(pattern * (high - 60), rel=0.1, abs=0.3)
    scan = scans[0]
    still = Step("60", z_s, np.zeros(channels))
    shown = traverse(model, slab(scan.hu, 1), scan.spacing, z_s, [still, *steps])
    away = np.abs(shown[1:] - shown[0]).mean(axis=(1, 2))
    assert away.argmin() == 2 and away[0] > 2 * away[2]


@pytest.mark.parametrize(
    "ages", [[60.0] * 6, [np.nan] * 3 + [50.0, 60.0, 70.0]], ids=["all alike", "few known"]
)
def test_no_slope_no_pictures(model, ages):
    z_s = model.site_prior("north")[0]
    assert trait_steps(np.ones((6, 2)), np.array(ages), 60.0, z_s, 5) == []
    assert trait_steps(np.ones((6, 2)), np.arange(6.0), np.nan, z_s, 5) == []
