# One writer feeds MLflow from the results, so a dead server loses nothing


# it talks to a server, which compute nodes may not reach
localrules:
    track,


rule track:
    input:
        **each_model("evaluation", "models", "packages"),
        adapted=adapted_sites(),
        report=at("report.html"),
    output:
        at("mlflow/tracked.json"),
    log:
        log_of("track"),
    conda:
        ENVIRONMENT
    resources:
        **growing(mem_mb=2000, runtime=30),
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
