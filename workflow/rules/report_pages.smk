# Pages and tables of the report, the record of what was run, and the front page.


localrules:
    write_animations_page, write_inspection_page, write_table_page, write_smoothing_page, write_tuning_page,
    write_slides_page, write_model_card, export_tables, record_config, write_front_page,


rule write_animations_page:
    "Put the animations of all folds on one page, since the report shows pages but no animations."
    input:
        animations=collect(
            "results/{{dataset}}/{{architecture}}/fold{fold}/epochs.webp",
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
            --animation {input.animations:q} \
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
        program="workflow/report/table.js",
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
        program="workflow/report/table.js",
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


use rule write_table_page as write_tuning_page with:
    input:
        tables="results/{dataset}/{architecture}/fold{fold}/tuning/trials.csv",
        template="workflow/report/table.html.j2",
        program="workflow/report/table.js",
    output:
        page=report(
            "results/{dataset}/figures/tuning_{architecture}_fold{fold}.html",
            category="Tables",
            subcategory="{dataset}",
            labels={"shown": "trials of {architecture}, fold {fold}"},
            caption="../report/tuning_table.rst",
        ),
    log:
        "logs/write_tuning_page/{dataset}/{architecture}/fold{fold}.log",
    params:
        title="trials of {architecture} on {dataset}, fold {fold}",
        code=study.code_of("write_table_page"),


use rule write_table_page as write_slides_page with:
    input:
        tables=study.slides.collect("results/slides/{slide}/{dataset}/{architecture}/areas.csv"),
        template="workflow/report/table.html.j2",
        program="workflow/report/table.js",
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


rule write_model_card:
    "Say of a model what it was made from, how good it is, for what it may be used, and how to run it."
    input:
        description="results/{dataset}/prepared/dataset.json",
        index="results/{dataset}/prepared/index.csv",
        folds="results/{dataset}/folds.csv",
        measures="results/{dataset}/inspection/images.csv",
        summary="results/{dataset}/summary.csv",
        comparison="results/{dataset}/comparison.csv",
        strata="results/{dataset}/strata.csv",
        fold_spread="results/{dataset}/fold_spread.csv",
        costs="results/{dataset}/costs.csv",
        histories=collect(
            "results/{{dataset}}/{{architecture}}/fold{fold}/history.csv",
            fold=study.folds,
        ),
        models=collect(
            "results/{{dataset}}/{{architecture}}/fold{fold}/model.safetensors",
            fold=study.folds,
        ),
        config=f"results/report/{study.slug}/config.yaml",
        template="workflow/report/model_card.html.j2",
    output:
        page=report(
            "results/{dataset}/figures/card_{architecture}.html",
            category="Model cards",
            subcategory="{dataset}",
            labels={"shown": "card of {architecture}"},
            caption="../report/model_card.rst",
        ),
        markdown="results/{dataset}/figures/card_{architecture}.md",
    log:
        "logs/write_model_card/{dataset}/{architecture}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        code=study.code_of("write_model_card"),
    shell:
        """
        python scripts/write_model_card.py \
            --architecture {wildcards.architecture:q} \
            --dataset {input.description:q} \
            --index {input.index:q} \
            --folds {input.folds:q} \
            --measures {input.measures:q} \
            --summary {input.summary:q} \
            --comparison {input.comparison:q} \
            --strata {input.strata:q} \
            --fold-spread {input.fold_spread:q} \
            --costs {input.costs:q} \
            --history {input.histories:q} \
            --model {input.models:q} \
            --config {input.config:q} \
            --markdown {output.markdown:q} \
            --html {output.page:q} > {log:q} 2>&1
        """


rule export_tables:
    "Write the tables of a dataset for other programs: Parquet, and LaTeX for a paper."
    input:
        scores="results/{dataset}/scores.csv",
        summary="results/{dataset}/summary.csv",
        comparison="results/{dataset}/comparison.csv",
        ranking="results/{dataset}/ranking.csv",
        strata="results/{dataset}/strata.csv",
        sizes="results/{dataset}/sizes.csv",
        fold_spread="results/{dataset}/fold_spread.csv",
        costs="results/{dataset}/costs.csv",
    output:
        parquet=directory("results/{dataset}/tables"),
        latex="results/{dataset}/table.tex",
    log:
        "logs/export_tables/{dataset}.log",
    benchmark:
        "benchmark/export_tables/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.report.table_flags,
        code=study.code_of("export_tables"),
    shell:
        """
        python scripts/export_tables.py \
            --summary {input.summary:q} \
            --comparison {input.comparison:q} \
            --table {input.scores:q} {input.ranking:q} {input.strata:q} {input.sizes:q} {input.fold_spread:q} \
                {input.costs:q} \
            {params.flags:q} \
            --parquet {output.parquet:q} \
            --latex {output.latex:q} > {log:q} 2>&1
        """


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
        rankings=collect("results/{dataset}/ranking.csv", dataset=study.datasets),
        costs=collect("results/{dataset}/costs.csv", dataset=study.datasets),
        histories=study.report.histories,
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
        normalisations=study.split.all_normalisation_findings,
        template="workflow/report/front_page.html.j2",
        style="workflow/report/front_page.css",
        config="results/report/{study}/config.yaml",
    output:
        front="results/report/{study}/front.rst",
    log:
        "logs/write_front_page/{study}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.report.front_page_flags,
        code=study.report.code_with_headline("write_front_page"),
    shell:
        """
        python scripts/write_front_page.py \
            {params.flags:q} \
            --summary {input.summaries:q} \
            --comparison {input.comparisons:q} \
            --ranking {input.rankings:q} \
            --costs {input.costs:q} \
            --history {input.histories:q} \
            --examples {input.examples:q} \
            --findings {input.findings:q} {input.normalisations:q} \
            --duplicates {input.duplicates:q} \
            --datasets {input.descriptions:q} \
            --indexes {input.indexes:q} \
            --config {input.config:q} \
            --front {output.front:q} > {log:q} 2>&1
        """
