"""The large study of truth: its sheets are the generator's, and Snakemake plans it."""

import subprocess

import pandas as pd
import pytest
import yaml

from ctharmony.phantom.sheets import make_sheet, read_population
from study import ROOT, SNAKEMAKE, count_jobs, environment

STUDY = ROOT / "config" / "study"


@pytest.fixture(scope="module")
def sites() -> pd.DataFrame:
    return pd.read_csv(STUDY / "sites.tsv", sep="\t")


def test_sheets_are_what_the_generator_writes(sites):
    texts = [(ROOT / "config/config.yaml").read_text(), (STUDY / "config.yaml").read_text()]
    population = read_population("\n---\n".join(texts))
    for site in sites.itertuples():
        written = pd.read_csv(ROOT / site.manifest, sep="\t")
        made = make_sheet(site.site, site.role, population)
        pd.testing.assert_frame_equal(written, made, check_dtype=False)
        assert len(written) == 200


def test_scanners_are_held_out(sites):
    """Nobody trains on a scanner that only judges, here or in the demo."""
    demo = pd.read_csv(ROOT / "config/demo/sites.tsv", sep="\t")
    both = pd.concat([sites, demo])
    training = set(both.loc[both["role"] == "reference", "scanner"])
    content = yaml.safe_load((ROOT / "config/demo/scanners.yaml").read_text())
    assert training == {"alpine", "harbour", "meadow"}
    assert len(set(content["scanners"]) - training) >= 6


@pytest.mark.workflow
def test_a_dry_run_plans_one_job_per_site_and_batch(tmp_path):
    """8 sites x 200 scans in batches of 8, each simulated in a job of its own."""
    (tmp_path / "config").symlink_to(ROOT / "config")
    command = [*SNAKEMAKE, "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "--dry-run",
               "--quiet", "rules", "--until", "simulate", "--configfile",
               "config/study/config.yaml"]  # fmt: skip
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert count_jobs(done.stdout)["simulate"] == 200
