"""Which scans and slices the report shows, and how."""

from io import BytesIO

import numpy as np
import pandas as pd
from PIL import Image

from ctharmony.evaluation.report import (
    Example,
    pictures,
    render_report,
)
from ctharmony.quality.shown import choose_scans, chosen_slices
from fabricated_study import chest
from report_page import HOW, record, text_of


def test_windowed_slice_maps_level_and_width_to_grey():
    hu = np.array([[-160.0, 40.0, 240.0, 999.0, np.nan]])
    assert pictures.window(hu, 40, 400).tolist() == [[0, 128, 255, 255, 0]]


def test_slices_are_shown_from_below_with_the_right_at_the_left():
    slice_ = np.zeros((4, 6))
    slice_[3, 5] = 1.0  # anterior right in RAS
    assert np.argwhere(pictures.radiological(slice_)).tolist() == [[0, 0]]


def test_unchanged_is_white_brighter_red_darker_blue():
    white, red, blue = pictures.change_colours(np.array([[0.0, 200.0, -200.0]]), 100.0)[0]
    assert white.min() > 240 and red[0] > red[2] and blue[2] > blue[0]


def test_pictures_are_reduced_and_millimetres_are_square():
    grey = np.zeros((100, 200), dtype=np.uint8)

    def size(**how):
        return Image.open(BytesIO(pictures.encode(grey, **how))).size

    assert size(longest=500) == (200, 100)
    assert size(longest=100) == (100, 50)
    assert size(longest=500, aspect=2.0) == (200, 200)


def test_examples_show_one_subject_at_every_site_and_the_target_last():
    scans = pd.DataFrame({
        "site": ["a", "a", "b", "b", "c"], "scan": ["a1", "a2", "b1", "b2", "c2"],
        "subject": ["own", "shared", "other", "shared", "shared"]})  # fmt: skip
    every = set(zip(scans["site"], scans["scan"], strict=True))
    assert choose_scans(scans, every, 1, 9, "a") == [("b", "b2"), ("c", "c2"), ("a", "a2")]
    assert choose_scans(scans, every, 2, 4)[3:] == [("a", "a1")]
    assert choose_scans(scans, {("b", "b1")}, 2, 9) == [("b", "b1")]
    assert choose_scans(pd.DataFrame(), every, 2, 9) == []


def test_slices_shown_lie_in_the_lungs_where_there_are_any():
    mask = np.zeros((10, 4, 4), dtype=np.uint8)
    assert chosen_slices(mask, 1) == [4]
    mask[2:9] = 1
    mask[5:8, 1, 1] = 2
    assert chosen_slices(mask, 1) == [6]
    assert len(chosen_slices(mask, 3)) <= 3


def test_change_of_the_slice_stands_in_the_caption(unpainted):
    volume, mask = chest(0, 0.0)
    example = Example(
        "summit", "s1", "plain", volume[0], volume[0] + 10.0, mask[0], (2.0, 2.0), 1, 4
    )
    page = text_of(render_report(record(examples=(example,)), HOW))
    assert "changed by 10.0 HU on average" in page
