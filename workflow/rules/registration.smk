# One frozen template; every scan aligned to it by mutual information


rule template:
    input:
        ingested=every_batch("ingested/{site}/{batch}", COHORT.of_role("reference")),
    output:
        directory(at("template")),
    log:
        log_of("template"),
    benchmark:
        benchmark_of("template")
    conda:
        ENVIRONMENT
    resources:
        **growing(mem_mb=3000, runtime=30),
    params:
        rows=rows_of_role("reference"),
        settings=registration_block(config),
        seed=config["seed"],
        version=VERSIONS["template"],
    script:
        "../scripts/template.py"


rule register:
    input:
        ingested=at("ingested/{site}/{batch}"),
        template=at("template"),
    output:
        directory(at("registered/{site}/{batch}")),
    log:
        log_of("register", "site", "batch"),
    benchmark:
        benchmark_of("register", "site", "batch")
    conda:
        ENVIRONMENT
    resources:
        **for_batch(mem_mb=2000, runtime=60),
    params:
        rows=rows_of_batch,
        settings=registration_block(config),
        seed=config["seed"],
        version=VERSIONS["register"],
    script:
        "../scripts/register.py"
