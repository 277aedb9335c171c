"""The examples that notebooks would copy do what they say."""

import doctest
from importlib import import_module

import pytest

EXAMPLES = ("ctharmony.information", "ctharmony.registration", "ctharmony.harmonizer")


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name, root, monkeypatch):
    monkeypatch.chdir(root)
    found = doctest.testmod(import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
