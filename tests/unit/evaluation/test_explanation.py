"""Explanations of probes whose evidence was planted in a known place."""

import numpy as np
import pytest

from ctharmony.evaluation.explanation import (
    band_evidence,
    evidence,
    gain,
    occlusion_map,
    without_band,
    without_features,
)

EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


def logistic(score: np.ndarray) -> np.ndarray:
    p = 1 / (1 + np.exp(-score))
    return np.column_stack([1 - p, p])


def stripes(frequency: float, amplitude: float, count: int = 3) -> np.ndarray:
    x = np.arange(64.0)
    phase = np.linspace(0, 1, count)[:, None]
    rows = amplitude * np.sin(2 * np.pi * (frequency * x[None] + phase))
    return np.repeat(rows[:, None], 64, axis=1) + 40


def test_evidence_is_the_divergence_of_two_answers():
    def predict(inputs: np.ndarray) -> np.ndarray:
        return inputs

    p, q = np.array([[0.8, 0.2]]), np.array([[0.5, 0.5]])
    expected = 0.8 * np.log(0.8 / 0.5) + 0.2 * np.log(0.2 / 0.5)
    assert evidence(predict, p, q)[0] == pytest.approx(expected)
    assert evidence(predict, p, p)[0] == 0


def test_a_texture_is_found_in_its_band_and_nowhere_else():
    images = stripes(0.28125, 20.0)

    def predict(inputs: np.ndarray) -> np.ndarray:
        power = np.square(inputs - inputs.mean(axis=(1, 2), keepdims=True)).mean(axis=(1, 2))
        return logistic((power - 100) / 30)

    found = band_evidence(predict, images, (1.0, 1.0), EDGES).mean(axis=1)
    assert found.argmax() == 2
    assert found[2] > 1
    assert found[[0, 1, 3, 4]].max() < 1e-6


def test_removing_a_band_removes_it_and_keeps_the_mean():
    images = stripes(0.28125, 20.0)
    assert without_band(images, (1.0, 1.0), 0.2, 0.3) == pytest.approx(np.full_like(images, 40.0))
    assert without_band(images, (1.0, 1.0), 0.3, 0.4) == pytest.approx(images)
    # the same stripes on half the pixel lie at twice the frequency
    assert without_band(images, (0.5, 0.5), 0.5, 0.6) == pytest.approx(np.full_like(images, 40.0))


def test_a_spot_is_found_in_its_block():
    image = np.zeros((48, 40))
    image[17:23, 25:31] = 300

    def predict(inputs: np.ndarray) -> np.ndarray:
        return logistic(inputs.max(axis=(1, 2)) / 50 - 3)

    found = occlusion_map(predict, image, 8, 0.0)
    assert found.shape == (6, 5)
    assert np.unravel_index(found.argmax(), found.shape) == (2, 3)
    assert np.delete(found.ravel(), found.argmax()).max() < 1e-9


def test_features_taken_away_lose_their_evidence():
    features = np.array([[4.0, 0.0, 1.0], [-4.0, 0.0, 2.0]])

    def predict(inputs: np.ndarray) -> np.ndarray:
        return logistic(inputs[:, 0])

    telling = without_features(features, np.array([0]), np.zeros(3))
    mute = without_features(features, np.array([1, 2]), np.zeros(3))
    assert evidence(predict, features, telling).min() > 0.5
    assert evidence(predict, features, mute).max() == 0
    assert features[0, 0] == 4.0


def test_gain_is_positive_for_telling_and_negative_for_misleading_evidence():
    features = np.array([[3.0], [-3.0]])

    def predict(inputs: np.ndarray) -> np.ndarray:
        return logistic(inputs[:, 0])

    nothing = np.zeros((2, 1))
    right = gain(predict, features, nothing, np.array([1, 0]))
    wrong = gain(predict, features, nothing, np.array([0, 1]))
    certain = np.log(1 / (1 + np.exp(-3)))
    assert right == pytest.approx(certain - np.log(0.5))
    assert wrong.max() < -2
