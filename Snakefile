# The study of config/config.yaml: `snakemake --cores 2`
include: "workflow/Snakefile"


# an included `rule all` is not a default target, so the root names its own
rule study:
    default_target: True
    input:
        rules.all.input,
