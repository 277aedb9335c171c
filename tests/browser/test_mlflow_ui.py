"""The MLflow UI on a study's own store: runs, curves and the report are there."""

import re
import subprocess
import sys
import time
import urllib.request

import pandas as pd
import pytest

from ctharmony.io.files import read_json
from ctharmony.io.tables import write_table
from rule_script import run_script


@pytest.fixture(scope="module")
def tracked(study):
    """The study's tracked.json."""
    pytest.importorskip("mlflow")
    manifest, sheet = study / "alpine.tsv", study / "sites.tsv"
    write_table(manifest, pd.DataFrame({"scan": ["alpine-00"], "subject": ["s00"]}))
    write_table(sheet, pd.DataFrame({"site": ["alpine"], "manifest": [str(manifest)]}))
    models = ["plain", "narrow"]
    config = {"study": "fabricated", "results": str(study), "sites": str(sheet), "seed": 1,
              "model": {"beta": 1.0}, "models": {"plain": {}, "narrow": {"beta": 4.0}}}  # fmt: skip
    given = {
        "input": {
            "report": str(study / "report.html"),
            "models": [str(study / "models" / name) for name in models],
            "evaluation": [str(study / "evaluation" / name) for name in models],
            "packages": [str(study / "packages" / name) for name in models],
        },
        "params": {
            "study": "fabricated", "config": config,
            "models": {"plain": {"beta": 1.0}, "narrow": {"beta": 4.0}},
            "sheets": [str(sheet), str(manifest)], "demonstrations": [],
            "settings": {"enabled": True, "uri": None, "timeout_seconds": 10, "retries": 1,
                         "weights": True},
        },
    }  # fmt: skip
    run_script("track", given, study / "mlflow" / "tracked.json")
    return read_json(study / "mlflow" / "tracked.json")


@pytest.fixture(scope="module")
def address(browser, study, tracked):
    """Address of the UI that `make mlflow` opens; stopped at the end."""
    command = [sys.executable, "-m", "ctharmony.tracking", "ui", "--results", str(study)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())[0]
        _wait_for(f"{found}/health", server)
        yield found
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str, server: subprocess.Popen) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except OSError:
            assert server.poll() is None, "the MLflow server ended"
            time.sleep(0.5)
    raise AssertionError(f"{url} never answered")


def test_runs_charts_and_report_are_shown_without_leaving_this_machine(browser, address, tracked):
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_default_timeout(180_000)
    page.goto(f"{address}/#/experiments")
    page.get_by_role("link", name="fabricated").first.click(timeout=180_000)
    page.get_by_text("fabricated").first.wait_for(timeout=180_000)
    runs = {run["name"]: run["run"] for run in tracked["runs"]}
    parent = f"{address}/#/experiments/1/runs/{runs['fabricated']}"
    page.goto(parent)
    for child in ("plain", "narrow"):
        page.get_by_text(child, exact=False).first.wait_for(timeout=180_000)
    page.goto(f"{parent}/artifacts")
    page.get_by_text("report.html").first.wait_for(timeout=180_000)
    page.goto(f"{address}/#/experiments/1/runs/{runs['plain']}/model-metrics")
    # charts further down are drawn when they are scrolled to
    page.get_by_text("biology_marginal_kl").first.wait_for(timeout=180_000)
    strange = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    page.close()
    assert strange == []


def test_artifacts_are_served_from_the_results_folder(address, study, tracked):
    run = tracked["runs"][0]["run"]
    url = f"{address}/get-artifact?path=report.html&run_uuid={run}"
    with urllib.request.urlopen(url, timeout=180) as answer:
        assert answer.read() == (study / "report.html").read_bytes()
