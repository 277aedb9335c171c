"""Jobs that were killed are read off Snakemake's log; clocks that were ahead are settled."""

import os
import time

from ctharmony.endings import STAMP, killed_jobs, settle_clocks

LOG = """\
RuleException:
CalledProcessError in file "rules/ingest.smk", line 47:
Command 'set -euo pipefail;  python .snakemake/scripts/tmp1.survey.py' {ending}
[Sun Nov 22 22:01:51 2026]
Error in rule survey:
    message: None
    output: results/survey
    log: logs/results/survey/survey.log (check log file(s) for error details)
"""


def test_a_killed_job_is_told_once_with_its_output():
    for ending in ("died with <Signals.SIGKILL: 9>.", "returned non-zero exit status 137."):
        (told,) = killed_jobs(LOG.format(ending=ending) * 2)
        assert told.startswith("ERROR rule survey (results/survey): the job was killed")


def test_a_job_that_failed_by_itself_is_not_told():
    assert killed_jobs(LOG.format(ending="returned non-zero exit status 1.")) == []


def test_only_outputs_dated_in_the_future_are_dated_back(tmp_path):
    now = time.time()
    stamps = {}
    for name, hours in (("ahead", 10), ("past", -10)):
        stamps[name] = tmp_path / "ingested" / name / "b0000" / STAMP
        stamps[name].parent.mkdir(parents=True)
        stamps[name].touch()
        os.utime(stamps[name], (now + 3600 * hours,) * 2)
    assert settle_clocks(tmp_path) == 1
    assert now - 1 <= stamps["ahead"].stat().st_mtime <= time.time()
    assert stamps["past"].stat().st_mtime < now - 35000
    assert settle_clocks(tmp_path / "nowhere") == 0
