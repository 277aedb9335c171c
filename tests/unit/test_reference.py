"""The page of config keys is the one that the schemas make, and every key is explained there."""

import yaml

from ctharmony.reference import render
from ctharmony.settings import check_settings


def shipped(root):
    return yaml.safe_load((root / "config" / "config.yaml").read_text())


def test_page_equals_the_schemas(root):
    page = (root / "config" / "README.md").read_text()
    assert page == render(root / "workflow" / "schemas", shipped(root)), (
        "run python -m ctharmony.reference > config/README.md"
    )


def test_every_key_has_a_meaning(root):
    rows = [
        line
        for line in render(root / "workflow" / "schemas", shipped(root)).splitlines()
        if line.startswith("| ") and line.count("|") >= 5
    ]
    unexplained = [row for row in rows if not row.split("|")[2].strip()]
    assert unexplained == []


def test_the_shipped_configuration_keeps_its_schema(root):
    check_settings(shipped(root), root / "workflow" / "schemas" / "config.schema.yaml")
