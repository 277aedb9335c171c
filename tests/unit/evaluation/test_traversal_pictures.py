"""Strips and videos of traversals, and their place in the report."""

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from ctharmony.evaluation.report.record import ModelRecord
from ctharmony.evaluation.report.traversed import traversal_blocks
from ctharmony.evaluation.traversals import png, strip, video

PRESET = {"level": 40.0, "width": 400.0}


@pytest.fixture
def images() -> np.ndarray:
    """Three steps; a square to the patient's right and front becomes brighter by 200 HU."""
    shown = np.full((3, 40, 60), -100.0, np.float32)
    for step in range(3):
        shown[step, 25:35, 40:55] += 100.0 * step
    return shown


def test_a_video_shows_every_step_as_a_radiologist_sees_it(images):
    moving = Image.open(io.BytesIO(video(images, PRESET, 100)))
    frames = [np.asarray(frame.convert("L"), int) for frame in ImageSequence.Iterator(moving)]
    assert len(frames) == 3 and moving.info["loop"] == 0
    corner = [frame[8:12, 8:16].mean() for frame in frames]  # front up, right at the left
    assert corner == pytest.approx([38, 102, 166], abs=4)


def test_a_strip_marks_where_it_became_brighter(images):
    figure = strip(images, ["a", "b", "c"], PRESET, 100.0)
    assert [axis.get_title() for axis in figure.axes[:3]] == ["a", "b", "c"]
    change = figure.axes[-1].images[0].get_array()
    red, _, blue = change[10, 10]
    assert red > blue + 60 and len(set(map(tuple, change[30:, 30:].reshape(-1, 3)))) == 1
    assert Image.open(io.BytesIO(png(figure))).format == "PNG"


def test_the_report_says_what_each_shows(images):
    moving = video(images, PRESET, 100)
    files = {"z_s_site.webp": moving, "z_b_age.png": b"png", "z_b_age.txt": b""}
    scanner, trait = traversal_blocks(ModelRecord("factorised", traversals=files))
    assert "from site to site" in scanner.caption and "along age" in trait.caption
    assert scanner.alternative == "Video of z_s_site, model factorised" and trait.wide
    kind, content = scanner.source.split(",")
    assert kind == "data:image/webp;base64" and base64.b64decode(content) == moving
