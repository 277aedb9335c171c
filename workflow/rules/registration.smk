# One frozen template; every scan aligned to it by mutual information


rule template:
    input:
        ingested=every_batch("ingested/{site}/{batch}", COHORT.of_role("reference")),
    output:
        directory(at("template")),
    log:
        log_of("template"),
    conda:
        ENVIRONMENT
    params:
        rows=rows_of_role("reference"),
        settings=config["registration"],
        seed=config["seed"],
        version=VERSIONS["template"],
    resources:
        mem_mb=3000,
        runtime=30,
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
    conda:
        ENVIRONMENT
    params:
        rows=rows_of_batch,
        settings=config["registration"],
        seed=config["seed"],
        version=VERSIONS["register"],
    resources:
        mem_mb=2000,
        runtime=60,
    script:
        "../scripts/register.py"
