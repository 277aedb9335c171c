import numpy as np
import pytest

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
