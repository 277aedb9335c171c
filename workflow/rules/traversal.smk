# Pictures of what a trained model's latents hold; reference sites alone, so that new sites leave them


rule traverse:
    input:
        **each_batch("ingested", "registered", sites=COHORT.of_role("reference")),
        harmonized=every_batch("harmonized/{model}/{site}/{batch}", COHORT.of_role("reference")),
        model=at("models/{model}"),
    output:
        report(
            directory(at("traversals/{model}")),
            patterns=["{name}.png"],
            caption="../report/traversal.rst",
            category="Model",
            subcategory="{model}",
        ),
    log:
        log_of("traverse", "model"),
    benchmark:
        benchmark_of("traverse", "model")
    conda:
        ENVIRONMENT
    resources:
        **growing(mem_mb=2000, runtime=15),
    params:
        target=config["target"],
        settings=config["traversal"],
        version=VERSIONS["traverse"],
    script:
        "../scripts/traverse.py"
