rule download:
    output:
        data="<resources>/{origin}/{path}",
        record="<resources>/{origin}/{path}.sha256",
    wildcard_constraints:
        origin="roadmap|other",
        path=r".+(?<!\.sha256)",
    params:
        url=url_of,
        expect=lambda wildcards: STUDY.checksums.get(url_of(wildcards), (None, None)),
        download=CONFIG["download"],
    log:
        "<logs>/download/{origin}/{path}.log",
    localrule: True
    threads: 1
    resources:
        mem_mb=500,
        runtime=720,
    conda:
        ENVIRONMENT
    script:
        "../../scripts/download.py"
