# From weights to probabilities, and from those to regions and nuclei, of each fold's test images.


rule predict:
    "Predict class probabilities of the test images, tile by overlapping tile."
    input:
        model="results/{dataset}/{architecture}/fold{fold}/model.pt",
        images=study.split.images,
        index=study.split.index,
        folds="results/{dataset}/folds.csv",
    output:
        probabilities=directory("results/{dataset}/{architecture}/fold{fold}/probabilities"),
    log:
        "logs/predict/{dataset}/{architecture}/fold{fold}.log",
    benchmark:
        "benchmark/predict/{dataset}/{architecture}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        architecture=study.architecture_pattern,
    params:
        flags=study.predict.flags,
        code=study.predict.code,
    shell:
        """
        python scripts/predict_images.py \
            --model {input.model:q} \
            --index {input.index:q} \
            --folds {input.folds:q} \
            --fold {wildcards.fold:q} \
            --part test \
            {params.flags:q} \
            --probabilities {output.probabilities:q} > {log:q} 2>&1
        """


rule predict_baseline:
    "Predict the test images by a rule that has learnt nothing."
    input:
        images=study.split.images,
        masks="results/{dataset}/prepared/masks",
        index=study.split.index,
        description="results/{dataset}/prepared/dataset.json",
        folds="results/{dataset}/folds.csv",
    output:
        probabilities=directory("results/{dataset}/{baseline}/fold{fold}/probabilities"),
    log:
        "logs/predict_baseline/{dataset}/{baseline}/fold{fold}.log",
    benchmark:
        "benchmark/predict_baseline/{dataset}/{baseline}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        baseline=study.baseline_pattern,
    params:
        code=study.predict.baseline_code,
    shell:
        """
        python scripts/predict_baseline.py \
            --baseline {wildcards.baseline:q} \
            --index {input.index:q} \
            --dataset {input.description:q} \
            --folds {input.folds:q} \
            --fold {wildcards.fold:q} \
            --part test \
            --probabilities {output.probabilities:q} > {log:q} 2>&1
        """


rule postprocess:
    "Turn probabilities into regions and single nuclei."
    input:
        probabilities="results/{dataset}/{architecture}/fold{fold}/probabilities",
        description="results/{dataset}/prepared/dataset.json",
    output:
        regions=directory("results/{dataset}/{architecture}/fold{fold}/regions"),
        nuclei=directory("results/{dataset}/{architecture}/fold{fold}/nuclei"),
        nuclei_table="results/{dataset}/{architecture}/fold{fold}/nuclei.csv",
    log:
        "logs/postprocess/{dataset}/{architecture}/fold{fold}.log",
    benchmark:
        "benchmark/postprocess/{dataset}/{architecture}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.predict.postprocess_flags,
        code=study.code_of("postprocess_images"),
    shell:
        """
        python scripts/postprocess_images.py \
            --probabilities {input.probabilities:q} \
            --dataset {input.description:q} \
            {params.flags:q} \
            --regions {output.regions:q} \
            --nuclei {output.nuclei:q} \
            --nuclei-table {output.nuclei_table:q} > {log:q} 2>&1
        """
