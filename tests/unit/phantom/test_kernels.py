"""Kernels: resolution, noise texture, and a real pair of them."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy.special import j1

from ctharmony.phantom.acquisition import blur_taps, measure
from ctharmony.phantom.kernels import KERNELS, UPSAMPLING, filter_sinograms, get_kernel
from ctharmony.phantom.projection import backproject, view_angles
from ctharmony.phantom.reconstruction import acquire, project_materials, reconstruct
from ctharmony.phantom.streams import stream

ORDER = ["smooth", "soft", "standard", "detail", "lung", "bone"]
ROD_MM = 0.3


def radial(power: np.ndarray, pixel_mm: float, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and means of a 2-D spectrum over rings of width `step`, cycles/mm."""
    axis = np.fft.fftfreq(power.shape[0], pixel_mm)
    ring = (np.hypot(axis[None], axis[:, None]) / step).astype(int).ravel()
    count = np.bincount(ring)
    return (np.arange(len(count)) + 0.5) * step, np.bincount(ring, power.ravel()) / count


def transfer(scanner, grids, disks) -> tuple[np.ndarray, np.ndarray]:
    """MTF from a thin rod in air, 128 x 128 pixels of .15 mm."""
    sampling = grids(
        matrix=128, field_of_view_mm=19.2, detector_pitch_mm=0.5, object_pixel_mm=0.05, views=180
    )
    maps = disks(sampling, [(0.0, 0.0, ROD_MM, (1.0, 0.0))])
    paths = project_materials(maps, sampling)
    image = reconstruct(acquire(paths, scanner, sampling, None), sampling)[0] + 1000.0
    frequencies, response = radial(np.abs(np.fft.fft2(image)), sampling.pixel_mm, 0.05)
    argument = 2.0 * np.pi * frequencies * ROD_MM
    response /= 2.0 * j1(argument) / argument
    return frequencies, response / response[1]


def crossing(frequencies: np.ndarray, response: np.ndarray, level: float) -> float:
    last = int(np.flatnonzero(response[:28] > level)[-1])
    drop = (response[last] - level) / (response[last] - response[last + 1])
    return float(frequencies[last] + drop * (frequencies[1] - frequencies[0]))


@pytest.fixture(scope="module")
def spectra(reference, grids, disks) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """NPS of 20 cm of water at 120 kVp and 300 mAs per kernel, HU2 mm3."""
    sampling = grids(field_of_view_mm=204.0, detector_pitch_mm=0.5, views=320, object_pixel_mm=0.7)
    paths = project_materials(disks(sampling, [(0.0, 0.0, 100.0, (1.0, 0.0))]), sampling)
    scanner = reference()
    water = measure(np.repeat(paths, 8, axis=1), scanner, sampling, stream(3, "noise"))
    found, angles = {}, view_angles(sampling.views)
    for name in ORDER:
        filtered = filter_sinograms(water, 0.5, get_kernel(name), 0)
        noise = 1000.0 * backproject(filtered, angles, 0.5 / UPSAMPLING, 128, 0.4)
        noise -= noise.mean(axis=0)
        power = (np.abs(np.fft.fft2(noise)) ** 2).mean(axis=0) * 8 / 7 * 0.4**2 / 128**2
        found[name] = radial(power * scanner.slice_thickness_mm, 0.4, 0.025)
    return found


def mean_frequency(curve: tuple[np.ndarray, np.ndarray]) -> float:
    return float((curve[0] * curve[1]).sum() / curve[1].sum())


def test_standard_kernel_is_that_of_friedman(spectra, reference, grids, disks) -> None:
    """Friedman et al., Med Phys 2013;40:051907: ACR phantom, 120 kVp, 300 mAs, standard kernel:
    NPS peak at .25 +- .03 /mm and about 115 HU2 mm3, MTF10 at .62 +- .03 /mm."""
    frequencies, power = spectra["standard"]
    smooth = np.convolve(power, np.ones(3) / 3, mode="same")
    assert abs(frequencies[smooth.argmax()] - 0.25) < 0.03
    assert abs(smooth.max() / 115.0 - 1.0) < 0.10
    assert abs(crossing(*transfer(reference(), grids, disks), 0.1) - 0.62) < 0.03


