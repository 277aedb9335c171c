"""What the quality measures read off a virtual scanner's images against its true kernel."""

import dataclasses

import numpy as np
import pytest
import yaml

from ctharmony.phantom.acquisition import measure
from ctharmony.phantom.kernels import UPSAMPLING, filter_sinograms, get_kernel
from ctharmony.phantom.projection import backproject, view_angles
from ctharmony.phantom.shortcut import modulation_transfer, sampled_noise_power
from ctharmony.phantom.streams import stream
from ctharmony.quality import edge, noise
from ctharmony.quality.measure import QualitySettings

KERNELS = ("soft", "standard", "detail")
RADIUS_MM, MIDDLE_MM = 90.0, (0.31, 0.17)
PITCH_MM, PIXEL_MM, MATRIX, SLICES = 0.5, 0.7, 320, 8
SPACING = (5.0, PIXEL_MM, PIXEL_MM)


@pytest.fixture(scope="module")
def how(root) -> QualitySettings:
    config = yaml.safe_load((root / "config" / "config.yaml").read_text())
    return QualitySettings.from_config(config["ingest"]["quality"])


@pytest.fixture(scope="module")
def sampling(grids):
    return grids(matrix=MATRIX, field_of_view_mm=MATRIX * PIXEL_MM, detector_pitch_mm=PITCH_MM)


@pytest.fixture(scope="module")
def water(sampling, reference) -> np.ndarray:
    """Measured line integrals of a cylinder of water, in closed form: its edge is sharp."""
    angles = view_angles(sampling.views)
    places = (np.arange(sampling.bins) - (sampling.bins - 1) / 2) * PITCH_MM
    shadow = MIDDLE_MM[0] * np.cos(angles) + MIDDLE_MM[1] * np.sin(angles)
    chords = np.sqrt(np.clip(RADIUS_MM**2 - (places[None] - shadow[:, None]) ** 2, 0, None))
    paths = np.zeros((2, SLICES, *chords.shape), np.float32)
    paths[0] = 2 * chords
    return measure(paths, reference(), sampling, stream(3, "noise"))


@pytest.fixture(scope="module")
def images(water, sampling) -> dict[str, np.ndarray]:
    """(SLICES, MATRIX, MATRIX) HU of each kernel."""
    angles, shown = view_angles(sampling.views), {}
    for name in KERNELS:
        fine = filter_sinograms(water, PITCH_MM, get_kernel(name), 100)
        picture = backproject(fine, angles, PITCH_MM / UPSAMPLING, MATRIX, PIXEL_MM)
        shown[name] = 1000.0 * (picture - 1.0)
    return shown


def disc(radius_mm: float) -> np.ndarray:
    axis = (np.arange(MATRIX) - (MATRIX - 1) / 2) * PIXEL_MM
    return np.repeat((np.hypot(axis[:, None], axis[None]) < radius_mm)[None], SLICES, axis=0)


def radial(power: np.ndarray) -> np.ndarray:
    """Rings of FREQUENCIES of a spectrum on the half plane of `rfft2`."""
    fy, fx = np.fft.fftfreq(power.shape[0], PIXEL_MM), np.fft.rfftfreq(power.shape[0], PIXEL_MM)
    ring = np.floor(np.hypot(fy[:, None], fx[None]) / noise.FREQUENCY_STEP).astype(int).ravel()
    sums = np.bincount(ring, power.ravel(), 40)[:40]
    return sums / np.bincount(ring, minlength=40)[:40]


@pytest.mark.parametrize("name", KERNELS)
def test_mtf_of_the_skin_is_that_of_the_kernel(images, sampling, reference, how, name):
    found = edge.mtf(*edge.edge_response(images[name], disc(RADIUS_MM), SPACING, how.edge))
    truth = modulation_transfer(reference(kernel=name), sampling, noise.FREQUENCIES)
    shown = truth > 0.3  # below, the logarithm of a ray that grazes the skin shows
    np.testing.assert_allclose(found[shown], truth[shown], rtol=0.05)
    for level in (0.5, 0.1):
        expected = edge.frequency_at(truth, level)
        assert edge.frequency_at(found, level) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("name", KERNELS)
def test_noise_power_of_water_is_the_ramp_under_the_kernel(images, sampling, reference, how, name):
    wide = dataclasses.replace(how.noise, max_patches=4000)
    _, patches = noise.homogeneous_patches(images[name], disc(60.0), SPACING, wide)
    found = noise.noise_power(patches, SPACING, wide)
    truth = radial(sampled_noise_power(reference(kernel=name), sampling, 2 * RADIUS_MM, 128))
    known = np.isfinite(found)
    f = noise.FREQUENCIES[known]
    expected = (f * truth[known]).sum() / truth[known].sum()
    peak, mean = noise.peak_and_mean_frequency(found)
    assert mean == pytest.approx(expected, rel=0.05)
    assert peak == pytest.approx(f[truth[known].argmax()], abs=1.5 * noise.FREQUENCY_STEP)
    bulk = known & (truth > 0.5 * truth[known].max())
    # where the removal of trends is not felt
    bulk &= 2.5 / how.noise.patch_mm < noise.FREQUENCIES
    np.testing.assert_allclose(
        found[bulk] / found[bulk].mean(), truth[bulk] / truth[bulk].mean(), rtol=0.05
    )
