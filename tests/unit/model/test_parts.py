"""HU curves, spectra, twins, scans, invariance, optimiser: each against what is known of it."""

import math

import numpy as np
import pytest
import torch

from ctharmony.model.curve import (
    MIN_SLOPE,
    NORMAL_HU,
    NORMAL_UNITS,
    increasing,
    piecewise_linear,
    to_hu,
    to_units,
)
from ctharmony.model.invariance import gaussian, moyer, penalty
from ctharmony.model.optimiser import orthogonalised
from ctharmony.model.scans import cut, measure_anchors, patch_shape, slab, spread_centres
from ctharmony.model.settings import Settings
from ctharmony.model.spectrum import FREQUENCIES, filtered, radial_layout, radial_power
from ctharmony.model.twins import make_twin, twin_penalty

PIXEL = (0.8, 0.8)


def test_piecewise_linear_is_numpys_interpolation_between_the_knots():
    knots_in = torch.tensor([-1000.0, -100.0, 50.0, 400.0])
    knots_out = torch.tensor([[-990.0, -90.0, 65.0, 480.0], [-1000.0, -105.0, 40.0, 380.0]])
    hu = torch.linspace(-1000, 400, 57).expand(2, 57)
    found = piecewise_linear(hu, knots_in, knots_out)
    for row, out in zip(found, knots_out, strict=True):
        expected = np.interp(hu[0].numpy(), knots_in.numpy(), out.numpy())
        assert row.numpy() == pytest.approx(expected, abs=1e-3)


def test_curves_are_inverted_by_swapping_their_knots_even_outside():
    knots_in = torch.tensor([-1000.0, -100.0, 50.0, 400.0])
    knots_out = torch.tensor([[-990.0, -90.0, 65.0, 480.0]])
    hu = torch.linspace(-1500, 3000, 100)[None]
    there = piecewise_linear(hu, knots_in, knots_out)
    assert torch.allclose(piecewise_linear(there, knots_out, knots_in), hu, atol=1e-2)
    assert torch.allclose(to_hu(to_units(hu)), hu, atol=1e-2)


def test_network_units_meet_their_knots():
    units = to_units(torch.tensor([NORMAL_HU]))[0]
    assert units.tolist() == pytest.approx(NORMAL_UNITS, abs=1e-6)


def test_shifted_knots_stay_increasing_and_small_shifts_stay_exact():
    knots = torch.tensor([-1000.0, -100.0, 50.0, 400.0])
    small = torch.tensor([[5.0, -10.0, 12.0, 80.0]])
    assert torch.allclose(increasing(knots, small), knots + small, atol=1e-3)
    wild = increasing(knots, torch.tensor([[0.0, 500.0, -500.0, 0.0]]))
    assert (wild.diff() >= MIN_SLOPE * knots.diff() - 1e-3).all()


def test_white_noise_has_a_flat_spectrum_of_its_variance():
    generator = torch.Generator().manual_seed(0)
    noise = 10.0 * torch.randn(200, 96, 96, generator=generator)
    power, counts = radial_power(noise, PIXEL)
    seen = counts > 20
    expected = 100.0 * PIXEL[0] * PIXEL[1]  # HU^2 mm^2: variance times pixel area
    assert power.mean(0)[seen].numpy() == pytest.approx(expected, rel=0.05)
    assert (FREQUENCIES[counts > 0] - 0.0125 <= 0.5 / 0.8).all()


def test_power_is_physical_one_texture_on_two_grids():
    fine = torch.arange(128)[None, :] * 0.5
    coarse = torch.arange(64)[None, :] * 1.0
    found = []
    for place, pixel in ((fine, 0.5), (coarse, 1.0)):
        wave = torch.sin(2 * math.pi * 0.2 * place).expand(place.shape[1], -1)
        power, _ = radial_power(wave, (pixel, pixel))
        found.append((int(power.argmax()), float(power.max())))
    assert found[0][0] == found[1][0] in (7, 8)  # 0.2 is the edge of both
    assert found[0][1] == pytest.approx(found[1][1], rel=0.15)


def test_a_filter_of_gain_one_changes_nothing():
    patch = torch.randn(2, 3, 33, 40)
    radius = radial_layout((33, 40), PIXEL)[2]
    assert torch.allclose(filtered(patch, torch.ones_like(radius)), patch, atol=1e-5)


def test_twins_differ_from_their_patch_but_keep_its_mean():
    patch = torch.full((1, 3, 40, 40), 50.0)
    patch[..., 10:30, 10:30] = -800.0
    twin = make_twin(patch, PIXEL, np.random.default_rng(3))
    assert float((twin - patch).abs().mean()) > 0.5
    assert float(twin.mean()) == pytest.approx(float(patch.mean()), abs=1.0)
    again = make_twin(patch, PIXEL, np.random.default_rng(3))
    assert torch.equal(twin, again)


