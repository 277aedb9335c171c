import numpy as np

from ctharmony.quality.patches import corners_inside, cut, detrended, thinned, tiles


def test_corners_are_those_that_counting_finds():
    body = np.random.default_rng(0).random((2, 23, 31)) < 0.7
    sides = (6, 8)
    expected = [
        (z, y, x)
        for z in range(2)
        for y in range(0, 23 - 6 + 1, 3)
        for x in range(0, 31 - 8 + 1, 4)
        if body[z, y : y + 6, x : x + 8].sum() >= 0.7 * 48
    ]
    assert corners_inside(body, sides, 0.7).tolist() == [list(place) for place in expected]
    assert len(corners_inside(body, (40, 8), 0.1)) == 0


def test_cut_and_tiles_keep_values_in_place():
    volume = np.arange(2 * 5 * 7).reshape(2, 5, 7)
    patches = cut(volume, np.array([[1, 2, 3]]), (2, 3))
    assert patches.tolist() == [volume[1, 2:4, 3:6].tolist()]
    blocks = tiles(volume, (2, 3))
    assert blocks.shape == (2 * 2 * 2, 6)
    assert blocks[1].tolist() == volume[0, :2, 3:6].ravel().tolist()


def test_detrending_removes_any_second_order_surface():
    y, x = np.mgrid[:20, :30]
    surface = 3 + 2 * x - y + 0.1 * x * y + 0.05 * x**2 - 0.2 * y**2
    left = detrended(surface[None].astype(np.float32))
    assert np.abs(left).max() < 1e-3 * np.abs(surface).max()
    assert detrended(np.zeros((0, 20, 30), dtype=np.float32)).shape == (0, 20, 30)


def test_thinning_keeps_order_and_ends():
    assert thinned(np.arange(5), 9).tolist() == [0, 1, 2, 3, 4]
    assert thinned(np.arange(100), 3).tolist() == [0, 50, 99]
