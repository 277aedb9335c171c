# Can the divergences be trusted? Problems of known truth; only `snakemake divergence_study` runs them


rule demonstrate:
    output:
        report(
            directory(at("divergence_study/{demonstration}")),
            patterns=["{name}.png"],
            caption="../report/divergence_study.rst",
            category="Divergence study",
            subcategory="{demonstration}",
        ),
    log:
        log_of("demonstrate", "demonstration"),
    benchmark:
        benchmark_of("demonstrate", "demonstration")
    wildcard_constraints:
        demonstration="|".join(DEMONSTRATIONS),
    conda:
        ENVIRONMENT
    resources:
        **growing(mem_mb=1000, runtime=30),
    params:
        settings=lambda wildcards: {
            **config["divergence_study"][wildcards.demonstration],
            "monitor": config["model"]["monitor"],
        },
        seeds=config["divergence_study"]["seeds"],
        version=VERSIONS["demonstrate"],
    script:
        "../scripts/demonstrate.py"


rule divergence_study:
    input:
        expand(at("divergence_study/{demonstration}"), demonstration=DEMONSTRATIONS),
