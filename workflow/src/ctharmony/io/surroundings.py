"""What a run was made by and on: commit, packages, machine, time and memory of every rule."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import pandas as pd
import psutil

PACKAGES = ("ctharmony", "torch", "numpy", "scipy", "pandas", "nibabel", "snakemake", "mlflow")


def benchmark_tags(folder: str | Path) -> dict[str, str]:
    """Wall seconds (sum) and peak memory in MB (largest) per rule from Snakemake's benchmarks.

    Args:
        folder: holds `<rule>/**.tsv` with the columns s and max_rss; it may be missing.
    """
    tags = {}
    rules = sorted(p for p in Path(folder).glob("*") if p.is_dir())
    for rule in rules:
        frames = [pd.read_csv(path, sep="\t") for path in sorted(rule.rglob("*.tsv"))]
        if frames:
            frame = pd.concat(frames)
            peak = pd.to_numeric(frame["max_rss"], errors="coerce").max()
            tags[f"seconds.{rule.name}"] = f"{frame['s'].sum():.1f}"
            tags[f"peak_mb.{rule.name}"] = f"{peak:.0f}"
    return tags


def git_tags(folder: str | Path) -> dict[str, str]:
    """The commit that `folder` is at, and whether files differ from it; empty without git."""
    shown = []
    for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"]):
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *command], capture_output=True, text=True, timeout=20
            )
        except (OSError, subprocess.TimeoutExpired):
            return {}
        if done.returncode:
            return {}
        shown.append(done.stdout.strip())
    return {"git.commit": shown[0], "git.edited": "yes" if shown[1] else "no"}


def machine_tags() -> dict[str, str]:
    """Python, the packages that numbers depend on, and the machine that tells of the run."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES:
        try:
            found[f"package.{name}"] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    memory = psutil.virtual_memory().total / 2**30
    found |= {"hardware.cpus": str(os.cpu_count()), "hardware.memory_gb": f"{memory:.0f}"}
    return found | {"hardware.gpus": _gpus()}


def _gpus() -> str:
    """Names of the GPUs that the driver lists, or none."""
    listed = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = [line for path in listed for line in path.read_text().splitlines()]
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("Model:")]
    return ", ".join(names) or "none"
