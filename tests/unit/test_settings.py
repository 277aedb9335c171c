"""A fault in the configuration is told with the key's path and a mend."""

import json

import pytest
import yaml

from ctharmony.cohort import StudyError
from ctharmony.settings import check_settings, expand_models, in_order, merge
from study import ROOT

SHIPPED = ROOT / "workflow" / "schemas" / "config.schema.yaml"

SCHEMA = """
type: object
additionalProperties: false
required: [study]
properties:
  study: {type: string}
  model: {$ref: model.schema.yaml}
  models: {type: object, additionalProperties: {$ref: model.schema.yaml}}
"""
MODEL = """
type: object
additionalProperties: false
required: [beta, loss]
properties:
  beta: {type: number, minimum: 0}
  loss: {type: object, additionalProperties: false, properties: {free_bits: {type: number}}}
"""


@pytest.fixture
def schema(tmp_path):
    (tmp_path / "model.schema.yaml").write_text(MODEL)
    path = tmp_path / "config.schema.yaml"
    path.write_text(SCHEMA)
    return path


def fault(config, schema):
    with pytest.raises(StudyError) as caught:
        check_settings(config, schema)
    return str(caught.value)


def good():
    return {
        "study": "x",
        "model": {"beta": 1.0, "loss": {"free_bits": 0.1}},
        "models": {"plain": None, "strong": {"beta": 4.0}},
    }


def test_a_good_configuration_passes(schema):
    assert check_settings(good(), schema) is None


def test_misspelled_key_is_named_with_the_near_one(schema):
    message = fault({**good(), "stduy": 1}, schema)
    assert message == "config key 'stduy' in the configuration is not known; did you mean 'study'?"


def test_nested_misspelling_shows_its_place(schema):
    config = good()
    config["model"]["loss"]["free_bit"] = 1
    assert "config key 'free_bit' in model.loss is not known; did you mean 'free_bits'?" in fault(
        config, schema
    )


def test_value_out_of_range_shows_key_and_value(schema):
    config = good()
    config["models"]["strong"]["beta"] = -1
    assert "config key models.strong.beta: -1 is less than the minimum of 0" in fault(
        config, schema
    )


def test_missing_key_is_named(schema):
    config = good()
    del config["study"]
    assert "'study' is missing; add it" in fault(config, schema)


def test_models_override_the_defaults_level_by_level():
    config = good()
    config["models"]["strong"]["loss"] = {"twins": 2}
    models = expand_models(config)
    assert models["plain"] == config["model"]
    assert models["strong"] == {"beta": 4.0, "loss": {"free_bits": 0.1, "twins": 2}}


def test_a_model_has_its_own_seed_or_the_studys():
    config = {"seed": 7, "model": {"seed": None}, "models": {"plain": {}, "other": {"seed": 2}}}
    models = expand_models(config)
    assert {name: settings["seed"] for name, settings in models.items()} == {"plain": 7, "other": 2}
    config["model"]["seed"] = 5
    assert expand_models(config)["plain"]["seed"] == 5


def test_merge_copies():
    defaults = {"a": {"b": [1]}}
    merged = merge(defaults, {})
    merged["a"]["b"].append(2)
    assert defaults == {"a": {"b": [1]}}


def test_keys_are_brought_to_the_schemas_order_and_strange_ones_follow():
    overrides = {"network": {"width": 16, "decoder": "unet"}, "seed": 3}
    config = {"own": 1, "models": {"b": overrides, "a": {}}, "study": "pair"}
    ordered = in_order(config, SHIPPED)
    assert list(ordered) == ["study", "models", "own"] and ordered == config
    assert list(ordered["models"]) == ["b", "a"]
    assert list(ordered["models"]["b"]) == ["seed", "network"]
    assert list(ordered["models"]["b"]["network"]) == ["decoder", "width"]


def test_the_shipped_configuration_is_in_the_schemas_order():
    shipped = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    assert json.dumps(in_order(shipped, SHIPPED)) == json.dumps(shipped)
