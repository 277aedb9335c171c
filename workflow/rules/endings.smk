# What is done before the first job, after the last one, and where one failed
from ctharmony.commands.estimates import seconds_of, size_of
from ctharmony.commands.plan import NOT_JOBS
from ctharmony.commands.study import StudyFiles
from ctharmony.endings import killed_jobs, settle_clocks
from ctharmony.remaining import announce


def expected_seconds(jobs):
    """Expected seconds of a run's jobs, by rule, for the display of progress."""
    study = StudyFiles(None, config, COHORT)
    counted = {rule: number for rule, number in jobs.items() if rule not in NOT_JOBS}
    return seconds_of(study, counted, size_of(study))


onstart:
    settle_clocks(Path(config["results"]))
    announce(expected_seconds)


onerror:
    for path in map(Path, log):
        print(*killed_jobs(path.read_text(errors="replace")), sep="\n")


onsuccess:
    print(f"Report: {config['results']}/report.html")
    print(f"MLflow UI: make mlflow STUDY={config['results']}")
