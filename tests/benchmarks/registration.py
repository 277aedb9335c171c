"""Registration against its peers on the same cases: error, processor time, memory, failures.

    python tests/benchmarks/registration.py --cases 10 --peers elastix greedy --results rows.jsonl

The cases are those of registration_cases.py. Each tool lives in its own process, warmed up by a
small case; the tools take turns, a different one first each time. Rows are kept in the file of
--results as they are made, so a run that was stopped goes on where it was; --again forgets those of
a tool.
"""

import argparse
import json
import multiprocessing
import os
import resource
import sys
import time
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import numpy as np
import SimpleITK as sitk  # noqa: N813
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests" / "support")]

from registration_cases import Case, Scan, make_case  # noqa: E402
from registration_peers import PEERS, as_itk, ours  # noqa: E402

from ctharmony.registration.settings import RegistrationSettings  # noqa: E402
from ctharmony.registration.transforms import distance  # noqa: E402
from ellipsoids import organs, scan  # noqa: E402

FAILED_MM = 5.0
BLOCK = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["registration"]
SHOWN = ("cpu_s", "wall_s", "rss_mb", "tre_median_mm", "tre_p90_mm", "tre_max_mm")


def work(name: str, pipe) -> None:
    """A tool's process: warm up, then answer every case with its figures."""
    import torch

    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    tool = ours(RegistrationSettings.from_config(BLOCK)) if name == "ctharmony" else PEERS[name]()
    small = scan(organs(1), (8.0, 6.0, 6.0), (30, 42, 58))
    tool(as_itk(small.hu, small.affine), as_itk(small.hu + 1, small.affine))
    pipe.send("ready")
    for suite, number in iter(pipe.recv, None):
        try:
            case = make_case(suite, number)
        except Exception as error:  # a case that cannot be made is no failure of the tool
            pipe.send({"no_case": f"{suite} {number}: {error}"})
            continue
        pipe.send(measured(tool, case))


def measured(tool, case: Case) -> dict:
    """Figures of one case; for a repeat the mean time of its two registrations."""
    found, times = [], []
    for moving in [case.moving] if case.again is None else [case.moving, case.again]:
        answer, used = timed(tool, case.fixed, moving)
        found.append(answer)
        times.append(used)
    error = np.full(len(case.points), 1e3)
    if case.again is None and np.isfinite(found[0]).all():
        error = distance(found[0], case.truth, case.points)
    elif case.again is not None and np.isfinite(found).all():
        error = distance(case.truth @ found[0], found[1], case.points)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spread = np.percentile(error, [50, 90, 100])
    numbers = [*np.mean(times, axis=0), memory, *spread]
    return dict(zip(SHOWN, map(float, numbers), strict=True))


def timed(tool, fixed: Scan, moving: Scan) -> tuple[np.ndarray, tuple[float, float]]:
    """The tool's map (infinite where it gave up) and its processor and wall time, s."""
    pair = as_itk(*fixed), as_itk(*moving)
    before, wall = cpu_seconds(), time.perf_counter()
    try:
        found = tool(*pair)
    except (RuntimeError, ValueError):
        found = np.full((4, 4), np.inf)
    return found, (cpu_seconds() - before, time.perf_counter() - wall)


def cpu_seconds() -> float:
    """Processor time of this process and its children."""
    kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))


