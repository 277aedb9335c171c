"""A trained model: known scanners are read rightly, volumes keep their shape, sites join."""

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

import synthetic
from ctharmony.model.adaptation import adapt, hyperprior, reference_profile, unseen_profile
from ctharmony.model.card import model_card
from ctharmony.model.inference import TrainedModel
from ctharmony.model.settings import Settings
from ctharmony.model.training import train
from training_block import training_block


@pytest.fixture(scope="module")
def trained(scans):
    block = training_block()
    block["training"].update(steps=150, steps_per_epoch=150)
    return train(scans, Settings.from_dict(block), seed=1, threads=1)


@pytest.fixture(scope="module")
def model(trained):
    return trained[0]


def new_scan(site, seed, scanner=None):
    return synthetic.scan(site, seed, "test", scanner, field_mm=160.0, slices=3)


def test_state_survives_safetensors(model):
    again = TrainedModel.from_state(model.settings, load(save(model.state())))
    scan = new_scan("north", 70)
    one, two = (part.encode_scan(scan.hu, scan.mask, scan.spacing) for part in (model, again))
    assert np.array_equal(one.mean, two.mean)
    assert again.sites == model.sites == ["north", "south", "west"]


def test_states_of_other_settings_are_refused(model, block):
    state = model.state()
    block["network"]["width"] = 12
    with pytest.raises(ValueError, match="train again"):
        TrainedModel.from_state(Settings.from_dict(block), state)
    state.pop("sites")
    with pytest.raises(ValueError, match="name no sites"):
        TrainedModel.from_state(model.settings, state)


def test_scanners_are_told_apart_by_z_s_and_not_by_z_b(model):
    scans = [new_scan(site, 100 + k) for k in range(4) for site in model.sites]
    posteriors = [model.encode_scan(s.hu, s.mask, s.spacing) for s in scans]
    priors = np.stack([model.site_prior(site)[0] for site in model.sites])
    means = np.stack([posterior.mean for posterior in posteriors])
    nearest = ((means[:, None] - priors) ** 2).sum(2).argmin(1)
    assert [model.sites[k] for k in nearest] == [scan.site for scan in scans]
    biology = np.stack([posterior.biology_mean for posterior in posteriors]).reshape(4, 3, -1)
    between = biology.mean(0).var(0).sum()
    assert between < biology.var(0).mean(0).sum()


def test_the_scanner_is_readable_in_physical_units(model):
    noise = {s: model.residual_spectrum(model.site_prior(s)[0])[4:16].mean() for s in model.sites}
    assert noise["south"] > noise["north"] > noise["west"]
    for index, tissue in ((1, 10.0), (2, 12.0), (3, 80.0)):
        curves = {s: model.hu_curve(model.site_prior(s)[0])[1] for s in model.sites}
        shift = curves["south"][index] - curves["north"][index]
        assert shift == pytest.approx(tissue, abs=0.6 * tissue)


def test_decoding_to_the_same_scanner_changes_nothing(model):
    scan = new_scan("south", 120)
    prior = model.site_prior("south")[0]
    source, target, sd = model.decode(scan.hu, scan.spacing, prior, prior)
    assert np.array_equal(source, target)
    assert source.shape == sd.shape == scan.hu.shape
    assert source.dtype == np.float32
    assert (sd > 0).all()
    alone, *nothing = model.decode(scan.hu, scan.spacing, prior, None)
    assert np.array_equal(alone, source) and nothing == [None, None]
    other = model.decode(scan.hu, scan.spacing, prior, model.site_prior("north")[0])[1]
    assert np.abs(other - source).max() > 1.0


def test_a_volume_is_decoded_slice_by_slice(model):
    """Blocks of slices leave no trace: the same slices in another block give the same HU."""
    scan = new_scan("west", 121)
    prior, other = model.site_prior("west")[0], model.site_prior("north")[0]
    twice = np.concatenate([scan.hu, scan.hu[::-1]])
    whole = model.decode(twice, scan.spacing, prior, other)[1]
    alone = model.decode(scan.hu, scan.spacing, prior, other)[1]
    assert whole[:2] == pytest.approx(alone[:2], abs=0.05)


