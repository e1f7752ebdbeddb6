# From predictions to counts of each image, and from those to tables with intervals.


rule evaluate:
    "Count pixels and nuclei of truth against prediction in each test image."
    input:
        masks="results/{dataset}/prepared/masks",
        instances="results/{dataset}/prepared/instances",
        index="results/{dataset}/prepared/index.csv",
        description="results/{dataset}/prepared/dataset.json",
        folds="results/{dataset}/folds.csv",
        regions="results/{dataset}/{architecture}/fold{fold}/regions",
        nuclei="results/{dataset}/{architecture}/fold{fold}/nuclei",
        nuclei_table="results/{dataset}/{architecture}/fold{fold}/nuclei.csv",
        probabilities=study.evaluate.probabilities,
    output:
        counts="results/{dataset}/{architecture}/fold{fold}/counts.npz",
    log:
        "logs/evaluate/{dataset}/{architecture}/fold{fold}.log",
    benchmark:
        "benchmark/evaluate/{dataset}/{architecture}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.evaluate.count_flags,
        code=study.code_of("evaluate_predictions"),
    threads: study.resources.evaluate.cores
    resources:
        mem_mb=study.resources.evaluate.memory_mb,
        runtime=study.resources.evaluate.minutes,
    shell:
        """
        python scripts/evaluate_predictions.py \
            --index {input.index:q} \
            --dataset {input.description:q} \
            --folds {input.folds:q} \
            --fold {wildcards.fold:q} \
            --part test \
            --dataset-name {wildcards.dataset:q} \
            --architecture {wildcards.architecture:q} \
            --regions {input.regions:q} \
            --nuclei {input.nuclei:q} \
            --nuclei-table {input.nuclei_table:q} \
            --probabilities {input.probabilities:q} \
            {params.flags:q} \
            --counts {output.counts:q} > {log:q} 2>&1
        """


rule summarise:
    "Score all predictions of a dataset, with intervals, and compare them pairwise."
    input:
        counts=collect(
            "results/{{dataset}}/{architecture}/fold{fold}/counts.npz",
            architecture=study.evaluate.predictors,
            fold=study.folds,
        ),
        histories=collect(
            "results/{{dataset}}/{architecture}/fold{fold}/history.csv",
            architecture=study.architectures,
            fold=study.folds,
        ),
        costs=collect(
            "results/{{dataset}}/{architecture}/fold{fold}/cost.json",
            architecture=study.architectures,
            fold=study.folds,
        ),
        description="results/{dataset}/prepared/dataset.json",
    output:
        scores="results/{dataset}/scores.csv",
        summary="results/{dataset}/summary.csv",
        comparison="results/{dataset}/comparison.csv",
        ranking="results/{dataset}/ranking.csv",
        strata="results/{dataset}/strata.csv",
        sizes="results/{dataset}/sizes.csv",
        fold_spread="results/{dataset}/fold_spread.csv",
        costs="results/{dataset}/costs.csv",
    log:
        "logs/summarise/{dataset}.log",
    benchmark:
        "benchmark/summarise/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.evaluate.summarise_flags,
        code=study.evaluate.summarise_code,
    threads: study.resources.evaluate.cores
    resources:
        mem_mb=study.resources.evaluate.memory_mb,
        runtime=study.resources.evaluate.minutes,
    shell:
        """
        python scripts/summarise_scores.py \
            --counts {input.counts:q} \
            --history {input.histories:q} \
            --cost {input.costs:q} \
            --dataset {input.description:q} \
            {params.flags:q} \
            --scores {output.scores:q} \
            --summary {output.summary:q} \
            --comparison {output.comparison:q} \
            --ranking {output.ranking:q} \
            --strata {output.strata:q} \
            --sizes {output.sizes:q} \
            --fold-spread {output.fold_spread:q} \
            --costs {output.costs:q} > {log:q} 2>&1
        """
