"""A rule's script, run as Snakemake runs it but in this process."""

from pathlib import Path
from types import SimpleNamespace

SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"


class Given(SimpleNamespace):
    """Named inputs, as Snakemake hands them over."""

    def get(self, name, default):
        return getattr(self, name, default)


def run_script(name: str, given: dict, output: Path) -> None:
    """Run a rule's script as Snakemake would."""
    snakemake = Given(
        input=Given(**given["input"]), params=Given(**given["params"]),
        output=[str(output)], log=[], threads=1,
    )  # fmt: skip
    path = SCRIPTS / f"{name}.py"
    exec(compile(path.read_text(), str(path), "exec"), {"snakemake": snakemake})
