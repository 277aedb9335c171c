"""How a run begins and ends on machines that misbehave: clocks that differ, jobs that are killed.

The Snakefile imports this file while it is parsed, so it needs nothing beyond the standard library.
"""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

STAMP = ".snakemake_timestamp"
# of a script that ended by SIGKILL, and of the job it belonged to
KILLED = re.compile(
    r"\.py' (?:died with <Signals\.SIGKILL: 9>|returned non-zero exit status 137)"
    r".*?Error in rule (\w+):.*?\n    output: ([^\n]*)",
    re.S,
)


def killed_jobs(log: str) -> list[str]:
    """One sentence for each job that was killed from outside, with the mend.

    Args:
        log: everything that Snakemake wrote of a run.
    """
    return [
        f"ERROR rule {rule} ({output}): the job was killed (SIGKILL), most often because the "
        "memory was used up; nothing half-written counts: run the same command again with fewer "
        f"jobs at a time (--cores 1), a lower batch_size or, on a cluster, more memory "
        f"(--set-resources {rule}:mem_mb=...)"
        for rule, output in dict.fromkeys(KILLED.findall(log))
    ]


def settle_clocks(results: Path) -> int:
    """Bring outputs that are dated in the future back to now; how many there were.

    A machine whose clock was ahead leaves them. What is made of such an output would be older
    than it until that hour comes, so every run would make it again.
    """
    now, ahead = time.time(), 0
    for stamp in _stamps(results):
        if stamp.stat().st_mtime > now:
            os.utime(stamp, (now, now))
            ahead += 1
    return ahead


def _stamps(folder: Path) -> Iterator[Path]:
    """What dates the outputs below a folder; nothing is searched inside of an output."""
    stamp = folder / STAMP
    if stamp.exists():
        yield stamp
        return
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        inner = [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]
    for path in inner:
        yield from _stamps(path)
