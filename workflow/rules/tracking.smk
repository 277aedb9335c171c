# One writer feeds MLflow from the results, so a dead server loses nothing


rule track:
    input:
        evaluation=expand(at("evaluation/{model}"), model=list(MODELS)),
        models=expand(at("models/{model}"), model=list(MODELS)),
        report=at("report.html"),
    output:
        at("mlflow/tracked.json"),
    log:
        log_of("track"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        study=config["study"],
        models=list(MODELS),
        demonstrations=demonstrated(),
        sites=sites_of("reference", "query"),
        config=config,
        settings=config["tracking"],
        seed=config["seed"],
        version=VERSIONS["track"],
    script:
        "../scripts/track.py"
