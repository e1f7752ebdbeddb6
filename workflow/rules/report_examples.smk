# Pictures of predictions beside images and truth, as PNG for the report and as PDF for print.


rule draw_examples:
    "Show the images with the worst, the middle and the best scores."
    input:
        scores="results/{dataset}/scores.csv",
        images="results/{dataset}/prepared/images",
        masks="results/{dataset}/prepared/masks",
        instances="results/{dataset}/prepared/instances",
        index="results/{dataset}/prepared/index.csv",
        description="results/{dataset}/prepared/dataset.json",
        regions=collect(
            "results/{{dataset}}/{{architecture}}/fold{fold}/regions",
            fold=study.folds,
        ),
        nuclei=collect(
            "results/{{dataset}}/{{architecture}}/fold{fold}/nuclei",
            fold=study.folds,
        ),
        nuclei_tables=collect(
            "results/{{dataset}}/{{architecture}}/fold{fold}/nuclei.csv",
            fold=study.folds,
        ),
    output:
        figure=report(
            "results/{dataset}/figures/examples_{architecture}.png",
            category="Examples",
            subcategory="{dataset}",
            labels={"shown": "{architecture}"},
            caption="../report/examples.rst",
        ),
        pdf="results/{dataset}/figures/examples_{architecture}.pdf",
        table="results/{dataset}/figures/examples_{architecture}.csv",
    log:
        "logs/draw_examples/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/draw_examples/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.report.examples_flags,
        code=study.report.code_with_headline("draw_examples"),
    threads: study.resources.report.cores
    resources:
        mem_mb=study.resources.report.memory_mb,
        runtime=study.resources.report.minutes,
    shell:
        """
        python scripts/draw_examples.py \
            --scores {input.scores:q} \
            --architecture {wildcards.architecture:q} \
            {params.flags:q} \
            --index {input.index:q} \
            --dataset {input.description:q} \
            --regions {input.regions:q} \
            --nuclei {input.nuclei:q} \
            --nuclei-table {input.nuclei_tables:q} \
            --table {output.table:q} \
            --figure {output.figure:q} \
            --pdf {output.pdf:q} > {log:q} 2>&1
        """


rule draw_agreement:
    "Show where truth and prediction agree on those images: pixels and nuclei found, missed, false, split, merged."
    input:
        examples="results/{dataset}/figures/examples_{architecture}.csv",
        images="results/{dataset}/prepared/images",
        masks="results/{dataset}/prepared/masks",
        instances="results/{dataset}/prepared/instances",
        index="results/{dataset}/prepared/index.csv",
        regions=collect(
            "results/{{dataset}}/{{architecture}}/fold{fold}/regions",
            fold=study.folds,
        ),
        nuclei=collect(
            "results/{{dataset}}/{{architecture}}/fold{fold}/nuclei",
            fold=study.folds,
        ),
    output:
        figure=report(
            "results/{dataset}/figures/agreement_{architecture}.png",
            category="Examples",
            subcategory="{dataset}",
            labels={"shown": "agreement of {architecture}"},
            caption="../report/agreement.rst",
        ),
        pdf="results/{dataset}/figures/agreement_{architecture}.pdf",
        table="results/{dataset}/figures/agreement_{architecture}.csv",
    log:
        "logs/draw_agreement/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/draw_agreement/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=study.code_of("draw_agreement"),
    threads: study.resources.report.cores
    resources:
        mem_mb=study.resources.report.memory_mb,
        runtime=study.resources.report.minutes,
    shell:
        """
        python scripts/draw_agreement.py \
            --examples {input.examples:q} \
            --index {input.index:q} \
            --regions {input.regions:q} \
            --nuclei {input.nuclei:q} \
            --table {output.table:q} \
            --figure {output.figure:q} \
            --pdf {output.pdf:q} > {log:q} 2>&1
        """


rule draw_models_sheet:
    "Show the same images by truth and all models side by side."
    input:
        summary="results/{dataset}/summary.csv",
        scores="results/{dataset}/scores.csv",
        images="results/{dataset}/prepared/images",
        masks="results/{dataset}/prepared/masks",
        instances="results/{dataset}/prepared/instances",
        index="results/{dataset}/prepared/index.csv",
        description="results/{dataset}/prepared/dataset.json",
        regions=collect(
            "results/{{dataset}}/{architecture}/fold{fold}/regions",
            architecture=study.architectures,
            fold=study.folds,
        ),
        nuclei=collect(
            "results/{{dataset}}/{architecture}/fold{fold}/nuclei",
            architecture=study.architectures,
            fold=study.folds,
        ),
        nuclei_tables=collect(
            "results/{{dataset}}/{architecture}/fold{fold}/nuclei.csv",
            architecture=study.architectures,
            fold=study.folds,
        ),
    output:
        figure=report(
            "results/{dataset}/figures/models_sheet.png",
            category="Examples",
            subcategory="{dataset}",
            labels={"shown": "all models side by side"},
            caption="../report/models_sheet.rst",
        ),
        pdf="results/{dataset}/figures/models_sheet.pdf",
        table="results/{dataset}/figures/models_sheet.csv",
    log:
        "logs/draw_models_sheet/{dataset}.log",
    benchmark:
        "benchmark/draw_models_sheet/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.report.examples_flags,
        code=study.report.code_with_headline("draw_models_sheet"),
    threads: study.resources.report.cores
    resources:
        mem_mb=study.resources.report.memory_mb,
        runtime=study.resources.report.minutes,
    shell:
        """
        python scripts/draw_models_sheet.py \
            --summary {input.summary:q} \
            --scores {input.scores:q} \
            {params.flags:q} \
            --index {input.index:q} \
            --dataset {input.description:q} \
            --regions {input.regions:q} \
            --nuclei {input.nuclei:q} \
            --nuclei-table {input.nuclei_tables:q} \
            --table {output.table:q} \
            --figure {output.figure:q} \
            --pdf {output.pdf:q} > {log:q} 2>&1
        """
