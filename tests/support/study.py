"""A study in a folder of its own, run by the real Snakemake."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

from ctharmony.phantom.sheets import make_sheet

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = [sys.executable, "-m", "snakemake"]


class Study:
    """config/ and results/ in a folder; Snakemake runs the repository's workflow there.

    Args:
        folder: an empty folder.
        config: the whole configuration.
        manifests: site -> (role, scanner or None, list of manifest rows).
    """

    def __init__(self, folder: Path, config: dict, manifests: dict):
        self.folder = folder
        self.config = config
        self.manifests = manifests
        self.profile, self.options = "default", ["--cores", "2"]
        self.environment: dict[str, str] = {}
        self.withdrawn: set[str] = set()
        self.write()

    @property
    def results(self) -> Path:
        return self.folder / self.config["results"]

    def write(self) -> None:
        """Write config and sheets as they are now."""
        scans = self.folder / "config" / "scans"
        scans.mkdir(parents=True, exist_ok=True)
        lines = ["site\trole\tmanifest\tscanner\twithdrawn"]
        for site, (role, scanner, rows) in self.manifests.items():
            left = "yes" if site in self.withdrawn else ""
            lines.append(f"{site}\t{role}\tconfig/scans/{site}.tsv\t{scanner or ''}\t{left}")
            columns = list(dict.fromkeys(key for row in rows for key in row))
            table = ["\t".join(columns)]
            table += ["\t".join(str(row.get(key) or "") for key in columns) for row in rows]
            (scans / f"{site}.tsv").write_text("\n".join(table) + "\n")
        (self.folder / "config" / "sites.tsv").write_text("\n".join(lines) + "\n")
        (self.folder / "config" / "config.yaml").write_text(
            yaml.safe_dump(self.config, sort_keys=False)
        )

    def command(self, *arguments: str) -> list[str]:
        return [
            *SNAKEMAKE,
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--workflow-profile",
            str(ROOT / "workflow" / "profiles" / self.profile),
            *self.options,
            *arguments,
        ]

    def start(self, *arguments: str, **how) -> subprocess.Popen:
        """Start Snakemake in a session of its own, so that it can be killed with all its jobs."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=environment() | self.environment,
            start_new_session=True,
            **{"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, **how},
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run Snakemake to its end; output and errors together in `.stdout`."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=environment() | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1500,
        )

    def finish(self, *arguments: str) -> str:
        """Run and demand success; the logs are shown where it fails."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def planned(self, *arguments: str) -> dict[str, int]:
        """Jobs by rule that a dry run would start."""
        output = self.finish(*arguments, "--dry-run", "--quiet", "rules")
        return count_jobs(output)

    def fingerprints(self, *below: str) -> dict[str, str]:
        """SHA-256 of every file under the given folders of results (all by default)."""
        found = {}
        for name in below or ("",):
            place = self.results / name
            files = [place] if place.is_file() else sorted(place.rglob("*"))
            for path in files:
                if path.is_file() and path.name != ".snakemake_timestamp":
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    found[str(path.relative_to(self.results))] = digest
        return found


def default_config() -> dict:
    """The configuration the repository ships."""
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


def simulated_rows(site: str, role: str, config: dict) -> list[dict]:
    """Manifest rows of a virtual site."""
    return make_sheet(site, role, config["simulation"]["population"]).to_dict("records")


def environment() -> dict[str, str]:
    """The test's environment with this interpreter's programs first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONHASHSEED": "0"}


def count_jobs(output: str) -> dict[str, int]:
    """Read the job table of a dry run."""
    found = re.findall(r"^([a-z_]+)\s+(\d+)\s*$", output, re.M)
    return {rule: int(count) for rule, count in found if rule != "total"}