def test_kernels_span_soft_to_bone(spectra, reference, grids, disks) -> None:
    """MTF10 from about .53 to 1.0 /mm; NPS mean frequency from about .23 to .53 /mm and more."""
    sharpness = [
        crossing(*transfer(reference(kernel=name, focal_blur_mm=0.6), grids, disks), 0.1)
        for name in ORDER
    ]
    means = [mean_frequency(spectra[name]) for name in ORDER]
    assert np.all(np.diff(sharpness) > 0)
    assert np.all(np.diff(means) > 0)
    assert sharpness[ORDER.index("soft")] == pytest.approx(0.53, abs=0.04)
    assert sharpness[-1] == pytest.approx(1.0, abs=0.1)
    assert means[ORDER.index("soft")] == pytest.approx(0.245, abs=0.03)
    assert means[-1] > 0.52


def test_blur_is_that_of_aperture_and_focal_spot(reference, grids) -> None:
    sampling = grids(detector_pitch_mm=0.5)
    taps = blur_taps(reference(focal_blur_mm=0.8), sampling)
    frequencies = np.array([0.2, 0.5, 0.8])
    places = (np.arange(len(taps)) - len(taps) // 2) * 0.5
    found = (taps * np.cos(2 * np.pi * frequencies[:, None] * places)).sum(axis=1)
    deviation = 0.8 / 2.3548
    exact = np.sinc(0.5 * frequencies) * np.exp(-2 * (np.pi * deviation * frequencies) ** 2)
    np.testing.assert_allclose(found, exact, atol=0.02)


def test_unknown_kernel_is_named() -> None:
    with pytest.raises(ValueError, match="no reconstruction kernel 'edgy'; choose one of"):
        get_kernel("edgy")


def load_series(folder: Path) -> tuple[np.ndarray, float]:
    slices = sorted(
        (pydicom.dcmread(path) for path in folder.glob("*.dcm")),
        key=lambda data: float(data.ImagePositionPatient[2]),
    )
    stack = [data.pixel_array * data.RescaleSlope + data.RescaleIntercept for data in slices]
    return np.asarray(stack, np.float32), float(slices[0].PixelSpacing[0])


@pytest.mark.real
def test_some_pair_of_kernels_has_the_noise_of_a_real_pair(real_data) -> None:
    """One acquisition reconstructed with B40f and B70f: their spectra's ratio over .1-.6 /mm."""
    soft, pixel = load_series(real_data / "dicom" / "lungdx_A0002_B40f")
    sharp, _ = load_series(real_data / "dicom" / "lungdx_A0002_B70f")
    window = np.hanning(64)[:, None] * np.hanning(64)
    sums, kept = [0.0, 0.0], 0
    for index in range(soft.shape[0]):
        for row in range(64, 448, 32):
            for column in range(64, 448, 32):
                part = (index, slice(row, row + 64), slice(column, column + 64))
                if soft[part].min() < -150 or soft[part].max() > 300:
                    continue
                kept += 1
                for which, volume in enumerate((soft, sharp)):
                    patch = (volume[part] - volume[part].mean()) * window
                    sums[which] = sums[which] + np.abs(np.fft.fft2(patch)) ** 2
    assert kept > 100
    frequencies, ratio = radial(sums[1], pixel, 0.025)[0], None
    ratio = radial(sums[1], pixel, 0.025)[1] / radial(sums[0], pixel, 0.025)[1]
    used = (frequencies > 0.1) & (frequencies < 0.6)
    errors = {}
    for low in ORDER:
        for high in ORDER[ORDER.index(low) + 1 :]:
            windows = [KERNELS[name].window(frequencies) for name in (high, low)]
            errors[low, high] = np.abs((windows[0] / windows[1]) ** 2 / ratio - 1.0)[used].max()
    assert min(errors.values()) < 0.15, errors
