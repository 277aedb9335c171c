"""The workflow as a module of somebody else's workflow."""

import subprocess

import pytest

from study import ROOT, SNAKEMAKE, count_jobs, environment

pytestmark = pytest.mark.workflow

OTHER = """
configfile: "config/config.yaml"

module harmony:
    snakefile: "{root}/workflow/Snakefile"
    config: config

use rule * from harmony as harmony_*

rule volumes:
    default_target: True
    input: rules.harmony_all.input
    output: "volumes.txt"
    shell: "ls {{input}} > {{output}}"
"""


def test_another_workflow_uses_ours_as_a_module(file_study):
    (file_study.folder / "Snakefile").write_text(OTHER.format(root=ROOT))
    done = subprocess.run(
        [*SNAKEMAKE, "--dry-run", "--cores", "1", "--quiet", "rules"],
        cwd=file_study.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    jobs = count_jobs(done.stdout)
    assert jobs["volumes"] == 1
    assert jobs["harmony_harmonize"] == jobs["harmony_ingest"] == 2
    assert jobs["harmony_train"] == jobs["harmony_track"] == 1
