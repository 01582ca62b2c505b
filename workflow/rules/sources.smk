rule download:
    output:
        data="<resources>/{origin}/{path}",
        record="<resources>/{origin}/{path}.sha256",
    log:
        "<logs>/download/{origin}/{path}.log",
    wildcard_constraints:
        origin="roadmap|other",
        path=r".+(?<!\.sha256)",
    priority: INPUTS_FIRST
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        runtime=growing(720),
    params:
        url=url_of,
        expect=lambda wildcards: CHECKSUMS.get(url_of(wildcards), (None, None)),
    script:
        "../../scripts/download.py"
