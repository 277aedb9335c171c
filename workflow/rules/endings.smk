# What is done before the first job, after the last one, and where one failed
from ctharmony.endings import killed_jobs, settle_clocks


onstart:
    settle_clocks(Path(config["results"]))


onerror:
    for path in map(Path, log):
        print(*killed_jobs(path.read_text(errors="replace")), sep="\n")


onsuccess:
    print(f"Report: {config['results']}/report.html")
    print(f"MLflow UI: make mlflow STUDY={config['results']}")
