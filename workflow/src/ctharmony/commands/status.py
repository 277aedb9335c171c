"""`status`: what is done, set aside, running, and why something would run again."""

import argparse
import base64
import binascii
from collections import Counter
from pathlib import Path

import pandas as pd
import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from ctharmony.commands.findings import run_command
from ctharmony.commands.looks import make_console
from ctharmony.commands.plan import FOLLOWS, MISSING, Job, count, planned_jobs, start_dry_run
from ctharmony.commands.study import StudyFiles, open_study, take_study
from ctharmony.remaining import TRAINING, latest_epoch

MOST = 12  # lines of one kind; the rest is counted


def fill(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    take_study(parser)


def run(given: argparse.Namespace) -> int:
    """Print how far the study is; 0.

    Raises:
        StudyError: config or sheets have a fault.
    """
    console = make_console()
    study = open_study(given.study)
    everything = start_dry_run(study, "--forceall")
    pending = planned_jobs(start_dry_run(study))
    total = count(planned_jobs(everything))
    unfinished = incomplete(Path.cwd())
    console.print(stages_table(total, count(pending), unfinished, study))
    _list(console, "Set aside", set_aside(study.results))
    alive = runs_here(Path.cwd())
    title = "In work" if alive else "Cut short (the next run does them again)"
    _list(console, title, [progress(path, study.results) for path in unfinished])
    _list(console, "Would run again, and why", why(pending))
    console.print(_next(study, bool(pending), alive), highlight=False, soft_wrap=True)
    return 0


def _next(study: StudyFiles, pending: bool, alive: bool) -> str:
    """What the user does now; a second run beside the first would be refused."""
    if not pending:
        return f"Everything is done. Report: {study.results / 'report.html'}"
    if alive:
        return "A run is at work in this folder and goes on by itself."
    return f"Continue: {run_command(study)}"


def stages_table(
    total: dict[str, int], pending: dict[str, int], unfinished: list[str], study: StudyFiles
) -> Table:
    """Jobs done, in work or cut short, and to do, per stage."""
    table = Table(box=box.SIMPLE)
    for name in ("stage", "done", "in work", "to do", "of"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for rule, number in total.items():
        waiting = pending.get(rule, 0)
        busy = sum(_stage(path, study.results) == rule for path in unfinished)
        numbers = (number - waiting, busy, max(0, waiting - busy), number)
        table.add_row(rule, *map(str, numbers))
    return table


def set_aside(results: Path) -> list[str]:
    """One sentence per scan that ingest or a later stage set aside, each scan once."""
    told: dict[str, str] = {}
    for pattern in ("ingested/*/*/scans.tsv", "registered/*/*/registration.tsv",
                    "harmonized/*/*/*/harmonized.tsv"):  # fmt: skip
        for path in sorted(results.glob(pattern)):
            table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
            for row in table.to_dict("records"):
                if row.get("status") in ("set_aside", "failed"):
                    told.setdefault(row["scan"], row.get("reason") or row["status"])
    return [reason if scan in reason else f"{scan}: {reason}" for scan, reason in told.items()]


def incomplete(folder: Path) -> list[str]:
    """Outputs that a running or killed Snakemake has begun and not finished, as it notes them."""
    found = []
    for path in sorted((folder / ".snakemake" / "incomplete").rglob("*")):
        if path.is_file():
            encoded = path.relative_to(folder / ".snakemake" / "incomplete").as_posix()
            try:
                found.append(base64.b64decode(encoded.replace("@", ""), b"_-").decode())
            except (binascii.Error, UnicodeDecodeError):
                continue
    return found


def progress(path: str, results: Path) -> str:
    """An unfinished output and, where it is a network's, which epoch its training has done."""
    rule = _stage(path, results)
    if rule not in TRAINING:
        return path
    epoch = latest_epoch(Path("logs", results.name, rule, f"{Path(path).name}.log"))
    return path if epoch is None else f"{path}: {epoch.told()}"


def runs_here(folder: Path) -> bool:
    """Whether a Snakemake works in this folder now."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = " ".join(process.info["cmdline"] or [])
        dry = "--dry-run" in words or " -n" in words
        if "snakemake" in words and not dry and process.info["cwd"] == str(folder.resolve()):
            return True
    return False


def why(pending: list[Job]) -> list[str]:
    """Why stages would run, but for those not made yet or only following an earlier one."""
    told = [job for job in pending if job.reason not in (FOLLOWS, MISSING)]
    groups = Counter((job.rule, job.reason) for job in told)
    return [f"{rule} ({number}): {reason}" for (rule, reason), number in groups.items()]


def _stage(path: str, results: Path) -> str:
    folders = {
        "simulated": "simulate", "truth": "simulate", "ingested": "ingest",
        "survey": "survey", "template": "template",
        "registered": "register", "models": "train", "peers": "train_peer", "adapted": "adapt",
        "baselines": "baseline", "harmonized": "harmonize", "features": "features",
        "traversals": "traverse", "evaluation": "evaluate", "report.html": "report",
        "mlflow": "track", "packages": "package", "dicom": "export",
    }  # fmt: skip
    parts = path.removeprefix(f"{results}/").split("/")
    return folders.get(parts[0], "")


def _list(console: Console, title: str, lines: list[str]) -> None:
    if not lines:
        return
    console.print(f"{title}:", highlight=False)
    for line in lines[:MOST]:
        console.print(f"  {line}", highlight=False, soft_wrap=True)
    if len(lines) > MOST:
        console.print(f"  and {len(lines) - MOST} more", highlight=False)