def test_odd_shapes_and_oblong_pixels_are_decoded(model):
    hu = new_scan("north", 122).hu[:, :91, :67]
    prior = model.site_prior("north")[0]
    assert model.decode(hu, (5.0, 1.3, 0.7), prior, prior)[0].shape == hu.shape


def test_an_unknown_site_and_an_empty_mask_are_told(model):
    with pytest.raises(ValueError, match="site nowhere"):
        model.site_prior("nowhere")
    scan = new_scan("north", 123)
    with pytest.raises(ValueError, match="mask is empty"):
        model.encode_scan(scan.hu, 0 * scan.mask, scan.spacing)


def test_a_new_site_joins_from_few_scans_with_the_network_frozen(model):
    before = {name: value.clone() for name, value in model.state().items()}
    scans = [new_scan("query", 130 + k, synthetic.QUERY) for k in range(6)]
    posteriors = [model.encode_scan(s.hu, s.mask, s.spacing) for s in scans]
    profile = adapt(model, posteriors)
    assert (profile.n_scans, profile.reason) == (6, "")
    curve = model.hu_curve(profile.prior_mean)[1]
    assert curve[1:3] == pytest.approx([-94, 58], abs=5)
    assert all(torch.equal(before[name], value) for name, value in model.state().items())


def test_one_scan_is_trusted_less_than_many(model):
    scan = new_scan("query", 140, synthetic.QUERY)
    posterior = model.encode_scan(scan.hu, scan.mask, scan.spacing)
    hyper = np.mean([model.site_prior(site)[0] for site in model.sites], axis=0)
    gaps = [
        np.linalg.norm(adapt(model, [posterior] * count).prior_mean - hyper) for count in (1, 3, 30)
    ]
    assert gaps[0] < gaps[1] < gaps[2] <= np.linalg.norm(posterior.mean - hyper) + 1e-4


def test_what_is_no_ct_is_refused(model):
    scan = new_scan("north", 150)
    noise = np.random.default_rng(0).normal(0, 3000, scan.hu.shape).astype(np.float32)
    profile = adapt(model, [model.encode_scan(scan.hu + noise, scan.mask, scan.spacing)])
    assert profile.out_of_distribution > model.settings.adaptation.refuse_above
    assert "training SDs away" in profile.reason
    magnetic = 0.2 * scan.hu + 300.0
    profile = adapt(model, [model.encode_scan(magnetic, scan.mask, scan.spacing)])
    assert "check that they are chest CT" in profile.reason
    with pytest.raises(ValueError, match="no usable scan"):
        adapt(model, [])


def test_site_files_have_one_form(model):
    reference = reference_profile(model, "north", 2).to_dict("north", {"n_scans": 2})
    scan = new_scan("query", 141, synthetic.QUERY)
    posterior = model.encode_scan(scan.hu, scan.mask, scan.spacing)
    query = adapt(model, [posterior]).to_dict("query", {"n_scans": 1})
    assert reference.keys() == query.keys()
    assert len(reference["prior_mean"]) == len(query["prior_mean"])


def test_the_card_says_what_was_done(trained, scans):
    model, history = trained
    card = model_card(model, scans, history, seed=1)
    assert card["scans"] == {"train": 6, "validation": 3}
    assert card["status"] == "healthy"
    assert card["judged_on"] == "validation scans"
    assert set(card["sites"]) == {"north", "south", "west"}
    assert card["settings"] == model.settings.to_dict()
    alone = [scan for scan in scans if scan.split == "train"]
    assert "no validation subjects" in model_card(model, alone, history, 1)["judged_on"]


def test_a_site_without_usable_scans_gets_the_hyperprior_and_a_reason(model):
    profile = unseen_profile(model, "closed")
    mean, between, within = hyperprior(model)
    assert profile.n_scans == 0
    assert "closed" in profile.reason and "scans.tsv" in profile.reason
    np.testing.assert_allclose(profile.prior_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(np.exp(profile.prior_logvar), between + within, rtol=1e-5)
