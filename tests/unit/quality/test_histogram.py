import numpy as np
import pytest
from scipy import ndimage

from ctharmony.quality import histogram


def test_histogram_counts_in_bins_and_clips_beyond():
    hu = np.array([-3000, -1050, -1041, -1040, 0, 9.9, 2049, 9000])
    p = histogram.histogram(hu, np.ones(8, dtype=bool))
    assert p.sum() == pytest.approx(1)
    assert p[0] == pytest.approx(3 / 8)
    assert p[1] == pytest.approx(1 / 8)
    assert p[np.flatnonzero(histogram.CENTRES_HU == 5)[0]] == pytest.approx(2 / 8)
    assert p[-1] == pytest.approx(2 / 8)
    assert np.isnan(histogram.histogram(hu, np.zeros(8, dtype=bool))).all()


def test_contrast_falls_as_the_histogram_widens():
    rng = np.random.default_rng(0)
    window = (-1000, 1000)
    values = [
        histogram.contrast_and_entropy(
            histogram.histogram(rng.normal(scale=sd, size=20000), np.ones(20000, dtype=bool)),
            window,
        )
        for sd in (20, 80, 320)
    ]
    assert values[0][0] > values[1][0] > values[2][0] > 0
    for contrast, entropy in values:
        assert contrast + entropy == pytest.approx(np.log(200))
    # a Gaussian's entropy in nats, less the log of the bin width
    expected = 0.5 * np.log(2 * np.pi * np.e * 80**2) - np.log(10)
    assert values[1][1] == pytest.approx(expected, rel=0.01)


def test_mode_is_recovered_between_bins_and_beside_a_larger_tissue():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(43.3, 9, 20000), rng.normal(-104.6, 12, 9000)])
    assert histogram.mode(values, (-10, 120), 6) == pytest.approx(43.3, abs=0.7)
    assert histogram.mode(values, (-160, -50), 6) == pytest.approx(-104.6, abs=1.5)


def test_mode_is_nan_when_the_window_holds_no_peak():
    rng = np.random.default_rng(1)
    assert np.isnan(histogram.mode(rng.normal(43, 9, 20000), (60, 120), 6))
    assert np.isnan(histogram.mode(np.array([50.0]), (0, 100), 6))


def test_lung_density_of_known_values():
    hu = np.repeat(np.arange(-1000, -900), 10)
    found = histogram.lung_density(hu, np.ones(1000, dtype=bool), 0.5)
    assert found == {"lung_volume_ml": 500.0, "laa950_percent": 50.0, "perc15_hu": -986.0}
    dense = histogram.lung_density(hu + 200, np.ones(1000, dtype=bool), 1)
    assert dense["laa950_percent"] == 0
    light = histogram.lung_density(hu - 200, np.ones(1000, dtype=bool), 1)
    assert light["laa950_percent"] == 100
    none = histogram.lung_density(hu, np.zeros(1000, dtype=bool), 1)
    assert none["lung_volume_ml"] == 0
    assert np.isnan(none["laa950_percent"])


def test_the_level_of_bone_follows_the_beam_and_not_noise_or_sharpness():
    random, how = np.random.default_rng(4), histogram.BoneSettings(2.5, 0.02)
    spacing, shape = (3.0, 2.5, 2.5), (8, 80, 80)
    bone = np.zeros(shape)
    for _ in range(60):
        y, x = random.integers(4, 74, 2)
        bone[:, y : y + 4, x : x + 4] = random.uniform(500, 900)
    body = np.ones(shape, bool)
    levels = {
        "soft": ndimage.gaussian_filter(50 + bone, (0, 0.3, 0.3)),
        "noisy": 50 + bone + random.normal(0, 40, shape),
        "low voltage": 50 + 1.15 * bone,
    }
    seen = {k: histogram.bone_level(v, body, spacing, how) - 50 for k, v in levels.items()}
    plain = histogram.bone_level(50 + bone, body, spacing, how) - 50
    ratio = {name: level / plain for name, level in seen.items()}
    assert ratio["soft"] == pytest.approx(1.0, abs=0.03)
    assert ratio["noisy"] == pytest.approx(1.0, abs=0.03)
    assert ratio["low voltage"] == pytest.approx(1.15, abs=1e-3)
    assert np.isnan(histogram.bone_level(bone, np.zeros(shape, bool), spacing, how))
