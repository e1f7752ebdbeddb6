# Plots of trainings and scores, as PNG for the report and as PDF for print.


rule draw_curves:
    "Draw loss and validation score over the epochs, with the spread of the folds."
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
        pdf="results/{dataset}/figures/curves.pdf",
    log:
        "logs/draw_curves/{dataset}.log",
    benchmark:
        "benchmark/draw_curves/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=study.code_of("draw_curves"),
    threads: study.resources.report.cores
    resources:
        mem_mb=study.resources.report.memory_mb,
        runtime=study.resources.report.minutes,
    shell:
        """
        python scripts/draw_curves.py \
            --history {input.histories:q} \
            --figure {output.figure:q} \
            --pdf {output.pdf:q} > {log:q} 2>&1
        """


rule draw_confusion:
    "Draw which class is taken for which."
    input:
        counts=collect(
            "results/{{dataset}}/{{architecture}}/fold{fold}/counts.npz",
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
        pdf="results/{dataset}/figures/confusion_{architecture}.pdf",
    log:
        "logs/draw_confusion/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/draw_confusion/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=study.code_of("draw_confusion"),
    threads: study.resources.report.cores
    resources:
        mem_mb=study.resources.report.memory_mb,
        runtime=study.resources.report.minutes,
    shell:
        """
        python scripts/draw_confusion.py \
            --counts {input.counts:q} \
            --dataset {input.description:q} \
            --figure {output.figure:q} \
            --pdf {output.pdf:q} > {log:q} 2>&1
        """


rule draw_reliability:
    "Draw how far predicted probabilities can be believed."
    input:
        counts=collect(
            "results/{{dataset}}/{architecture}/fold{fold}/counts.npz",
            architecture=study.architectures,
            fold=study.folds,
        ),
        description="results/{dataset}/prepared/dataset.json",
    output:
        figure=report(
            "results/{dataset}/figures/reliability.png",
            category="Scores",
            subcategory="{dataset}",
            labels={"shown": "reliability of probabilities"},
            caption="../report/reliability.rst",
        ),
        pdf="results/{dataset}/figures/reliability.pdf",
    log:
        "logs/draw_reliability/{dataset}.log",
    benchmark:
        "benchmark/draw_reliability/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=study.code_of("draw_reliability"),
    threads: study.resources.report.cores
    resources:
        mem_mb=study.resources.report.memory_mb,
        runtime=study.resources.report.minutes,
    shell:
        """
        python scripts/draw_reliability.py \
            --counts {input.counts:q} \
            --dataset {input.description:q} \
            --figure {output.figure:q} \
            --pdf {output.pdf:q} > {log:q} 2>&1
        """


rule draw_ranks:
    "Draw the mean ranks of the models, and which of them cannot be told apart."
    input:
        ranking="results/{dataset}/ranking.csv",
    output:
        figure=report(
            "results/{dataset}/figures/ranks.png",
            category="Scores",
            subcategory="{dataset}",
            labels={"shown": "ranks of the models"},
            caption="../report/ranks.rst",
        ),
        pdf="results/{dataset}/figures/ranks.pdf",
    log:
        "logs/draw_ranks/{dataset}.log",
    benchmark:
        "benchmark/draw_ranks/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.report.headline_flags,
        code=study.report.code_with_headline("draw_ranks"),
    threads: study.resources.report.cores
    resources:
        mem_mb=study.resources.report.memory_mb,
        runtime=study.resources.report.minutes,
    shell:
        """
        python scripts/draw_ranks.py \
            --ranking {input.ranking:q} \
            {params.flags:q} \
            --figure {output.figure:q} \
            --pdf {output.pdf:q} > {log:q} 2>&1
        """


rule draw_pareto:
    "Draw the score of each model against what it costs."
    input:
        summary="results/{dataset}/summary.csv",
        costs="results/{dataset}/costs.csv",
    output:
        figure=report(
            "results/{dataset}/figures/pareto.png",
            category="Scores",
            subcategory="{dataset}",
            labels={"shown": "score against cost"},
            caption="../report/pareto.rst",
        ),
        pdf="results/{dataset}/figures/pareto.pdf",
    log:
        "logs/draw_pareto/{dataset}.log",
    benchmark:
        "benchmark/draw_pareto/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.report.headline_flags,
        code=study.report.code_with_headline("draw_pareto"),
    threads: study.resources.report.cores
    resources:
        mem_mb=study.resources.report.memory_mb,
        runtime=study.resources.report.minutes,
    shell:
        """
        python scripts/draw_pareto.py \
            --summary {input.summary:q} \
            --costs {input.costs:q} \
            {params.flags:q} \
            --figure {output.figure:q} \
            --pdf {output.pdf:q} > {log:q} 2>&1
        """


rule draw_strata:
    "Draw the scores of each stratum, such as a tissue, where the dataset has some."
    input:
        strata="results/{dataset}/strata.csv",
    output:
        figures=report(
            directory("results/{dataset}/figures/strata"),
            patterns=["{figure}.png"],
            category="Scores",
            subcategory="{dataset}",
            labels={"shown": "strata"},
            caption="../report/strata.rst",
        ),
    log:
        "logs/draw_strata/{dataset}.log",
    benchmark:
        "benchmark/draw_strata/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.report.headline_flags,
        code=study.report.code_with_headline("draw_strata"),
    threads: study.resources.report.cores
    resources:
        mem_mb=study.resources.report.memory_mb,
        runtime=study.resources.report.minutes,
    shell:
        """
        python scripts/draw_strata.py \
            --strata {input.strata:q} \
            {params.flags:q} \
            --figures {output.figures:q} > {log:q} 2>&1
        """
