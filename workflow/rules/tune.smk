# Values of training that are sought on the validation part, before training.


localrules:
    choose_trial,


rule tune:
    "Be one of the workers that try values of training, each trial a training."
    input:
        unpack(study.split.tiles),
        folds="results/{dataset}/folds.csv",
        colours=study.train.colours,
        weights=study.train.weights,
        description="results/{dataset}/prepared/dataset.json",
        findings=ancient("results/{dataset}/inspection/findings.csv"),
    output:
        report="results/{dataset}/{architecture}/fold{fold}/tuning/worker{worker}.json",
    log:
        "logs/tune/{dataset}/{architecture}/fold{fold}_{worker}.log",
    benchmark:
        "benchmark/tune/{dataset}/{architecture}/fold{fold}_{worker}.tsv"
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        architecture=study.architecture_pattern,
        worker="[0-9]+",
    params:
        flags=study.tune.flags,
        code=study.tune.code,
    threads: study.resources.tune.cores
    resources:
        mem_mb=study.resources.tune.memory_mb,
        runtime=study.resources.tune.minutes,
        gres=study.resources.tune.gres,
        workers=study.tune.workers,
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
    # The state folder is not declared: a worker that is started again goes on there, and so does a study with more
    # trials. `exec`, since a shell in between would die of the signal that asks the worker to save and end.
    shell:
        """
        exec python scripts/tune_training.py \
            --worker {wildcards.worker:q} \
            --workers {resources.workers:q} \
            {params.flags:q} \
            --code {params.code:q} \
            --inputs {input.images:q} {input.masks:q} {input.instances:q} {input.image_table:q} {input.windows:q} \
                {input.folds:q} {input.colours:q} {input.weights:q} \
            --dataset {input.description:q} \
            --state results/{wildcards.dataset:q}/{wildcards.architecture:q}/fold{wildcards.fold:q}/tuning/state \
            --report {output.report:q} \
            scripts/launch_training.py --nodes {resources.nodes:q} --processes {resources.processes_per_node:q} \
            --cores {threads:q} --starter {resources.starter:q} scripts/train.py \
            --images {input.images:q} \
            --masks {input.masks:q} \
            --instances {input.instances:q} \
            --image-table {input.image_table:q} \
            --windows {input.windows:q} \
            --folds {input.folds:q} \
            --fold {wildcards.fold:q} \
            --colours {input.colours:q} \
            --weights {input.weights:q} \
            --dataset {input.description:q} \
            --code {params.code:q} \
            --threads-per-process {resources.threads_per_process:q} \
            --loader-workers {resources.loader_workers:q} \
            --checkpoint-minutes {resources.checkpoint_minutes:q} \
            --local-scratch {resources.local_scratch:q} > {log:q} 2>&1
        """


# A checkpoint, so that the flags of training can be made of what it chose.
checkpoint choose_trial:
    "Choose the best trial, and tell of all."
    input:
        reports=study.tune.reports,
        folds="results/{dataset}/folds.csv",
    output:
        tuned="results/{dataset}/{architecture}/fold{fold}/tuning/tuned.json",
        trials="results/{dataset}/{architecture}/fold{fold}/tuning/trials.csv",
        importances="results/{dataset}/{architecture}/fold{fold}/tuning/importances.csv",
        gain="results/{dataset}/{architecture}/fold{fold}/tuning/gain.csv",
    log:
        "logs/choose_trial/{dataset}/{architecture}/fold{fold}.log",
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        architecture=study.architecture_pattern,
    params:
        flags=study.tune.choice_flags,
        code=study.tune.choice_code,
    shell:
        """
        python scripts/choose_trial.py \
            --worker {input.reports:q} \
            --folds {input.folds:q} \
            {params.flags:q} \
            --tuned {output.tuned:q} \
            --table {output.trials:q} \
            --importances {output.importances:q} \
            --gain {output.gain:q} > {log:q} 2>&1
        """


rule draw_tuning:
    "Draw the scores of all trials, how much each value mattered, and which values went with which score."
    input:
        trials="results/{dataset}/{architecture}/fold{fold}/tuning/trials.csv",
        importances="results/{dataset}/{architecture}/fold{fold}/tuning/importances.csv",
        gain="results/{dataset}/{architecture}/fold{fold}/tuning/gain.csv",
    output:
        figure=report(
            "results/{dataset}/figures/tuning_{architecture}_fold{fold}.png",
            category="Training",
            subcategory="{dataset}",
            labels={"shown": "tuning of {architecture}, fold {fold}"},
            caption="../report/tuning.rst",
        ),
        pdf="results/{dataset}/figures/tuning_{architecture}_fold{fold}.pdf",
    log:
        "logs/draw_tuning/{dataset}/{architecture}/fold{fold}.log",
    benchmark:
        "benchmark/draw_tuning/{dataset}/{architecture}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.tune.picture_flags,
        code=study.code_of("draw_tuning"),
    threads: study.resources.report.cores
    resources:
        mem_mb=study.resources.report.memory_mb,
        runtime=study.resources.report.minutes,
    shell:
        """
        python scripts/draw_tuning.py \
            --trials {input.trials:q} \
            --importances {input.importances:q} \
            --gain {input.gain:q} \
            {params.flags:q} \
            --figure {output.figure:q} \
            --pdf {output.pdf:q} > {log:q} 2>&1
        """
