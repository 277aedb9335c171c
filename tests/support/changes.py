"""What happens to a study in the course of months: functions that change it."""

import os

from study import simulated_rows

# what a study names itself stays in its order, and so does what studies lay over other blocks
NAMED_BY_THE_STUDY = ("tissues_hu", "windows", "segments", "confounding_study", "feature_study")
BUMPED = """\
import os
from ctharmony.versions import VERSIONS
VERSIONS[os.environ["BUMPED_STAGE"]] += 1
"""


def join_query_site(study):
    study.manifests["meadow"] = ("query", "meadow", simulated_rows("meadow", "query", study.config))


def append_scan(site):
    def change(study):
        rows = study.manifests[site][2]
        name = f"{site}-99"
        study.manifests[site][2].append({**rows[0], "scan": name, "subject": name, "split": "test"})

    return change


def withdraw(site):
    def change(study):
        study.withdrawn.add(site)

    return change


def promote(study):
    _, scanner, rows = study.manifests["summit"]
    study.manifests["summit"] = ("reference", scanner, rows)


def reorder_sites(study):
    study.manifests = dict(reversed(study.manifests.items()))


def reorder_keys(study):
    study.config = reversed_keys(study.config)


def reversed_keys(block):
    if not isinstance(block, dict):
        return block
    return {
        key: value if key in NAMED_BY_THE_STUDY else reversed_keys(value)
        for key, value in reversed(block.items())
    }


def change_setting(block, key, value):
    def change(study):
        study.config[block][key] = value

    return change


def train_with_another_seed(study):
    study.config["models"]["factorised_seed2"] = {"seed": 2}


def bump(stage):
    """A new version of ctharmony whose numbers of one stage differ."""

    def change(study):
        folder = study.folder / "bumped"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(BUMPED)
        path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
        study.environment = {"PYTHONPATH": path, "BUMPED_STAGE": stage}

    return change
