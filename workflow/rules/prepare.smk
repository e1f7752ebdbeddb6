# From native files to images, masks and instances that people can open, and what is worth knowing of them.


rule prepare:
    "Read a dataset's native files and write its images, masks and nuclei."
    output:
        images=directory("results/{dataset}/prepared/images"),
        masks=directory("results/{dataset}/prepared/masks"),
        instances=directory("results/{dataset}/prepared/instances"),
        index="results/{dataset}/prepared/index.csv",
        description="results/{dataset}/prepared/dataset.json",
    log:
        "logs/prepare/{dataset}.log",
    benchmark:
        "benchmark/prepare/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.prepare_flags,
        code=study.prepare_code,
        raw_data=study.raw_digest,
    shell:
        """
        python scripts/prepare_dataset.py \
            --name {wildcards.dataset:q} \
            {params.flags:q} \
            --images {output.images:q} \
            --masks {output.masks:q} \
            --instances {output.instances:q} \
            --index {output.index:q} \
            --dataset {output.description:q} > {log:q} 2>&1
        """


rule inspect:
    "Look for trouble in a prepared dataset and show what it holds."
    input:
        images="results/{dataset}/prepared/images",
        masks="results/{dataset}/prepared/masks",
        instances="results/{dataset}/prepared/instances",
        index="results/{dataset}/prepared/index.csv",
        description="results/{dataset}/prepared/dataset.json",
    output:
        findings="results/{dataset}/inspection/findings.csv",
        classes="results/{dataset}/inspection/classes.csv",
        sheet=report(
            "results/{dataset}/inspection/sheet.png",
            category="Data",
            subcategory="{dataset}",
            labels={"shown": "samples"},
            caption="../report/sheet.rst",
        ),
    log:
        "logs/inspect/{dataset}.log",
    benchmark:
        "benchmark/inspect/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.inspect_flags,
        code=study.code_of("inspect_dataset"),
    shell:
        """
        python scripts/inspect_dataset.py \
            --index {input.index:q} \
            --dataset {input.description:q} \
            {params.flags:q} \
            --findings {output.findings:q} \
            --classes {output.classes:q} \
            --sheet {output.sheet:q} > {log:q} 2>&1
        """
