# From weights to probabilities, and from those to regions and nuclei, of each fold's test images.


localrules:
    state_postprocess,


rule predict:
    "Predict class probabilities of the test images, tile by overlapping tile."
    input:
        model="results/{dataset}/{architecture}/fold{fold}/model.safetensors",
        images=study.split.images,
        index=study.split.index,
        folds="results/{dataset}/folds.csv",
    output:
        probabilities=directory("results/{dataset}/{architecture}/fold{fold}/probabilities"),
        maps=directory("results/{dataset}/{architecture}/fold{fold}/maps"),
        cost="results/{dataset}/{architecture}/fold{fold}/cost.json",
    log:
        "logs/predict/{dataset}/{architecture}/fold{fold}.log",
    benchmark:
        "benchmark/predict/{dataset}/{architecture}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        architecture=study.architecture_pattern,
    params:
        fold="{fold}",
        part="test",
        flags=study.predict.flags,
        code=study.predict.code,
    threads: study.resources.predict.cores
    resources:
        mem_mb=study.resources.predict.memory_mb,
        runtime=study.resources.predict.minutes,
        gres=study.resources.predict.gres,
        gpu_jobs=1,
        tasks_per_gpu=0,
    shell:
        """
        python scripts/predict_images.py \
            --model {input.model:q} \
            --index {input.index:q} \
            --folds {input.folds:q} \
            --fold {params.fold:q} \
            --part {params.part:q} \
            {params.flags:q} \
            --probabilities {output.probabilities:q} \
            --maps {output.maps:q} \
            --cost {output.cost:q} > {log:q} 2>&1
        """


use rule predict as predict_validation with:
    output:
        probabilities=directory("results/{dataset}/{architecture}/fold{fold}/validation/probabilities"),
        maps=directory("results/{dataset}/{architecture}/fold{fold}/validation/maps"),
        cost="results/{dataset}/{architecture}/fold{fold}/validation/cost.json",
    log:
        "logs/predict_validation/{dataset}/{architecture}/fold{fold}.log",
    benchmark:
        "benchmark/predict_validation/{dataset}/{architecture}/fold{fold}.tsv"
    params:
        part="val",
        flags=study.predict.flags,
        code=study.predict.code,


use rule predict as predict_overlap with:
    output:
        probabilities=directory("results/{dataset}/{architecture}/fold{fold}/validation/overlap{overlap}/probabilities"),
        maps=directory("results/{dataset}/{architecture}/fold{fold}/validation/overlap{overlap}/maps"),
        cost="results/{dataset}/{architecture}/fold{fold}/validation/overlap{overlap}/cost.json",
    log:
        "logs/predict_overlap/{dataset}/{architecture}/fold{fold}_{overlap}.log",
    benchmark:
        "benchmark/predict_overlap/{dataset}/{architecture}/fold{fold}_{overlap}.tsv"
    params:
        part="val",
        flags=study.predict.overlap_flags,
        code=study.predict.code,


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
        maps=directory("results/{dataset}/{baseline}/fold{fold}/maps"),
    log:
        "logs/predict_baseline/{dataset}/{baseline}/fold{fold}.log",
    benchmark:
        "benchmark/predict_baseline/{dataset}/{baseline}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        baseline=study.baseline_pattern,
    params:
        part="test",
        code=study.predict.baseline_code,
    threads: study.resources.predict.cores
    resources:
        mem_mb=study.resources.predict.memory_mb,
        runtime=study.resources.predict.minutes,
    shell:
        """
        python scripts/predict_baseline.py \
            --baseline {wildcards.baseline:q} \
            --index {input.index:q} \
            --dataset {input.description:q} \
            --folds {input.folds:q} \
            --fold {wildcards.fold:q} \
            --part {params.part:q} \
            --probabilities {output.probabilities:q} \
            --maps {output.maps:q} > {log:q} 2>&1
        """


use rule predict_baseline as predict_baseline_validation with:
    output:
        probabilities=directory("results/{dataset}/{baseline}/fold{fold}/validation/probabilities"),
        maps=directory("results/{dataset}/{baseline}/fold{fold}/validation/maps"),
    log:
        "logs/predict_baseline_validation/{dataset}/{baseline}/fold{fold}.log",
    benchmark:
        "benchmark/predict_baseline_validation/{dataset}/{baseline}/fold{fold}.tsv"
    params:
        part="val",
        code=study.predict.baseline_code,


rule state_postprocess:
    "Write down the options of post-processing of a model for which nothing is to be tuned."
    output:
        settings="results/{dataset}/{architecture}/postprocess.json",
    log:
        "logs/state_postprocess/{dataset}/{architecture}.log",
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        architecture=study.postprocessed_pattern,
    params:
        flags=study.predict.state_flags,
        code=study.predict.state_code,
    shell:
        """
        python scripts/state_postprocess.py \
            {params.flags:q} \
            --settings {output.settings:q} > {log:q} 2>&1
        """


