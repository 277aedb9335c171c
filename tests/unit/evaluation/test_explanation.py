"""Explanations of probes whose evidence was planted in a known place."""

import numpy as np
import pytest

from ctharmony.evaluation.explanation import (
    evidence,
    gain,
    removed_bands,
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
    p, q = np.array([[0.8, 0.2]]), np.array([[0.5, 0.5]])
    found = evidence(p, q, np.array([1]))
    assert found.kl[0] == pytest.approx(0.8 * np.log(0.8 / 0.5) + 0.2 * np.log(0.2 / 0.5))
    assert found.gain[0] == pytest.approx(np.log(0.2 / 0.5)) == gain(p, q, np.array([1]))[0]
    assert evidence(p, p, np.array([0])).kl[0] == 0


def test_a_texture_is_found_in_its_band_and_nowhere_else():
    images = stripes(0.28125, 20.0)

    def predict(inputs: np.ndarray) -> np.ndarray:
        power = np.square(inputs - inputs.mean(axis=(1, 2), keepdims=True)).mean(axis=(1, 2))
        return logistic((power - 100) / 30)

    truth, parts = np.ones(len(images), int), dict(removed_bands(images, (1.0, 1.0), EDGES))
    moved = [evidence(predict(images), predict(part), truth).kl.mean() for part in parts.values()]
    assert list(parts)[int(np.argmax(moved))] == "patch_0.2_to_0.3_per_mm"
    assert moved[2] > 1
    assert max(moved[:2] + moved[3:]) < 1e-6


def test_removing_a_band_removes_it_and_keeps_the_mean():
    images = stripes(0.28125, 20.0)
    assert without_band(images, (1.0, 1.0), 0.2, 0.3) == pytest.approx(np.full_like(images, 40.0))
    assert without_band(images, (1.0, 1.0), 0.3, 0.4) == pytest.approx(images)
    # the same stripes on half the pixel lie at twice the frequency
    assert without_band(images, (0.5, 0.5), 0.5, 0.6) == pytest.approx(np.full_like(images, 40.0))


def test_features_taken_away_lose_their_evidence():
    features = np.array([[4.0, 0.0, 1.0], [-4.0, 0.0, 2.0]])

    def predict(inputs: np.ndarray) -> np.ndarray:
        return logistic(inputs[:, 0])

    telling = without_features(features, np.array([0]), np.zeros(3))
    mute = without_features(features, np.array([1, 2]), np.zeros((2, 3)))
    whole, truth = predict(features), np.array([1, 0])
    assert evidence(whole, predict(telling), truth).kl.min() > 0.5
    assert evidence(whole, predict(mute), truth).kl.max() == 0
    assert features[0, 0] == 4.0


def test_gain_is_positive_for_telling_and_negative_for_misleading_evidence():
    whole, nothing = logistic(np.array([3.0, -3.0])), np.full((2, 2), 0.5)
    certain = np.log(1 / (1 + np.exp(-3)))
    assert gain(whole, nothing, np.array([1, 0])) == pytest.approx(certain - np.log(0.5))
    assert gain(whole, nothing, np.array([0, 1])).max() < -2
