"""The small study by Slurm: cancelled, run again, its training preempted on the way.

One run serves all questions. What it ends with is held against the local run that other tests of
the session share, so nothing is made twice but by Slurm.
"""

import os
import re
import subprocess

import pandas as pd
import psutil
import pytest

from small_study import finished_small_study, small_study
from study import ROOT, SNAKEMAKE, environment

pytestmark = pytest.mark.slurm
FAST = ("--latency-wait", "20", "--slurm-init-seconds-before-status-checks", "1")
NOT_KEPT = {"keep": {"simulated": False, "baselines": False}}
ABOUT_THE_RUN = ("benchmarks/", "mlflow/")


@pytest.fixture(scope="module")
def local(tmp_path_factory, shared_folder):
    """The small study after an undisturbed local run."""
    return finished_small_study(tmp_path_factory.mktemp("local"), shared_folder)


@pytest.fixture(scope="module", autouse=True)
def growth(plain_cluster, tmp_path_factory):
    """growth.smk by Slurm without accounts, which takes minutes of waiting for a limit of time."""
    folder = tmp_path_factory.mktemp("growth")
    command = [
        *SNAKEMAKE, "--snakefile", str(ROOT / "tests" / "slurm" / "growth.smk"),
        "--workflow-profile", str(ROOT / "workflow" / "profiles" / "slurm"), *FAST,
    ]  # fmt: skip
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(
            command, cwd=folder, env=environment() | plain_cluster.environment,
            stdout=said, stderr=subprocess.STDOUT,
        )  # fmt: skip
        yield process, folder
        process.kill()
        process.wait()


def by_slurm(study, cluster):
    """The same study, to be run by Slurm."""
    study.profile, study.options = "slurm", list(FAST)
    study.environment = cluster.environment
    return study


@pytest.fixture(scope="module")
def study(cluster, growth, tmp_path_factory):
    """The small study in a folder of its own, to be run by Slurm; it keeps no intermediates."""
    return by_slurm(small_study(tmp_path_factory.mktemp("slurm"), NOT_KEPT), cluster)


@pytest.fixture
def begin(study):
    """Start a run of the study, which does not outlive the test; what it says is in said.txt."""
    started = []

    def start(*options):
        said = (study.folder / "said.txt").open("w")
        started.append(study.start(*options, stdout=said))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def said_by(study) -> str:
    return (study.folder / "said.txt").read_text()[-3000:]


def of_results(study, *below):
    """Fingerprints of what the study says, without what tells of the run."""
    found = study.fingerprints(*below)
    return {name: value for name, value in found.items() if not name.startswith(ABOUT_THE_RUN)}


def log_of_training(study):
    path = study.folder / "logs" / "results" / "train" / "factorised.log"
    return path.read_text() if path.exists() else ""


def process_of_training(study):
    """The process that trains in the study's folder."""
    for process in psutil.process_iter(["cmdline"]):
        script = (process.info["cmdline"] or [""])[-1]
        if script.startswith(str(study.folder)) and script.endswith(".train.py"):
            return process
    raise AssertionError("nothing trains")


def restarts(cluster, job) -> int:
    """How often Slurm put a job back into the queue."""
    shown = cluster.call("scontrol", "show", "job", job)
    waiting = "JobState=PENDING" in shown
    return int(re.search(r"Restarts=(\d+)", shown)[1]) if waiting else 0


def preempt_training(study, cluster):
    """Take the GPU away from a training in the middle; Slurm puts it back into the queue."""
    cluster.wait_for("an epoch", lambda: "epoch 1 of" in log_of_training(study), seconds=600)
    # it would be over in a second; what Slurm sends makes it go on
    training = process_of_training(study)
    training.suspend()
    job = cluster.call("squeue", "-h", "-p", "spare", "-o", "%i")
    cluster.call("srun", "-p", "urgent", "--gres=gpu:1", "-n1", "-t1", "true")
    assert "checkpoint at step" in log_of_training(study), "not preempted: it was over by then"
    # Slurm lets a requeued job wait for two minutes
    cluster.wait_for("the requeue", lambda: restarts(cluster, job) == 1)
    cluster.call("scontrol", "update", f"jobid={job}", "starttime=now")


def test_a_cancelled_run_ends_and_says_so(study, cluster, begin):
    process = begin("--retries", "0")
    shown = ("squeue", "-h", "-o", "%T")
    cluster.wait_for("a running job", lambda: "RUNNING" in cluster.call(*shown), seconds=300)
    cluster.call("scancel", "--user", "root" if os.geteuid() == 0 else os.environ["USER"])
    assert process.wait(300) != 0, said_by(study)


def test_run_again_and_preempted_it_equals_the_local_run(study, cluster, local, begin):
    wishes = ("train:gpu=1", "train:slurm_partition=spare")
    process = begin("--set-resources", *wishes)
    preempt_training(study, cluster)
    assert process.wait(900) == 0, said_by(study)
    assert "going on from step" in log_of_training(study)
    kept = {name: digest for name, digest in of_results(local).items()
            if name.partition("/")[0] not in NOT_KEPT["keep"]}  # fmt: skip
    assert of_results(study) == kept
    asked = cluster.call("sacct", "-n", "-X", "-P", "-o", "AllocTRES,NodeList,State")
    assert any("gres/gpu=1" in row and "|n2|COMPLETED" in row for row in asked.splitlines()), asked


def losses(study) -> pd.Series:
    """Loss of every epoch, in nats."""
    history = pd.read_csv(study.results / "models" / "factorised" / "history.tsv", sep="\t")
    rows = history[(history["term"] == "loss") & (history["split"] == "train")]
    return rows.set_index("epoch")["value"]


def test_training_over_two_nodes_sees_the_loss_of_one(cluster, local, tmp_path, shared_folder):
    spread = {"model": {"training": {"nodes": 2}}}
    study = by_slurm(finished_small_study(tmp_path, shared_folder, spread), cluster)
    # the cluster's nodes have names that no name server knows
    study.environment |= {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    study.finish("--until", "train")
    pd.testing.assert_series_equal(losses(study), losses(local), rtol=1e-3)
    ran = cluster.call("sacct", "-n", "-X", "-P", "-o", "NNodes,State")
    assert "2|COMPLETED" in ran.splitlines(), ran


def test_a_job_beyond_its_memory_or_time_is_retried_with_more(growth):
    process, folder = growth
    said = folder / "said.txt"
    assert process.wait(400) == 0, said.read_text()[-4000:]
    assert (folder / "hungry.txt").read_text().strip() == "1400"
    assert (folder / "slow.txt").read_text().strip() == "2"
    assert "Trying to restart job" in said.read_text()
