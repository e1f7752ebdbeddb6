# From native files to images, masks and instances that people can open, and what is worth knowing of them.


# What is quick, or in need of the internet, runs where Snakemake runs, on a cluster too.
localrules:
    fetch, download, check_headline,


rule fetch:
    "Download all datasets of the study that have a source, and do nothing else."
    input:
        collect("results/{dataset}/source.json", dataset=study.sourced_datasets),


rule download:
    "Download a dataset's files, check their digests and unpack them."
    output:
        receipt="results/{dataset}/source.json",
    log:
        "logs/download/{dataset}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.prepare.fetch_flags,
    shell:
        """
        python scripts/fetch_dataset.py \
            --dataset {wildcards.dataset:q} \
            {params.flags:q} \
            --digests .snakemake/raw_data/{wildcards.dataset:q}.json \
            --receipt {output.receipt:q} > {log:q} 2>&1
        """


rule prepare:
    "Read a dataset's native files and write its images, masks and nuclei."
    input:
        receipt=study.prepare.fetched,
    output:
        images=directory("results/{dataset}/prepared/images"),
        masks=directory("results/{dataset}/prepared/masks"),
        instances=directory("results/{dataset}/prepared/instances"),
        second_instances=directory("results/{dataset}/prepared/second_instances"),
        index="results/{dataset}/prepared/index.csv",
        skipped="results/{dataset}/prepared/skipped.csv",
        description="results/{dataset}/prepared/dataset.json",
    log:
        "logs/prepare/{dataset}.log",
    benchmark:
        "benchmark/prepare/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.prepare.flags,
        code=study.prepare.code,
        raw_data=study.prepare.raw_digest,
    threads: study.resources.prepare.cores
    resources:
        mem_mb=study.resources.prepare.memory_mb,
        runtime=study.resources.prepare.minutes,
    shell:
        """
        python scripts/prepare_dataset.py \
            --name {wildcards.dataset:q} \
            {params.flags:q} \
            --images {output.images:q} \
            --masks {output.masks:q} \
            --instances {output.instances:q} \
            --second-instances {output.second_instances:q} \
            --index {output.index:q} \
            --skipped {output.skipped:q} \
            --dataset {output.description:q} > {log:q} 2>&1
        """


rule find_duplicates:
    "Find images of a dataset that are the same picture, also mirrored, turned or saved anew."
    input:
        images="results/{dataset}/prepared/images",
        index="results/{dataset}/prepared/index.csv",
        description="results/{dataset}/prepared/dataset.json",  # read beside the index, for the dataset's name
    output:
        duplicates="results/{dataset}/inspection/duplicates.csv",
    log:
        "logs/find_duplicates/{dataset}.log",
    benchmark:
        "benchmark/find_duplicates/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=study.code_of("find_duplicates"),
    threads: study.resources.prepare.cores
    resources:
        mem_mb=study.resources.prepare.memory_mb,
        runtime=study.resources.prepare.minutes,
    shell:
        """
        python scripts/find_duplicates.py \
            --index {input.index:q} \
            --duplicates {output.duplicates:q} > {log:q} 2>&1
        """


rule find_shared_pictures:
    "Find pictures that several datasets of the study share."
    input:
        images=collect("results/{dataset}/prepared/images", dataset=study.datasets),
        indexes=collect("results/{dataset}/prepared/index.csv", dataset=study.datasets),
        descriptions=collect("results/{dataset}/prepared/dataset.json", dataset=study.datasets),
    output:
        duplicates="results/report/{study}/duplicates.csv",
    log:
        "logs/find_shared_pictures/{study}.log",
    benchmark:
        "benchmark/find_shared_pictures/{study}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=study.code_of("find_duplicates"),
    threads: study.resources.prepare.cores
    resources:
        mem_mb=study.resources.prepare.memory_mb,
        runtime=study.resources.prepare.minutes,
    shell:
        """
        python scripts/find_duplicates.py \
            --index {input.indexes:q} \
            --duplicates {output.duplicates:q} > {log:q} 2>&1
        """


rule inspect:
    "Look for trouble in a prepared dataset and show what it holds."
    input:
        images="results/{dataset}/prepared/images",
        masks="results/{dataset}/prepared/masks",
        instances="results/{dataset}/prepared/instances",
        second_instances="results/{dataset}/prepared/second_instances",
        index="results/{dataset}/prepared/index.csv",
        description="results/{dataset}/prepared/dataset.json",
        skipped="results/{dataset}/prepared/skipped.csv",
        duplicates="results/{dataset}/inspection/duplicates.csv",
    output:
        findings="results/{dataset}/inspection/findings.csv",
        classes="results/{dataset}/inspection/classes.csv",
        measures="results/{dataset}/inspection/images.csv",
        nuclei="results/{dataset}/inspection/nuclei.csv",
        sheet="results/{dataset}/inspection/sheet.png",
        sizes="results/{dataset}/inspection/sizes.png",
        stains="results/{dataset}/inspection/stains.png",
    log:
        "logs/inspect/{dataset}.log",
    benchmark:
        "benchmark/inspect/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.prepare.inspect_flags,
        code=study.prepare.inspect_code,
    threads: study.resources.prepare.cores
    resources:
        mem_mb=study.resources.prepare.memory_mb,
        runtime=study.resources.prepare.minutes,
    shell:
        """
        python scripts/inspect_dataset.py \
            --index {input.index:q} \
            --dataset {input.description:q} \
            --skipped {input.skipped:q} \
            --duplicates {input.duplicates:q} \
            {params.flags:q} \
            --findings {output.findings:q} \
            --classes {output.classes:q} \
            --measures {output.measures:q} \
            --nuclei {output.nuclei:q} \
            --sheet {output.sheet:q} \
            --sizes {output.sizes:q} \
            --stains {output.stains:q} > {log:q} 2>&1
        """


rule check_headline:
    "See whether the dataset can have the score that the report is to be about, before anything is trained."
    input:
        description="results/{dataset}/prepared/dataset.json",
        # Only written anew it is not checked again: what images hold hangs on what was prepared.
        classes=ancient("results/{dataset}/inspection/classes.csv"),
    output:
        headline="results/{dataset}/inspection/headline.json",
    log:
        "logs/check_headline/{dataset}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.report.headline_flags,
        code=study.report.code_with_headline("check_headline"),
    threads: study.resources.prepare.cores
    resources:
        mem_mb=study.resources.prepare.memory_mb,
        runtime=study.resources.prepare.minutes,
    shell:
        """
        python scripts/check_headline.py \
            --dataset {input.description:q} \
            --classes {input.classes:q} \
            {params.flags:q} \
            --headline {output.headline:q} > {log:q} 2>&1
        """
