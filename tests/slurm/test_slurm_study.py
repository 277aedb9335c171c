"""The small study by Slurm: cancelled on the way, rerun, equal to the local run, preempted."""

import os
import re

import pandas as pd
import pytest

from small_study import finished_small_study, small_study

pytestmark = [pytest.mark.slurm, pytest.mark.long]
FAST = ["--latency-wait", "20"]
ABOUT_THE_RUN = ("benchmarks/", "mlflow/")


@pytest.fixture(scope="module")
def local(tmp_path_factory, shared_folder):
    """The small study after an undisturbed local run."""
    return finished_small_study(tmp_path_factory.mktemp("local"), shared_folder)


def by_slurm(study, cluster):
    """The same study, to be run by Slurm."""
    study.profile, study.options = "slurm", list(FAST)
    study.environment = cluster.environment
    return study


def of_results(study, *below):
    """Fingerprints of what the study says, without what tells of the run."""
    found = study.fingerprints(*below)
    return {name: value for name, value in found.items() if not name.startswith(ABOUT_THE_RUN)}


def log_of_training(study):
    path = study.folder / "logs" / "results" / "train" / "factorised.log"
    return path.read_text() if path.exists() else ""


def test_cancelled_and_rerun_by_slurm_equals_the_local_run(cluster, local, tmp_path):
    not_kept = {"simulated": False, "baselines": False}
    study = by_slurm(small_study(tmp_path, {"keep": not_kept}), cluster)
    process = study.start("--retries", "0", stdout=(tmp_path / "said.txt").open("w"))
    shown = ("squeue", "-h", "-o", "%T")
    cluster.wait_for("a running job", lambda: "RUNNING" in cluster.call(*shown), seconds=300)
    cluster.call("scancel", "--user", "root" if os.geteuid() == 0 else os.environ["USER"])
    assert process.wait(300) != 0, (tmp_path / "said.txt").read_text()[-3000:]
    study.finish("--set-resources", "train:gpu=1")
    kept = {name: digest for name, digest in of_results(local).items()
            if name.partition("/")[0] not in not_kept}  # fmt: skip
    assert of_results(study) == kept
    asked = cluster.call("sacct", "-n", "-X", "-P", "-o", "AllocTRES,NodeList,State")
    assert any("gres/gpu=1" in row and "|n2|COMPLETED" in row for row in asked.splitlines()), asked


def test_a_preempted_training_goes_on_from_its_checkpoint(cluster, tmp_path_factory, shared_folder):
    longer = {"model": {"training": {"steps": 400, "steps_per_epoch": 5}}}
    folders = [tmp_path_factory.mktemp(name) for name in ("undisturbed", "preempted")]
    undisturbed, study = (finished_small_study(f, shared_folder, longer) for f in folders)
    undisturbed.finish("--until", "train")
    by_slurm(study, cluster)
    (study.folder / "logs" / "results" / "train" / "factorised.log").unlink()
    process = study.start(
        "--until", "train", "--set-resources", "train:slurm_partition=spare",
        stdout=(study.folder / "said.txt").open("w"),
    )  # fmt: skip
    cluster.wait_for("an epoch", lambda: "epoch 1:" in log_of_training(study), seconds=300)
    job = cluster.call("squeue", "-h", "-p", "spare", "-o", "%i")
    cluster.call("srun", "-p", "urgent", "-n1", "-c4", "-t1", "true")
    assert "checkpoint at step" in log_of_training(study), "not preempted: it was over by then"
    # Slurm lets a requeued job wait for two minutes
    cluster.wait_for("the requeue", lambda: restarts(cluster, job) == 1)
    cluster.call("scontrol", "update", f"jobid={job}", "starttime=now")
    assert process.wait(600) == 0, (study.folder / "said.txt").read_text()[-3000:]
    assert "going on from step" in log_of_training(study)
    assert of_results(study, "models") == of_results(undisturbed, "models")


def restarts(cluster, job) -> int:
    """How often Slurm put a job back into the queue."""
    shown = cluster.call("scontrol", "show", "job", job)
    assert "JobState=" in shown
    waiting = "JobState=PENDING" in shown
    return int(re.search(r"Restarts=(\d+)", shown)[1]) if waiting else 0


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
