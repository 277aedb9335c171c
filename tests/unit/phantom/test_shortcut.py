"""The image-domain shortcut: right in uniform water, wrong where truth is needed."""

import numpy as np
import pytest

from ctharmony.phantom.kernels import UPSAMPLING
from ctharmony.phantom.projection import backproject, view_angles
from ctharmony.phantom.reconstruction import acquire, project_materials, reconstruct
from ctharmony.phantom.shortcut import image_domain_scan, modulation_transfer, sampled_noise_power
from ctharmony.phantom.streams import stream

SIZE, PATCH, SLICES, PIXEL = 64, 64, 96, 0.7
WATER = (1.0, 0.0)


def power(volume: np.ndarray, pixel: float) -> np.ndarray:
    """NPS of the central PATCH pixels on the whole plane, HU2 mm2, behind a Hann window."""
    edge = (volume.shape[-1] - PATCH) // 2
    noise = (volume - volume.mean(axis=0))[:, edge : edge + PATCH, edge : edge + PATCH]
    window = np.hanning(PATCH)[:, None] * np.hanning(PATCH)
    share = (window**2).sum() * (len(volume) - 1) / len(volume)
    return (np.abs(np.fft.fft2(noise * window)) ** 2).mean(axis=0) * pixel**2 / share


def radius(pixel: float) -> np.ndarray:
    axis = np.fft.fftfreq(PATCH, pixel)
    return np.hypot(axis[:, None], axis[None])


@pytest.fixture(scope="module")
def grid(grids):
    """Coarse, but beyond every frequency of the kernels."""
    return grids(matrix=SIZE, field_of_view_mm=SIZE * PIXEL, detector_pitch_mm=0.8, views=192)


@pytest.fixture(scope="module")
def water(grids, disks):
    """Path lengths through 20 cm of water on the whole detector."""
    wide = grids(detector_pitch_mm=0.8, views=192, object_pixel_mm=1.0)
    return wide, project_materials(disks(wide, [(0.0, 0.0, 100.0, WATER)]), wide)


@pytest.mark.parametrize("kernel", ["soft", "bone"])
def test_noise_in_water_is_that_of_the_projector(kernel, grid, water, reference) -> None:
    """The two noise power spectra agree within 2% in every band from .15 /mm on."""
    wide, paths = water
    scanner = reference(kernel=kernel, mas=100.0)
    filtered = acquire(np.repeat(paths, SLICES, 1), scanner, wide, stream(4, "shortcut"))
    angles = view_angles(wide.views)
    images = backproject(filtered, angles, 0.8 / UPSAMPLING, SIZE, PIXEL)
    found = power(1000.0 * images, PIXEL)
    expected = sampled_noise_power(scanner, grid, 200.0, SIZE)
    frequency = radius(PIXEL)[:, : SIZE // 2 + 1]
    for low, high in ((0.15, 0.3), (0.3, 0.4), (0.4, 0.55), (0.15, 0.6)):
        ring = (frequency > low) & (frequency < high)
        assert found[:, : SIZE // 2 + 1][ring].mean() == pytest.approx(
            expected[ring].mean(), rel=0.02
        ), (kernel, low)


def test_made_noise_has_the_stated_spectrum_and_repeats(grid, reference) -> None:
    flat = np.zeros((SLICES, SIZE, SIZE), np.float32)
    first, again = (
        image_domain_scan(flat, reference(), grid, 200.0, stream(1, "twin")) for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    found = np.abs(np.fft.rfft2(first)) ** 2 * PIXEL**2 / SIZE**2
    expected = sampled_noise_power(reference(), grid, 200.0, SIZE)
    assert found.mean() == pytest.approx(expected.mean(), rel=0.02)
    assert abs(first.mean()) < 0.5


def test_filter_is_the_kernel_of_a_disk(grids, disks, reference) -> None:
    """The edge of a disk, without noise, looks as from the projector; so does a changed kernel."""
    sampling = grids(matrix=128, field_of_view_mm=64.0, detector_pitch_mm=0.5, views=200,
                     object_pixel_mm=0.25)  # fmt: skip
    maps = disks(sampling, [(0.0, 0.0, 15.0, WATER)])
    paths = project_materials(maps, sampling)
    shown = {
        name: reconstruct(acquire(paths, reference(kernel=name), sampling, None), sampling)
        for name in ("standard", "bone")
    }
    sharp = 1000.0 * maps[0].reshape(1, 128, 2, 128, 2).mean(axis=(2, 4)) - 1000.0
    silent = reference(kernel="bone", mas=1e9)
    filtered = image_domain_scan(sharp, silent, sampling, 30.0, stream(1, "edge"))
    changed = image_domain_scan(
        shown["standard"], silent, sampling, 30.0, stream(1, "edge"), reference()
    )
    for image in (filtered, changed):
        assert np.abs(image - shown["bone"]).max() < 0.06 * np.ptp(shown["bone"])


def test_transfer_falls_from_one(grid, reference) -> None:
    frequency = np.linspace(0.0, 1.2, 50)
    curve = modulation_transfer(reference(kernel="soft"), grid, frequency)
    assert curve[0] == pytest.approx(1.0)
    assert np.all(np.diff(curve) < 0)


def test_what_it_misses(grids, disks, reference) -> None:
    """Why it is no truth: behind the long axis of a body noise has a direction, and near the skin
    there is less of it; the shortcut's noise is the same everywhere and to every side."""
    sampling = grids(matrix=128, field_of_view_mm=340.0, detector_pitch_mm=1.2, views=192,
                     object_pixel_mm=1.0)  # fmt: skip
    places = (np.arange(sampling.object_size) - (sampling.object_size - 1) / 2) * 1.0
    body = np.hypot(places[None] / 160.0, places[:, None] / 90.0) < 1
    maps = np.stack([body[None], np.zeros_like(body[None])]).astype(np.float32)
    scanner = reference(mas=60.0, bowtie=0.0)
    paths = np.repeat(project_materials(maps, sampling), 24, axis=1)
    real = reconstruct(acquire(paths, scanner, sampling, stream(2, "body")), sampling)
    fast = image_domain_scan(real.mean(0)[None].repeat(24, 0), scanner, sampling, 240.0,
                             stream(3, "body"), scanner)  # fmt: skip
    found = {}
    for name, volume in (("projector", real), ("shortcut", fast)):
        noise = volume - volume.mean(axis=0)
        spectrum = np.abs(np.fft.fft2(noise[:, 48:80, 48:80])) ** 2
        direction = spectrum[:, 4:9, :3].mean() / spectrum[:, :3, 4:9].mean()
        found[name] = (direction, noise[:, 58:70, 58:70].std() / noise[:, 58:70, 112:118].std())
    assert found["projector"][0] > 1.25
    assert found["projector"][1] > 1.15
    assert found["shortcut"] == pytest.approx((1.0, 1.0), abs=0.1)
