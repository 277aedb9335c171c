import dataclasses

import numpy as np
import pytest

from ctharmony.quality import noise

PIXEL = 0.7
SPACING = (3.0, PIXEL, PIXEL)
SHAPE = (10, 256, 256)
BODY = np.ones(SHAPE, dtype=bool)


def measured(volume, how):
    corners, patches = noise.homogeneous_patches(volume, BODY, SPACING, how)
    return corners, patches, noise.noise_power(patches, SPACING, how)


def above_trend(how):
    """Frequencies that the removal of a second-order trend leaves alone, below Nyquist."""
    return (2.5 / how.patch_mm < noise.FREQUENCIES) & (noise.FREQUENCIES < 0.49 / PIXEL)


@pytest.mark.parametrize("sd", [5.0, 25.0, 80.0])
def test_white_noise_has_its_sd_and_a_flat_spectrum(how, sd):
    volume = 50 + np.random.default_rng(1).normal(scale=sd, size=SHAPE)
    _, _, spectrum = measured(volume, dataclasses.replace(how.noise, max_patches=4000))
    assert noise.noise_sd(volume, BODY, SPACING, how.noise) == pytest.approx(sd, rel=0.05)
    known = above_trend(how.noise)
    assert spectrum[known].mean() == pytest.approx(sd**2 * PIXEL**2, rel=0.02)
    np.testing.assert_allclose(spectrum[known], sd**2 * PIXEL**2, rtol=0.05)


def test_spectrum_of_filtered_noise_is_the_closed_form(how, filtered_noise):
    blur = 0.6

    def nps(f):
        return 400 * np.exp(-4 * np.pi**2 * blur**2 * f**2 / 2)

    volume = 40 + filtered_noise(SHAPE, PIXEL, nps)
    _, _, spectrum = measured(volume, dataclasses.replace(how.noise, max_patches=4000))
    truth = nps(noise.FREQUENCIES)
    known = above_trend(how.noise) & (truth > 0.05 * truth.max())
    np.testing.assert_allclose(spectrum[known], truth[known], rtol=0.05)
    assert spectrum[known].sum() == pytest.approx(truth[known].sum(), rel=0.03)


def test_the_choice_of_smooth_patches_costs_no_noise_power(how):
    volume = 50 + np.random.default_rng(3).normal(scale=20, size=(30, *SHAPE[1:]))
    body = np.ones(volume.shape, dtype=bool)
    wide = dataclasses.replace(how.noise, max_patches=8000)
    _, patches = noise.homogeneous_patches(volume, body, SPACING, wide)
    low = above_trend(how.noise) & (noise.FREQUENCIES < 0.22)
    raw = noise.power_spectrum(patches, SPACING)[low].mean() / (400 * PIXEL**2)
    given_back = noise.noise_power(patches, SPACING, wide)[low].mean() / (400 * PIXEL**2)
    assert raw < 0.985
    assert given_back == pytest.approx(1, abs=0.012)


def test_peak_and_mean_frequency_of_a_ramp_spectrum(how, filtered_noise):
    top = 0.3

    def nps(f):
        return 3000 * f * np.exp(-(f**2) / (2 * top**2))

    volume = 40 + filtered_noise(SHAPE, PIXEL, nps, seed=4)
    _, _, spectrum = measured(volume, how.noise)
    peak, mean = noise.peak_and_mean_frequency(spectrum)
    f = noise.FREQUENCIES[np.isfinite(spectrum)]
    assert mean == pytest.approx((f * nps(f)).sum() / nps(f).sum(), rel=0.05)
    assert peak == pytest.approx(top, abs=0.05)


def test_spectrum_integrates_to_the_variance_and_stops_at_nyquist(how, filtered_noise):
    volume = 60 + filtered_noise(SHAPE, PIXEL, lambda f: 200 * f * np.exp(-10 * f**2))
    _, patches, spectrum = measured(volume, how.noise)
    known = np.isfinite(spectrum)
    integral = (2 * np.pi * noise.FREQUENCIES * spectrum * noise.FREQUENCY_STEP)[known].sum()
    assert integral == pytest.approx(patches.var(), rel=0.05)
    assert not known[0.5 / PIXEL < noise.FREQUENCIES].any()
    assert known[0.5 / PIXEL > noise.FREQUENCIES].all()


def test_structure_is_not_taken_for_noise(how):
    rng = np.random.default_rng(2)
    volume = 50 + rng.normal(scale=10, size=SHAPE)
    volume[:, :, 100:104] += 150  # vessels through part of the picture
    volume[:, 40:44] += 150
    corners, _, spectrum = measured(volume, how.noise)
    known = above_trend(how.noise)
    side = round(how.noise.patch_mm / PIXEL)
    crossed = (corners[:, 2] < 104) & (corners[:, 2] + side > 100)
    assert len(corners) > how.noise.min_patches
    assert not crossed.any()
    np.testing.assert_allclose(spectrum[known], 100 * PIXEL**2, rtol=0.08)
    assert noise.noise_sd(volume, BODY, SPACING, how.noise) == pytest.approx(10, rel=0.05)


def test_correlation_of_neighbouring_slices(how):
    rng = np.random.default_rng(7)
    white = rng.normal(scale=20, size=(SHAPE[0] + 1, *SHAPE[1:]))
    share = 0.4
    mixed = 50 + np.sqrt(1 - share) * white[1:] + np.sqrt(share) * white[:-1]
    corners, patches, _ = measured(mixed, how.noise)
    expected = np.sqrt(share * (1 - share))
    assert noise.slice_correlation(mixed, corners, patches) == pytest.approx(expected, rel=0.05)
    corners, patches, _ = measured(50 + white[1:], how.noise)
    assert abs(noise.slice_correlation(50 + white[1:], corners, patches)) < 0.02


def test_body_spectrum_sees_edges_that_the_noise_spectrum_leaves_out(how):
    volume = 50 + np.random.default_rng(1).normal(scale=10, size=SHAPE)
    volume[:, :, ::16] += 100
    body = noise.spectrum_of_body(volume, BODY, SPACING, how.noise)
    line = np.argmin(np.abs(noise.FREQUENCIES - 1 / (16 * PIXEL)))
    assert body[line] > 20 * 100 * PIXEL**2


def test_nothing_to_measure_gives_nan(how):
    air = np.full(SHAPE, -1000.0)
    corners, patches, spectrum = measured(air, how.noise)
    assert len(corners) == 0
    assert np.isnan(spectrum).all()
    assert np.isnan(noise.noise_sd(air, BODY, SPACING, how.noise))
    assert np.isnan(noise.peak_and_mean_frequency(spectrum)).all()
    assert np.isnan(noise.slice_correlation(air, corners, patches))
