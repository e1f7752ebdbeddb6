# From tiles to the best weights of each fold, and a moving picture of how they came about.


rule train:
    "Train one architecture on one fold and keep the epoch that validates best."
    input:
        unpack(study.split.tiles),
        folds="results/{dataset}/folds.csv",
        colours=study.train.colours,
        weights=study.train.weights,
        description="results/{dataset}/prepared/dataset.json",
        # Data with errors is not trained on; findings that are merely written anew train nothing again.
        findings=ancient("results/{dataset}/inspection/findings.csv"),
        # What was found stands in the flags: found anew, and the same, it trains nothing again.
        tuned=ancient(study.tune.found),
    output:
        model="results/{dataset}/{architecture}/fold{fold}/model.safetensors",
        history="results/{dataset}/{architecture}/fold{fold}/history.csv",
        epochs=directory("results/{dataset}/{architecture}/fold{fold}/epochs"),
    log:
        "logs/train/{dataset}/{architecture}/fold{fold}.log",
    benchmark:
        "benchmark/train/{dataset}/{architecture}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        dataset=study.trained_pattern,
        architecture=study.architecture_pattern,
    params:
        fold="{fold}",
        flags=study.train.flags,
        code=study.train.code,
        state="results/{dataset}/{architecture}/fold{fold}/state",
    threads: study.resources.train.cores
    # Resources cause no rerun: how many processes train is not what is trained.
    resources:
        mem_mb=study.resources.train.memory_mb,
        runtime=study.resources.train.minutes,
        gres=study.resources.train.gres,
        nodes=study.train.nodes,
        gpu_jobs=1,
        processes_per_node=study.train.processes_per_node,
        mpi=study.train.mpi,
        tasks=study.train.tasks,
        starter="none",
        tasks_per_gpu=0,
        slurm_extra="--ntasks-per-node=1",
        threads_per_process=study.train.threads_per_process,
        loader_workers=study.train.loader_workers,
        checkpoint_minutes=study.train.checkpoint_minutes,
        local_scratch=study.train.local_scratch,
    # The state folder is not declared, since Snakemake removes declared outputs before a retry. `exec`, since a shell
    # in between would die of the signal that asks the training to save and end.
    shell:
        """
        exec python scripts/launch_training.py --nodes {resources.nodes:q} --processes {resources.processes_per_node:q} \
            --cores {threads:q} --starter {resources.starter:q} scripts/train.py \
            --images {input.images:q} \
            --masks {input.masks:q} \
            --instances {input.instances:q} \
            --image-table {input.image_table:q} \
            --windows {input.windows:q} \
            --folds {input.folds:q} \
            --fold {params.fold:q} \
            --colours {input.colours:q} \
            --weights {input.weights:q} \
            --dataset {input.description:q} \
            {params.flags:q} \
            --code {params.code:q} \
            --threads-per-process {resources.threads_per_process:q} \
            --loader-workers {resources.loader_workers:q} \
            --checkpoint-minutes {resources.checkpoint_minutes:q} \
            --local-scratch {resources.local_scratch:q} \
            --state {params.state:q} \
            --model {output.model:q} \
            --history {output.history:q} \
            --epochs-folder {output.epochs:q} > {log:q} 2>&1
        """


rule render_epochs:
    "Animate the predictions of the probe tiles over all epochs."
    input:
        frames="results/{dataset}/{architecture}/fold{fold}/epochs",
        history="results/{dataset}/{architecture}/fold{fold}/history.csv",
        description="results/{dataset}/prepared/dataset.json",
    output:
        gif="results/{dataset}/{architecture}/fold{fold}/epochs.gif",
        webp="results/{dataset}/{architecture}/fold{fold}/epochs.webp",
    log:
        "logs/render_epochs/{dataset}/{architecture}/fold{fold}.log",
    benchmark:
        "benchmark/render_epochs/{dataset}/{architecture}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.train.animation_flags,
        code=study.code_of("render_epochs"),
    threads: study.resources.report.cores
    resources:
        mem_mb=study.resources.report.memory_mb,
        runtime=study.resources.report.minutes,
    shell:
        """
        python scripts/render_epochs.py \
            --frames {input.frames:q} \
            --history {input.history:q} \
            --dataset {input.description:q} \
            {params.flags:q} \
            --gif {output.gif:q} \
            --webp {output.webp:q} > {log:q} 2>&1
        """


rule draw_augmentations:
    "Draw training tiles of the first fold beside versions of them as training sees them."
    input:
        unpack(study.split.tiles_of_first_fold),
        folds="results/{dataset}/folds.csv",
        description="results/{dataset}/prepared/dataset.json",
        tuned=ancient(study.tune.found_augmentation),
    output:
        figure=report(
            "results/{dataset}/figures/augmentations_{architecture}.png",
            category="Training",
            subcategory="{dataset}",
            labels={"shown": "augmentation of {architecture}"},
            caption="../report/augmentations.rst",
        ),
    log:
        "logs/draw_augmentations/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/draw_augmentations/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        architecture=study.architecture_pattern,
    params:
        flags=study.train.augmentation_flags,
        code=study.code_of("draw_augmentations"),
    threads: study.resources.report.cores
    resources:
        mem_mb=study.resources.report.memory_mb,
        runtime=study.resources.report.minutes,
    shell:
        """
        python scripts/draw_augmentations.py \
            --images {input.images:q} \
            --masks {input.masks:q} \
            --instances {input.instances:q} \
            --image-table {input.image_table:q} \
            --windows {input.windows:q} \
            --folds {input.folds:q} \
            --fold 0 \
            --dataset {input.description:q} \
            {params.flags:q} \
            --figure {output.figure:q} > {log:q} 2>&1
        """