class Tool:
    """A tool's process, started when first asked and again after it was stopped."""

    def __init__(self, name: str, limit_s: float):
        self.name, self.limit_s = name, limit_s
        self.process = self.pipe = None
        self.missing = False

    def ask(self, suite: str, number: int) -> dict | None:
        """The figures of a case; a failure where the time ran out; None where it is missing."""
        if self.missing or (self.process is None and not self.start()):
            return None
        self.pipe.send((suite, number))
        try:
            if self.pipe.poll(self.limit_s):
                figures = self.pipe.recv()
                if "no_case" in figures:
                    sys.exit(f"the case could not be made: {figures['no_case']}")
                return figures
        except EOFError:
            print(f"{self.name} died on {suite} {number}", file=sys.stderr)
        self.stop()
        return dict.fromkeys(SHOWN, float("nan")) | {"tre_median_mm": 1e3, "tre_max_mm": 1e3}

    def start(self) -> bool:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.process = context.Process(target=work, args=(self.name, there), daemon=True)
        self.process.start()
        there.close()
        try:
            return self.pipe.recv() == "ready"
        except EOFError:
            print(f"{self.name} is not installed or did not start; left out", file=sys.stderr)
            self.missing = True
            return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.join()
        self.process = None


def main() -> None:
    """Run what is not yet in the results, print the table and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--peers", nargs="*", default=list(PEERS))
    parser.add_argument("--suites", nargs="*", default=["ct", "multimodal", "capture", "real"])
    parser.add_argument("--results", type=Path, default=Path("registration_rows.jsonl"))
    parser.add_argument("--again", nargs="*", default=[], help="tools whose rows are made anew")
    parser.add_argument("--limit", type=float, default=400, help="wall time of one case, s")
    how = parser.parse_args()
    rows = [r for r in kept(how.results) if r["tool"] not in how.again]
    how.results.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = {(row["suite"], row["case"], row["tool"]) for row in rows}
    tools = [Tool(name, how.limit) for name in ["ctharmony", *how.peers]]
    for number in range(how.first, how.first + how.cases):
        turned = tools[number % len(tools) :] + tools[: number % len(tools)]
        for suite, tool in [(s, t) for s in how.suites for t in turned]:
            if (suite, number, tool.name) in done:
                continue
            figures = tool.ask(suite, number)
            if figures is not None:
                row = {"suite": suite, "case": number, "tool": tool.name} | figures
                rows.append(row)
                with how.results.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    for tool in tools:
        tool.stop()
    print_results(rows, how.suites)


def kept(path: Path) -> list[dict]:
    """Rows of an earlier run."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def print_results(rows: list[dict], suites: list[str]) -> None:
    """The table as markdown, then the summary over the first suite."""
    print("| suite | tool | n | " + " | ".join(SHOWN) + " | failures |")
    print("|---|---|---|" + "---|" * (len(SHOWN) + 1))
    table = {}
    for suite, name in dict.fromkeys((row["suite"], row["tool"]) for row in rows):
        found = [row for row in rows if (row["suite"], row["tool"]) == (suite, name)]
        table[suite, name] = middle = summary(found)
        cells = " | ".join(f"{middle[key]:.3g}" for key in SHOWN)
        print(f"| {suite} | {name} | {len(found)} | {cells} | {middle['failures']} |")
    print(json.dumps(verdict(table, suites[0])))


def summary(found: list[dict]) -> dict[str, float]:
    """Medians over the cases, the largest error of those that did not fail, and the failures."""
    middle = {key: float(np.nanmedian([row[key] for row in found])) for key in SHOWN}
    held = [row["tre_max_mm"] for row in found if row["tre_median_mm"] <= FAILED_MM]
    middle["tre_max_mm"] = max(held, default=float("nan"))
    return middle | {"failures": len(found) - len(held)}


def verdict(table: dict, suite: str) -> dict[str, object]:
    """Against the fastest peer that is as accurate as this project on the suite."""
    own = table[suite, "ctharmony"]
    good = {
        name: figures["cpu_s"]
        for (where, name), figures in table.items()
        if where == suite
        and name != "ctharmony"
        and figures["tre_median_mm"] <= own["tre_median_mm"]
    }
    best = min(good, key=good.get) if good else None
    ratio = good[best] / own["cpu_s"] if best else None
    keys = ("tre_median_mm", "tre_max_mm", "failures")
    return {"cpu_ratio_best_peer": ratio, "best_peer": best} | {key: own[key] for key in keys}


if __name__ == "__main__":
    main()
