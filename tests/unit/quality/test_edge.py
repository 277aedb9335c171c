import numpy as np
import pytest

from ctharmony.quality import edge
from ctharmony.quality.noise import FREQUENCIES

PIXEL = 0.7
SPACING = (3.0, PIXEL, PIXEL)


def transfer(volume, body, how):
    return edge.mtf(*edge.edge_response(volume, body, SPACING, how.edge))


@pytest.mark.parametrize("blur", [0.45, 0.7, 1.0])
def test_mtf_of_a_gaussian_edge_is_the_closed_form(how, blurred_disc, blur):
    curve = transfer(*blurred_disc(6, 320, PIXEL, blur), how)
    truth = np.exp(-2 * (np.pi * blur * FREQUENCIES) ** 2)
    known = (FREQUENCIES < 0.5 / PIXEL) & (truth > 0.08)
    np.testing.assert_allclose(curve[known], truth[known], atol=0.03)
    half = np.sqrt(np.log(2) / 2) / (np.pi * blur)
    tenth = np.sqrt(np.log(10) / 2) / (np.pi * blur)
    assert edge.frequency_at(curve, 0.5) == pytest.approx(half, rel=0.05)
    if tenth < 0.5 / PIXEL:
        assert edge.frequency_at(curve, 0.1) == pytest.approx(tenth, rel=0.05)


def test_noise_moves_mtf50_by_less_than_five_percent(how, blurred_disc):
    volume, body = blurred_disc(12, 320, PIXEL, 0.7)
    noisy = volume + np.random.default_rng(0).normal(scale=25, size=volume.shape)
    half = np.sqrt(np.log(2) / 2) / (np.pi * 0.7)
    assert edge.frequency_at(transfer(noisy, body, how), 0.5) == pytest.approx(half, rel=0.05)


def test_the_round_edge_of_the_field_of_view_is_not_skin(how):
    axis = (np.arange(320) - 160) * PIXEL
    inside = np.hypot(axis[:, None], axis[None]) < 90
    picture = np.where(inside, 50 + np.random.default_rng(0).normal(scale=9, size=(8, 320, 320)), 0)
    volume = np.where(inside, picture, -1024)
    assert np.isnan(transfer(volume, np.repeat(inside[None], 8, 0), how)).all()


def test_slanted_skin_is_left_out(how, blurred_disc):
    slices = [blurred_disc(1, 320, PIXEL, 0.5, radius_mm=80 + 2 * k) for k in range(8)]
    volume = np.concatenate([part for part, _ in slices])
    body = np.concatenate([part for _, part in slices])
    assert np.isnan(transfer(volume, body, how)).all()


def test_frequency_at_interpolates_and_may_not_exist():
    curve = np.where(np.arange(40) < 10, 1.0, 0.0)
    assert edge.frequency_at(curve, 0.5) == pytest.approx((FREQUENCIES[9] + FREQUENCIES[10]) / 2)
    assert np.isnan(edge.frequency_at(np.ones(40), 0.5))
    assert np.isnan(edge.frequency_at(np.full(40, np.nan), 0.5))
