"""One config key changes the divergence; the study of divergences stays outside the default run."""

import pandas as pd
import pytest

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("small_study")]

NAMES = ("js", "wasserstein_gp", "sliced_wasserstein")


@pytest.mark.parametrize("name", NAMES)
def test_the_study_runs_with_another_divergence_by_one_key(finished_study, name):
    study = finished_study
    key = f"models={{{name}: {{invariance: {{divergence: {name}}}}}}}"
    study.finish("--config", key, "--until", "adapt", "--", *_results(study, name))
    history = pd.read_csv(study.results / "models" / name / "history.tsv", sep="\t")
    terms = set(history.term)
    assert {"invariance", f"invariance_{name}", "invariance_generator_gradient"} <= terms
    assert history.value.notna().all()


def _results(study, name: str) -> list[str]:
    return [f"{study.config['results']}/adapted/{name}/summit"]


def test_the_divergence_study_is_a_target_of_its_own(finished_study):
    study = finished_study
    assert study.planned("divergence_study") == {"demonstrate": 7, "divergence_study": 1}
    assert "demonstrate" not in study.planned("--forceall")
