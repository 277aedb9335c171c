# Two jobs that want more than they asked for at first; resources grow as the workflow's do.
from ctharmony.resources import growing


rule all:
    input:
        "hungry.txt",
        "slow.txt",


rule hungry:
    output:
        "hungry.txt",
    resources:
        **growing(mem_mb=700, runtime=2),
    params:
        megabytes=750,
    shell:
        "python -c 'import sys, time; held = bytearray(int(sys.argv[1]) << 20); time.sleep(8)'"
        " {params.megabytes} && echo {resources.mem_mb} > {output}"


rule slow:
    output:
        "slow.txt",
    resources:
        **growing(mem_mb=1000, runtime=1),
    shell:
        "test {resources.runtime} -gt 1 || sleep 120; echo {resources.runtime} > {output}"
