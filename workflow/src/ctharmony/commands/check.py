"""`check`: everything that can be known before work starts, and the plan."""

import argparse
import os
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from ctharmony.cohort import SPLITS, StudyError
from ctharmony.commands.disk import bytes_left, bytes_needed, written
from ctharmony.commands.estimates import seconds_of, size_of
from ctharmony.commands.findings import run_command
from ctharmony.commands.looks import make_console
from ctharmony.commands.plan import count, planned_jobs, start_dry_run
from ctharmony.commands.study import StudyFiles, open_study, take_study
from ctharmony.remaining import SERIAL


def fill(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    take_study(parser)


def run(given: argparse.Namespace) -> int:
    """Print faults or the plan; 0 where the study can run.

    Raises:
        StudyError: config, sheets or the workflow's own checks refuse the study.
    """
    console = make_console()
    study = open_study(given.study)
    process = start_dry_run(study, "--quiet", "progress")
    console.print(sites_table(study))
    jobs = count(planned_jobs(process))
    needed = bytes_needed(study, jobs, size_of(study))
    faults = [*machine_faults(study.results, needed)] if jobs else []
    for line in cohort_warnings(study):
        console.print(f"- {line}", highlight=False, soft_wrap=True)
    if not jobs:
        console.print("Nothing to do: every result is there and up to date.", highlight=False)
        return 0
    _print_plan(console, study, jobs, needed)
    if faults:
        raise StudyError("; ".join(faults))
    console.print(f"All is well. Run: {run_command(study)}", highlight=False, soft_wrap=True)
    return 0


def sites_table(study: StudyFiles) -> Table:
    """One line per site: role, scans, subjects, batches, how its subjects are divided."""
    table = Table(box=box.SIMPLE)
    for name in ("site", "role", "scans", "subjects", "batches", *SPLITS):
        table.add_column(name, no_wrap=name == "site")
    for site in study.cohort.sites.values():
        splits = [sum(row["split"] == split for row in site.rows) for split in SPLITS]
        subjects = len({row["subject"] for row in site.rows})
        target = " (target)" if site.site == study.config["target"] else ""
        batches = len(study.cohort.batches(site.site))
        numbers = (len(site.rows), subjects, batches, *splits)
        table.add_row(site.site, site.role + target, *map(str, numbers))
    return table


def cohort_warnings(study: StudyFiles) -> list[str]:
    """What will run but not answer much, or not at all."""
    lines = []
    for name in study.cohort.of_role("reference"):
        if not any(row["split"] == "train" for row in study.cohort.sites[name].rows):
            lines.append(
                f"site {name} trains nothing: none of its subjects is in the split train; lower "
                "split.test_fraction or set the column split"
            )
    if len(study.cohort.sites) < 2:
        lines.append("one site alone: there is nothing to make comparable; add a site")
    return lines


def machine_faults(results: Path, needed: float) -> list[str]:
    """Why this machine cannot run the plan: disk or a missing program."""
    faults = []
    place = results.resolve()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        faults.append(
            f"{place} has {free / 1e9:.1f} GB free and {needed / 1e9:.1f} GB are needed; free "
            "some, or set the config key results to a larger disk"
        )
    if not os.access(place, os.W_OK):
        faults.append(f"{place} cannot be written to; set the config key results to another folder")
    for package in ("dcm2niix", "torch", "snakemake"):
        try:
            version(package)
        except PackageNotFoundError:
            faults.append(
                f"the package {package} is not installed; run make demo once, or see envs/"
            )
    return faults


def _print_plan(console: Console, study: StudyFiles, jobs: dict[str, int], needed: float) -> None:
    size = size_of(study)
    seconds, disk = seconds_of(study, jobs, size), written(study, jobs, size)
    table = Table(box=box.SIMPLE)
    for name in ("stage", "jobs", "expected core time", "disk"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for rule, number in jobs.items():
        space = amount(disk[rule]) if disk.get(rule, 0.0) >= 1e6 else ""
        table.add_row(rule, str(number), duration(seconds[rule]), space)
    console.print(table)
    serial = sum(seconds.get(rule, 0.0) for rule in SERIAL)
    cores = os.cpu_count() or 1
    wall = serial + (sum(seconds.values()) - serial) / cores
    left = bytes_left(study, jobs, size)
    stays = f", of which {amount(left)} stay" if left < needed else ""
    console.print(
        f"{size.scans} scans ({size.megavoxels:.0f} million voxels) at "
        f"{len(study.cohort.sites)} sites, {sum(jobs.values())} jobs: about {duration(wall)} on "
        f"{cores} idle cores, {amount(needed)} in {study.results}{stays}",
        highlight=False,
        soft_wrap=True,
    )


def amount(size: float) -> str:
    """Bytes in words, as coarse as an estimate is."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


def duration(seconds: float) -> str:
    """Seconds in words, as coarse as an estimate is."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
