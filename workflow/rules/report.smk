# Figures, the record of what was run, and the report's front page.


rule draw_curves:
    "Draw loss and validation score over the epochs."
    input:
        histories=collect(
            "results/{{dataset}}/{architecture}/fold{fold}/history.csv",
            architecture=study.architectures,
            fold=study.folds,
        ),
    output:
        figure=report(
            "results/{dataset}/figures/curves.png",
            category="Training",
            subcategory="{dataset}",
            labels={"shown": "curves"},
            caption="../report/curves.rst",
        ),
    log:
        "logs/draw_curves/{dataset}.log",
    benchmark:
        "benchmark/draw_curves/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=study.code_of("draw_curves"),
    shell:
        """
        python scripts/draw_curves.py \
            --history {input.histories:q} \
            --figure {output.figure:q} > {log:q} 2>&1
        """


rule draw_confusion:
    "Draw which class is taken for which."
    input:
        counts=collect(
            "results/{{dataset}}/{{architecture}}/fold{fold}/counts.csv",
            fold=study.folds,
        ),
        description="results/{dataset}/prepared/dataset.json",
    output:
        figure=report(
            "results/{dataset}/figures/confusion_{architecture}.png",
            category="Scores",
            subcategory="{dataset}",
            labels={"shown": "confusion of {architecture}"},
            caption="../report/confusion.rst",
        ),
    log:
        "logs/draw_confusion/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/draw_confusion/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=study.code_of("draw_confusion"),
    shell:
        """
        python scripts/draw_confusion.py \
            --counts {input.counts:q} \
            --dataset {input.description:q} \
            --figure {output.figure:q} > {log:q} 2>&1
        """


