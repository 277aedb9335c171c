import numpy as np
import pytest

from ctharmony.quality.masks import block_mean, segment, uniform_blocks


def overlap(found, truth):
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


def test_body_and_lungs_of_a_chest_are_found(chest, how):
    labels = segment(chest["hu"], chest["spacing"], how.masks)
    assert labels.dtype == np.uint8
    assert overlap(labels > 0, chest["body"]) > 0.985
    assert overlap(labels == 2, chest["lungs"]) > 0.98


def test_table_trachea_and_bowel_gas_are_not_lung_or_body(chest, how):
    labels = segment(chest["hu"], chest["spacing"], how.masks)
    assert not labels[:, :22].any()
    assert (labels[chest["trachea"]] == 2).mean() < 0.02
    assert (labels[chest["gas"]] == 2).mean() < 0.02
    assert (labels[chest["trachea"]] == 1).mean() > 0.98


def test_truncated_field_of_view_with_round_padding_keeps_its_lungs(chest, how):
    y, x = np.mgrid[:256, :320]
    cut = np.where(np.hypot(y - 138, x - 160) < 105, chest["hu"], -1024)
    labels = segment(cut, chest["spacing"], how.masks)
    visible = np.broadcast_to(np.hypot(y - 138, x - 160) < 100, cut.shape)
    assert overlap((labels > 0) & visible, chest["body"] & visible) > 0.98
    assert overlap((labels == 2) & visible, chest["lungs"] & visible) > 0.97


def test_a_crop_through_the_lungs_is_all_body(chest, how):
    crop = (slice(None, 12), slice(80, 200), slice(70, 250))
    labels = segment(chest["hu"][crop], chest["spacing"], how.masks)
    assert (labels > 0).mean() > 0.995
    assert overlap(labels == 2, chest["lungs"][crop]) > 0.97


def test_thin_chest_wall_is_not_opened_away(chest, how):
    hu = chest["hu"].copy()
    rows = np.arange(256)[:, None] - 128.0
    columns = np.arange(320)[None] - 160.0
    wide = ((np.abs(columns) - 60) / 60) ** 2 + ((rows - 10) / 78) ** 2 < 1
    hu[:12, wide] = -850
    labels = segment(hu, chest["spacing"], how.masks)
    assert overlap(labels > 0, chest["body"]) > 0.98


def test_empty_air_has_no_body(how):
    air = np.full((6, 64, 64), -1000, dtype=np.int16)
    assert not segment(air, (3.0, 1.0, 1.0), how.masks).any()


@pytest.mark.parametrize("shape", [(2, 8, 9), (3, 7, 5)])
def test_block_means_and_uniform_blocks(shape):
    values = np.random.default_rng(0).integers(-1000, 1000, size=shape).astype(np.int16)
    padded = np.pad(values, [(0, 0), (0, -shape[1] % 2), (0, -shape[2] % 3)], mode="edge")
    expected = padded.reshape(shape[0], padded.shape[1] // 2, 2, -1, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(block_mean(values, (2, 3)), expected, rtol=1e-5)
    labels = np.zeros((1, 4, 4), dtype=np.uint8)
    labels[0, :2, :2], labels[0, 3, 3] = 2, 1
    assert uniform_blocks(labels, (2, 2), 255).tolist() == [[[2, 0], [0, 255]]]
