"""The projector against closed forms and against scikit-image."""

import math

import numpy as np
from skimage.transform import radon

from ctharmony.phantom.projection import LANES, backproject, project, view_angles

PIXEL = 0.5


def ellipse_image(size: int, axes: tuple, place: tuple) -> np.ndarray:
    """Ellipse of value 1 with edges averaged over 8 x 8 points a pixel."""
    fine = (np.arange(size * 8) - (size * 8 - 1) / 2) * PIXEL / 8
    x, y = np.meshgrid((fine - place[0]) / axes[0], (fine - place[1]) / axes[1])
    inside = (x**2 + y**2 < 1.0).astype(np.float32)
    return inside.reshape(size, 8, size, 8).mean(axis=(1, 3))


def ellipse_lines(axes: tuple, place: tuple, angles: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Closed form (Kak and Slaney, eq. 3.7): (views, bins) in mm."""
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    wide = (axes[0] * cosine) ** 2 + (axes[1] * sine) ** 2
    shifted = offsets[None] - place[0] * cosine - place[1] * sine
    return 2.0 * axes[0] * axes[1] * np.sqrt(np.maximum(wide - shifted**2, 0.0)) / wide


def test_projector_gives_chords_of_ellipses() -> None:
    axes, place, angles = (70.0, 45.0), (12.0, -9.0), view_angles(48)
    offsets = (np.arange(401) - 200) * PIXEL
    exact = ellipse_lines(axes, place, angles, offsets)
    found = project(ellipse_image(400, axes, place)[None], PIXEL, angles, 401, PIXEL)[0]
    assert np.sqrt(np.mean((found - exact) ** 2)) / exact.max() < 0.002


def test_projector_agrees_with_scikit_image() -> None:
    image = ellipse_image(401, (60.0, 40.0), (8.0, -6.0)) - 0.4 * ellipse_image(
        401, (15.0, 25.0), (-10.0, 5.0)
    )
    angles = view_angles(36)
    found = project(image[None], PIXEL, angles, 401, PIXEL)[0]
    theirs = radon(image, theta=np.degrees(-angles), circle=True).T * PIXEL
    assert np.sqrt(np.mean((found - theirs) ** 2)) / theirs.max() < 0.005


def test_backprojection_is_the_adjoint_of_a_sum_over_views() -> None:
    angles = view_angles(20)
    sinogram = np.ones((1, 20, 301), np.float32)
    image = backproject(sinogram, angles, 1.0, 65, 1.0)
    np.testing.assert_allclose(image, math.pi, rtol=1e-5)


def test_a_slice_does_not_depend_on_its_neighbours() -> None:
    random = np.random.default_rng(5)
    maps = random.random((LANES + 3, 40, 40), np.float32)
    angles = view_angles(16)
    together = project(maps, 1.0, angles, 61, 1.0)
    images = backproject(together, angles, 1.0, 40, 1.0)
    for index in (0, 7, LANES + 2):
        alone = project(maps[index : index + 1], 1.0, angles, 61, 1.0)
        np.testing.assert_array_equal(alone[0], together[index])
        np.testing.assert_array_equal(backproject(alone, angles, 1.0, 40, 1.0)[0], images[index])
