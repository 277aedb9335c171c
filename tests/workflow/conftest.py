"""Small studies for the workflow tests: one simulated end to end, one of empty files."""

import pytest

from ctharmony.settings import merge
from small_study import finished_small_study
from study import Study, default_config


@pytest.fixture(scope="module")
def finished_study(tmp_path_factory, shared_folder):
    """A copy of the small study, run to its end; `.said` is Snakemake's output."""
    return finished_small_study(tmp_path_factory.mktemp("small"), shared_folder)


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
