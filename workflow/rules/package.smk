# A trained model in one folder, from a registry instead of training, and DICOM for the archive


rule package:
    input:
        model=at("models/{model}"),
        adapted=lambda wildcards: adapted_sites(wildcards.model),
    output:
        directory(at("packages/{model}")),
    log:
        log_of("package", "model"),
    benchmark:
        benchmark_of("package", "model")
    conda:
        ENVIRONMENT
    resources:
        **growing(mem_mb=2000, runtime=30),
    params:
        settings=lambda wildcards: packaged_settings(wildcards.model),
        version=VERSIONS["package"],
    script:
        "../scripts/package.py"


rule fetch:
    output:
        directory(at("models/{model}")),
    log:
        log_of("fetch", "model"),
    benchmark:
        benchmark_of("fetch", "model")
    wildcard_constraints:
        model="|".join(FETCHED) or NEVER,
    conda:
        ENVIRONMENT
    resources:
        **growing(mem_mb=2000, runtime=30),
    params:
        source=lambda wildcards: MODELS[wildcards.model]["source"],
        sites=sites_of("reference"),
        version=VERSIONS["fetch"],
    script:
        "../scripts/fetch.py"


rule export:
    input:
        ingested=at("ingested/{site}/{batch}"),
        harmonized=at("harmonized/{model}/{site}/{batch}"),
    output:
        directory(at("dicom/{model}/{site}/{batch}")),
    log:
        log_of("export", "model", "site", "batch"),
    benchmark:
        benchmark_of("export", "model", "site", "batch")
    conda:
        ENVIRONMENT
    resources:
        **for_batch(mem_mb=2000, runtime=60),
    params:
        rows=rows_of_batch,
        study=config["study"],
        settings=config["export"],
        ingest=config["ingest"],
        results=lambda wildcards: config["results"],
        version=VERSIONS["export"],
    script:
        "../scripts/export.py"