def test_twin_penalty_is_zero_for_equal_posteriors_only():
    one = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    assert float(twin_penalty(one, one)) == pytest.approx(0.0, abs=1e-5)
    assert float(twin_penalty(one, (one[0] + 1.0, one[1]))) > 0.1


def test_moyer_bounds_the_information_that_z_b_has_of_the_patch():
    mean, logvar = torch.zeros(6, 4, 3, 3), torch.zeros(6, 4, 3, 3)
    assert float(moyer(mean, logvar, torch.arange(6) % 2)) == pytest.approx(0.0, abs=1e-6)
    apart = mean + torch.arange(6.0).reshape(6, 1, 1, 1)
    assert float(moyer(apart, logvar, torch.arange(6) % 2)) > math.log(6)


def test_gaussian_penalty_sees_site_means_and_not_patient_means():
    generator = torch.Generator().manual_seed(2)
    mean = torch.randn(40, 3, 4, 4, generator=generator)
    logvar = torch.full_like(mean, -2.0)
    site = torch.arange(40) % 2
    blind = float(gaussian(mean, logvar, site))
    shifted = mean + site.float().reshape(-1, 1, 1, 1)
    assert float(gaussian(shifted, logvar, site)) > blind + 1.0


def test_penalties_are_named_and_unknown_names_are_told():
    assert penalty("none") is None
    assert penalty("moyer") is moyer
    with pytest.raises(ValueError, match="'mayor'"):
        penalty("mayor")


def test_orthogonalised_steps_have_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((8, 30), (30, 8)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
        assert float(values.min()) > 0.5
        assert float(values.max()) < 1.5


def test_patches_keep_inside_and_are_filled_with_air_where_they_cannot():
    hu = np.arange(2 * 20 * 20, dtype=np.float32).reshape(2, 20, 20)
    assert cut(hu, np.array([0, 0, 0]), (8, 8)).tolist() == hu[[0, 0, 1], :8, :8].tolist()
    assert cut(hu, np.array([1, 19, 19]), (8, 8)).tolist() == hu[[0, 1, 1], 12:, 12:].tolist()
    padded = cut(hu, np.array([0, 5, 5]), (30, 24))
    assert padded.shape == (3, 30, 24)
    assert (padded[:, 20:] == -1000).all()
    assert slab(hu, 0).tolist() == hu[[0, 0, 1]].tolist()


def test_patches_have_the_same_size_in_millimetres_on_every_grid():
    assert patch_shape((5.0, 1.0, 1.0), 96.0) == (96, 96)
    assert patch_shape((5.0, 0.5, 2.0), 96.0) == (192, 48)


def test_spread_centres_lie_in_the_body_and_reach_all_slices():
    mask = np.zeros((6, 20, 20), np.uint8)
    mask[:, 5:15, 5:15] = 1
    centres = spread_centres(mask, 12)
    assert mask[tuple(centres.T)].all()
    assert set(centres[:, 0]) == set(range(6))
    with pytest.raises(ValueError, match="mask is empty"):
        spread_centres(0 * mask, 4)


def test_anchors_find_the_tissues_through_noise(scans):
    found = {
        scan.site: measure_anchors(scan.hu, scan.mask, ["air", "fat", "soft_tissue"])
        for scan in scans
    }
    assert found["north"] == pytest.approx([-1000, -100, 50], abs=4)
    assert found["south"] == pytest.approx([-1000, -90, 62], abs=5)
    assert found["west"] == pytest.approx([-1000, -108, 40], abs=4)
    padded = np.pad(scans[0].hu, ((0, 0), (0, 0), (0, 200)), constant_values=-1024)
    mask = np.pad(scans[0].mask, ((0, 0), (0, 0), (0, 200)))
    assert measure_anchors(padded, mask, ["air"]) == pytest.approx([-1000], abs=4)
    empty = measure_anchors(np.zeros((2, 9, 9)), np.ones((2, 9, 9)), ["bone"])
    assert np.isnan(empty).all()
    with pytest.raises(ValueError, match="no HU window for steel"):
        measure_anchors(scans[0].hu, scans[0].mask, ["steel"])


def test_settings_put_tissues_in_order_and_tell_what_is_wrong(block):
    block["anchors_hu"] = dict(reversed(block["anchors_hu"].items()))
    settings = Settings.from_dict(block)
    assert list(settings.anchors_hu) == list(settings.anchor_sd_hu)
    assert list(settings.anchors_hu) == ["air", "fat", "soft_tissue", "bone"]
    assert Settings.from_dict(settings.to_dict()) == settings
    with pytest.raises(ValueError, match=r"model.network does not know widht"):
        Settings.from_dict(block | {"network": block["network"] | {"widht": 3}})
    del block["training"]["steps"]
    with pytest.raises(ValueError, match=r"model.training lacks steps"):
        Settings.from_dict(block)