rule tune_postprocess:
    "Choose the options of post-processing on the validation part, from those that are to be tried."
    input:
        probabilities="results/{dataset}/{architecture}/fold{fold}/validation/probabilities",
        maps="results/{dataset}/{architecture}/fold{fold}/validation/maps",
        masks="results/{dataset}/prepared/masks",
        instances="results/{dataset}/prepared/instances",
        index="results/{dataset}/prepared/index.csv",
        folds="results/{dataset}/folds.csv",
        description="results/{dataset}/prepared/dataset.json",
    output:
        settings="results/{dataset}/{architecture}/fold{fold}/postprocess.json",
        table="results/{dataset}/{architecture}/fold{fold}/postprocess_tried.csv",
    log:
        "logs/tune_postprocess/{dataset}/{architecture}/fold{fold}.log",
    benchmark:
        "benchmark/tune_postprocess/{dataset}/{architecture}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        architecture=study.postprocessed_pattern,
    params:
        flags=study.predict.tune_flags,
        code=study.predict.tune_code,
    threads: study.resources.predict.cores
    resources:
        mem_mb=study.resources.predict.memory_mb,
        runtime=study.resources.predict.minutes,
    shell:
        """
        python scripts/tune_postprocess.py \
            --index {input.index:q} \
            --folds {input.folds:q} \
            --fold {wildcards.fold:q} \
            --dataset {input.description:q} \
            --probabilities {input.probabilities:q} \
            --maps {input.maps:q} \
            {params.flags:q} \
            --settings {output.settings:q} \
            --table {output.table:q} > {log:q} 2>&1
        """


rule postprocess:
    "Turn probabilities into regions and single nuclei."
    input:
        probabilities="results/{dataset}/{architecture}/fold{fold}/probabilities",
        maps="results/{dataset}/{architecture}/fold{fold}/maps",
        settings=study.predict.settings,
        index="results/{dataset}/prepared/index.csv",
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
    wildcard_constraints:
        architecture=study.postprocessed_pattern,
    params:
        flags=study.predict.postprocess_flags,
        code=study.predict.postprocess_code,
    threads: study.resources.predict.cores
    resources:
        mem_mb=study.resources.predict.memory_mb,
        runtime=study.resources.predict.minutes,
    shell:
        """
        python scripts/postprocess_images.py \
            --probabilities {input.probabilities:q} \
            --maps {input.maps:q} \
            --index {input.index:q} \
            --dataset {input.description:q} \
            {params.flags:q} \
            --settings {input.settings:q} \
            --regions {output.regions:q} \
            --nuclei {output.nuclei:q} \
            --nuclei-table {output.nuclei_table:q} > {log:q} 2>&1
        """


rule predict_annotator:
    "Take the second annotation of the test images as a prediction: what people agree on is the ceiling."
    input:
        masks="results/{dataset}/prepared/masks",
        instances="results/{dataset}/prepared/instances",
        second_instances="results/{dataset}/prepared/second_instances",
        index="results/{dataset}/prepared/index.csv",
        description="results/{dataset}/prepared/dataset.json",
        folds="results/{dataset}/folds.csv",
    output:
        regions=directory("results/{dataset}/second_annotator/fold{fold}/regions"),
        nuclei=directory("results/{dataset}/second_annotator/fold{fold}/nuclei"),
        nuclei_table="results/{dataset}/second_annotator/fold{fold}/nuclei.csv",
    log:
        "logs/predict_annotator/{dataset}/fold{fold}.log",
    benchmark:
        "benchmark/predict_annotator/{dataset}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        part="test",
        code=study.code_of("predict_annotator"),
    threads: study.resources.predict.cores
    resources:
        mem_mb=study.resources.predict.memory_mb,
        runtime=study.resources.predict.minutes,
    shell:
        """
        python scripts/predict_annotator.py \
            --index {input.index:q} \
            --dataset {input.description:q} \
            --folds {input.folds:q} \
            --fold {wildcards.fold:q} \
            --part {params.part:q} \
            --regions {output.regions:q} \
            --nuclei {output.nuclei:q} \
            --nuclei-table {output.nuclei_table:q} > {log:q} 2>&1
        """


rule compare_smoothing:
    "Score ways of smoothing and cleaning regions, and overlaps, on the validation part: a table to choose from."
    input:
        probabilities=study.predict.compared,
        settings=study.predict.settings,
        masks="results/{dataset}/prepared/masks",
        index="results/{dataset}/prepared/index.csv",
        folds="results/{dataset}/folds.csv",
        description="results/{dataset}/prepared/dataset.json",
    output:
        table="results/{dataset}/{architecture}/fold{fold}/smoothing_tried.csv",
    log:
        "logs/compare_smoothing/{dataset}/{architecture}/fold{fold}.log",
    benchmark:
        "benchmark/compare_smoothing/{dataset}/{architecture}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.predict.compare_flags,
        code=study.predict.compare_code,
    threads: study.resources.predict.cores
    resources:
        mem_mb=study.resources.predict.memory_mb,
        runtime=study.resources.predict.minutes,
    shell:
        """
        python scripts/compare_smoothing.py \
            --index {input.index:q} \
            --folds {input.folds:q} \
            --fold {wildcards.fold:q} \
            --dataset {input.description:q} \
            --probabilities {input.probabilities:q} \
            --settings {input.settings:q} \
            {params.flags:q} \
            --table {output.table:q} > {log:q} 2>&1
        """