rule draw_examples:
    "Show the images with the worst, the middle and the best scores."
    input:
        scores="results/{dataset}/scores.csv",
        images="results/{dataset}/prepared/images",
        masks="results/{dataset}/prepared/masks",
        index="results/{dataset}/prepared/index.csv",
        description="results/{dataset}/prepared/dataset.json",
        regions=collect(
            "results/{{dataset}}/{{architecture}}/fold{fold}/regions",
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
        table="results/{dataset}/figures/examples_{architecture}.csv",
    log:
        "logs/draw_examples/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/draw_examples/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.report.examples_flags,
        code=study.code_of("draw_examples"),
    shell:
        """
        python scripts/draw_examples.py \
            --scores {input.scores:q} \
            --architecture {wildcards.architecture:q} \
            {params.flags:q} \
            --index {input.index:q} \
            --dataset {input.description:q} \
            --regions {input.regions:q} \
            --figure {output.figure:q} \
            --table {output.table:q} > {log:q} 2>&1
        """


rule write_animations_page:
    "Put the animations of all folds on one page, since the report shows pages but no animations."
    input:
        gifs=collect(
            "results/{{dataset}}/{{architecture}}/fold{fold}/epochs.gif",
            fold=study.folds,
        ),
        template="workflow/report/animations.html.j2",
    output:
        page=report(
            "results/{dataset}/figures/epochs_{architecture}.html",
            category="Training",
            subcategory="{dataset}",
            labels={"shown": "epochs of {architecture}"},
            caption="../report/epochs.rst",
        ),
    log:
        "logs/write_animations_page/{dataset}/{architecture}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        code=study.code_of("write_animations_page"),
    shell:
        """
        python scripts/write_animations_page.py \
            --gif {input.gifs:q} \
            --title {wildcards.architecture:q}" on "{wildcards.dataset:q} \
            --html {output.page:q} > {log:q} 2>&1
        """


rule write_inspection_page:
    "Put all that inspection and splitting found of a dataset on one page."
    input:
        description="results/{dataset}/prepared/dataset.json",
        skipped="results/{dataset}/prepared/skipped.csv",
        findings="results/{dataset}/inspection/findings.csv",
        fold_findings="results/{dataset}/inspection/fold_findings.csv",
        normalisation=study.split.normalisation_findings,
        classes="results/{dataset}/inspection/classes.csv",
        measures="results/{dataset}/inspection/images.csv",
        sheet="results/{dataset}/inspection/sheet.png",
        sizes="results/{dataset}/inspection/sizes.png",
        stains="results/{dataset}/inspection/stains.png",
        template="workflow/report/inspection.html.j2",
    output:
        page=report(
            "results/{dataset}/inspection/page.html",
            category="Data",
            subcategory="{dataset}",
            labels={"shown": "inspection"},
            caption="../report/inspection.rst",
        ),
    log:
        "logs/write_inspection_page/{dataset}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        code=study.code_of("write_inspection_page"),
    shell:
        """
        python scripts/write_inspection_page.py \
            --dataset {input.description:q} \
            --skipped {input.skipped:q} \
            --findings {input.findings:q} {input.fold_findings:q} {input.normalisation:q} \
            --classes {input.classes:q} \
            --measures {input.measures:q} \
            --picture {input.sheet:q} {input.sizes:q} {input.stains:q} \
            --html {output.page:q} > {log:q} 2>&1
        """


rule write_table_page:
    "Put a table on a page, since the report shows pages but no tables."
    input:
        tables="results/{dataset}/{table}.csv",
        template="workflow/report/table.html.j2",
    output:
        page=report(
            "results/{dataset}/figures/{table}.html",
            category="Tables",
            subcategory="{dataset}",
            labels={"shown": "{table}"},
            caption="../report/table.rst",
        ),
    log:
        "logs/write_table_page/{dataset}/{table}.log",
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        table=study.table_pattern,
    params:
        title="{table} of {dataset}",
        code=study.code_of("write_table_page"),
    shell:
        """
        python scripts/write_table_page.py \
            --table {input.tables:q} \
            --title {params.title:q} \
            --html {output.page:q} > {log:q} 2>&1
        """


use rule write_table_page as write_smoothing_page with:
    input:
        tables="results/{dataset}/{architecture}/fold{fold}/smoothing_tried.csv",
        template="workflow/report/table.html.j2",
    output:
        page=report(
            "results/{dataset}/figures/smoothing_{architecture}_fold{fold}.html",
            category="Tables",
            subcategory="{dataset}",
            labels={"shown": "smoothing of {architecture}, fold {fold}"},
            caption="../report/smoothing.rst",
        ),
    log:
        "logs/write_smoothing_page/{dataset}/{architecture}/fold{fold}.log",
    params:
        title="smoothing of {architecture} on {dataset}, fold {fold}",
        code=study.code_of("write_table_page"),


use rule write_table_page as write_slides_page with:
    input:
        tables=study.slides.collect("results/slides/{slide}/{dataset}/{architecture}/areas.csv"),
        template="workflow/report/table.html.j2",
    output:
        page=report(
            "results/report/{study}/slides.html",
            category="Slides",
            subcategory="all slides",
            labels={"shown": "areas and nuclei of all slides"},
            caption="../report/slides.rst",
        ),
    log:
        "logs/write_slides_page/{study}.log",
    params:
        title="areas and nuclei of all slides",
        code=study.code_of("write_table_page"),


rule record_config:
    "Record the config as resolved, and which raw data was read."
    output:
        config="results/report/{study}/config.yaml",
    log:
        "logs/record_config/{study}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        values=study.report.recorded,
        code=study.code_of("record_config"),
    shell:
        """
        python scripts/record_config.py \
            --values {params.values:q} \
            --config {output.config:q} > {log:q} 2>&1
        """


rule write_front_page:
    "Answer which model is best, by how much, how sure, and where it fails."
    input:
        summaries=collect("results/{dataset}/summary.csv", dataset=study.datasets),
        comparisons=collect("results/{dataset}/comparison.csv", dataset=study.datasets),
        examples=collect(
            "results/{dataset}/figures/examples_{architecture}.png",
            dataset=study.datasets,
            architecture=study.architectures,
        ),
        findings=collect(
            "results/{dataset}/inspection/{table}.csv",
            dataset=study.datasets,
            table=["findings", "fold_findings"],
        ),
        duplicates="results/report/{study}/duplicates.csv",
        descriptions=collect("results/{dataset}/prepared/dataset.json", dataset=study.datasets),
        indexes=collect("results/{dataset}/prepared/index.csv", dataset=study.datasets),
        template="workflow/report/front_page.html.j2",
        config="results/report/{study}/config.yaml",
    output:
        front="results/report/{study}/front.rst",
    log:
        "logs/write_front_page/{study}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.report.front_page_flags,
        code=study.code_of("write_front_page"),
    shell:
        """
        python scripts/write_front_page.py \
            {params.flags:q} \
            --summary {input.summaries:q} \
            --comparison {input.comparisons:q} \
            --examples {input.examples:q} \
            --findings {input.findings:q} \
            --duplicates {input.duplicates:q} \
            --datasets {input.descriptions:q} \
            --indexes {input.indexes:q} \
            --config {input.config:q} \
            --front {output.front:q} > {log:q} 2>&1
        """
