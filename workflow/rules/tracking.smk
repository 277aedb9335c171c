# One writer feeds MLflow from the results, so a dead server loses nothing


rule track:
    input:
        evaluation=expand(at("evaluation/{model}"), model=list(MODELS)),
        models=expand(at("models/{model}"), model=list(MODELS)),
        adapted=expand(
            at("adapted/{model}/{site}"), model=list(MODELS), site=COHORT.of_role("query")
        ),
        packages=expand(at("packages/{model}"), model=list(MODELS)),
        report=at("report.html"),
    output:
        at("mlflow/tracked.json"),
    log:
        log_of("track"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        study=config["study"],
        demonstrations=demonstrated(),
        models=MODELS,
        sheets=sheets_of_study(),
        config=config,
        settings=config["tracking"],
        seed=config["seed"],
        version=VERSIONS["track"],
    script:
        "../scripts/track.py"
