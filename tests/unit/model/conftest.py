"""Settings and scans small enough that a training run takes a second."""

import pytest
import torch

import synthetic
from ctharmony.model.settings import Settings
from training_block import training_block


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def block() -> dict:
    """A fresh config block that a test may change."""
    return training_block()


@pytest.fixture
def settings(block) -> Settings:
    return Settings.from_dict(block)


@pytest.fixture(scope="session")
def scans():
    """Two training and one validation scan of each of three sites."""
    return synthetic.study(per_site=2, validation=1, field_mm=160.0, slices=3)
