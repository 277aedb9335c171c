"""Small studies for the workflow tests: one simulated end to end, one of empty files."""

import copy

import pytest

from ctharmony.settings import merge
from study import ROOT, Study, default_config, simulated_rows

SITES = {"alpine": "reference", "harbour": "reference", "summit": "query"}
SMALL = {
    "study": "small",
    "results": "results",
    "sites": "config/sites.tsv",
    "batch_size": 8,
    "simulation": {
        "scanners": str(ROOT / "config" / "demo" / "scanners.yaml"),
        "matrix": 128,
        "slices": 8,
        "views": 180,
        "object_pixel_mm": 1.0,
        "population": {
            "patients": {"train": 2, "validation": 0, "test": 1},
            "travelling_patients": 1,
        },
    },
    "model": {
        "threads": 1,
        "training": {"steps": 12, "steps_per_epoch": 6, "scans_per_step": 2},
    },
    "evaluation": {
        "probes": {"bootstrap_repeats": 100, "permutations": 20, "forest_trees": 10},
        "distance_repeats": 10,
    },
}


@pytest.fixture(scope="session")
def small_config() -> dict:
    """The demo's configuration, cut down to seconds."""
    return merge(default_config(), SMALL)


@pytest.fixture(scope="session")
def make_small_study(small_config):
    """Make a simulated three-site study in a folder."""

    def make(folder):
        manifests = {
            site: (role, site, simulated_rows(site, role, small_config))
            for site, role in SITES.items()
        }
        return Study(folder, copy.deepcopy(small_config), manifests)

    return make


@pytest.fixture(scope="session")
def finished_study(make_small_study, tmp_path_factory):
    """The small study, run to its end once for all tests; `.said` is Snakemake's output."""
    study = make_small_study(tmp_path_factory.mktemp("small"))
    study.said = study.finish()
    return study


@pytest.fixture
def file_study(tmp_path) -> Study:
    """A study of empty files: enough for everything that is checked before work starts."""
    config = merge(default_config(), {"results": "results", "target": "alpha"})
    config["sites"] = "config/sites.tsv"
    manifests = {}
    for site, role in (("alpha", "reference"), ("beta", "query")):
        (tmp_path / f"{site}.nii.gz").touch()
        rows = [{"scan": f"{site}-1", "subject": f"{site}-p1", "path": f"{site}.nii.gz"}]
        manifests[site] = (role, None, rows)
    return Study(tmp_path, config, manifests)
