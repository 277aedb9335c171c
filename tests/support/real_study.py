"""A study over the real scans, run by the real Snakemake."""

import os
import subprocess
from pathlib import Path

from study import ROOT, SNAKEMAKE, environment


def run_real(data: Path, config: str, folder: Path, *options: str) -> None:
    """Run a configuration of the repository; its results go to `folder`.

    Args:
        data: folder of the real scans; config: below the repository.
        folder: of the results; options: Snakemake's, targets among them.
    """
    command = [
        *SNAKEMAKE, *options, "--workflow-profile", "workflow/profiles/default",
        "--configfile", config, "--config", f"results={folder}",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env={**environment(), "CTHARMONY_REAL_DATA": os.fspath(data)},
        capture_output=True, text=True, timeout=1500,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
