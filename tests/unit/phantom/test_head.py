"""The virtual head: one anatomy, two renderings."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from ctharmony.phantom.head import TISSUES, magnetic_image, make_head, render_head
from ctharmony.phantom.reconstruction import acquire, project_materials, reconstruct
from ctharmony.phantom.streams import stream

SHAPE = (52, 62, 50)  # slices, rows, columns of 3.6 mm
PIXEL = 3.6
GRID = np.diag([PIXEL, PIXEL, PIXEL, 1.0])
GRID[:3, 3] = [-PIXEL * (SHAPE[2] - 1) / 2, -95.0, -105.0]


@pytest.fixture(scope="module")
def images():
    return render_head(make_head(1, "head-01"), GRID, SHAPE)


def test_tissues_have_their_values(images) -> None:
    """HU of brain, fluid, bone and air as in head CT, and the contrasts of a T1 image."""
    hu = {name: np.median(images.hu[images.labels == row[0]]) for name, row in TISSUES.items()}
    t1 = {name: np.median(images.t1[images.labels == row[0]]) for name, row in TISSUES.items()}
    assert 34 <= hu["grey"] <= 42
    assert 24 <= hu["white"] < hu["grey"] - 5
    assert 0 <= hu["csf"] <= 15
    assert 700 < hu["skull"] < 2000  # coarse voxels mix bone with what it borders on
    assert hu["air"] == hu["sinus"] == -1000
    assert t1["skull"] < t1["csf"] < t1["grey"] < t1["white"] < t1["scalp"]


def test_anatomy_has_its_size(images) -> None:
    """Brain of 1.0 to 1.6 l, a share of grey matter of .3 to .6, all tissues present."""
    litres = {
        name: (images.labels == row[0]).sum() * PIXEL**3 / 1e6 for name, row in TISSUES.items()
    }
    brain = litres["grey"] + litres["white"]
    assert 1.0 < brain < 1.6
    assert 0.3 < litres["grey"] / brain < 0.6
    assert all(litres[name] > 0 for name in TISSUES if name != "lens")


def test_heads_repeat_and_differ(images) -> None:
    again = render_head(make_head(1, "head-01"), GRID, SHAPE)
    for name in ("labels", "hu", "t1"):
        np.testing.assert_array_equal(getattr(again, name), getattr(images, name))
    assert make_head(1, "head-02").factors != make_head(1, "head-01").factors


def test_old_heads_have_more_fluid() -> None:
    factors = [make_head(2, f"head-{number}").factors for number in range(60)]
    age = [one.age for one in factors]
    assert np.corrcoef(age, [one.ventricles for one in factors])[0, 1] > 0.7
    assert np.corrcoef(age, [one.atrophy_mm for one in factors])[0, 1] > 0.7


def test_a_pose_moves_both_renderings_alike(images) -> None:
    """The truth of a registration case: a voxel of the moved grid shows the place it says."""
    turn = np.radians(8.0)
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    pose[:3, 3] = (4.0, -6.0, 5.0)
    moved = render_head(make_head(1, "head-01"), pose @ GRID, SHAPE)
    indices = np.indices(SHAPE[::-1]).reshape(3, -1)
    to_first = np.linalg.inv(GRID) @ pose @ GRID
    places = (to_first @ np.vstack([indices, np.ones(indices.shape[1])]))[:3]
    inner = np.all((places > 1) & (places < np.array(SHAPE[::-1])[:, None] - 2), axis=0)
    for name in ("hu", "t1"):
        expected = map_coordinates(getattr(images, name).T, places[:, inner], order=1)
        found = getattr(moved, name).T.reshape(-1)[inner]
        assert np.corrcoef(expected, found)[0, 1] > 0.97, name


def test_the_magnet_shades_and_adds_rician_noise(images) -> None:
    first = magnetic_image(images.t1, 0.03, 0.2, stream(1, "mr"))
    np.testing.assert_array_equal(first, magnetic_image(images.t1, 0.03, 0.2, stream(1, "mr")))
    outside = images.t1 < 0.021
    rayleigh = 0.03 * np.sqrt(np.pi / 2)
    assert first[outside].min() >= 0
    assert first[outside].mean() == pytest.approx(np.hypot(rayleigh, 0.02), rel=0.1)
    white = first[images.labels == TISSUES["white"][0]]
    assert 0.04 < white.std() < 0.25


def test_a_head_can_be_scanned(images, reference, grids) -> None:
    """Through the projector at 120 kVp the brain keeps its HU."""
    sampling = grids(matrix=64, field_of_view_mm=230.4, object_pixel_mm=3.6, views=90,
                     detector_pitch_mm=3.0)  # fmt: skip
    index = 30
    maps = np.zeros((2, 1, 64, 64), np.float32)
    for layer, plane in zip(maps, (images.water[index], images.bone[index]), strict=True):
        layer[0, 1:63, 7:57] = plane
    scanner = reference(scatter=0.0, bone_correction=1.0)
    shown = reconstruct(
        acquire(project_materials(maps, sampling), scanner, sampling, None), sampling
    )
    white = images.labels[index] == TISSUES["white"][0]
    found = np.median(shown[0, 1:63, 7:57][white])
    assert found == pytest.approx(np.median(images.hu[index][white]), abs=15.0)
