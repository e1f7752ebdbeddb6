# Rounds of semi-ground truth, for datasets whose rounds.count is above 0: models label training images that they have
# not seen, what they are sure of is trained on beside what people drew, and people's held-out pixels choose the round.


localrules:
    divide_training, judge_round, choose_round, write_rounds_page,


rule divide_training:
    "Divide a fold's training images into parts, each to be predicted by models that have not seen it."
    input:
        index="results/{dataset}/prepared/index.csv",
        description="results/{dataset}/prepared/dataset.json",
        measures=ancient("results/{dataset}/inspection/images.csv"),
        duplicates="results/{dataset}/inspection/duplicates.csv",
        folds="results/{dataset}/folds.csv",
    output:
        parts="results/{dataset}/{architecture}/fold{fold}/rounds/parts.csv",
    log:
        "logs/divide_training/{dataset}/{architecture}/fold{fold}.log",
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        dataset=study.rounded_pattern,
        architecture=study.architecture_pattern,
    params:
        flags=study.rounds.divide_flags,
        code=study.code_of("divide_training"),
    shell:
        """
        python scripts/divide_training.py \
            --index {input.index:q} \
            --dataset {input.description:q} \
            --measures {input.measures:q} \
            --duplicates {input.duplicates:q} \
            --folds {input.folds:q} \
            --fold {wildcards.fold:q} \
            {params.flags:q} \
            --table {output.parts:q} > {log:q} 2>&1
        """


use rule train as train_round with:
    input:
        unpack(study.rounds.tiles),
        folds="results/{dataset}/folds.csv",
        colours=study.train.colours,
        weights=study.train.weights,
        description="results/{dataset}/prepared/dataset.json",
        findings=ancient("results/{dataset}/inspection/findings.csv"),
        tuned=ancient(study.tune.found),
    output:
        model="results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/model.safetensors",
        history="results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/history.csv",
        epochs=directory("results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/epochs"),
    log:
        "logs/train_round/{dataset}/{architecture}/fold{fold}_round{round}.log",
    benchmark:
        "benchmark/train_round/{dataset}/{architecture}/fold{fold}_round{round}.tsv"
    wildcard_constraints:
        dataset=study.rounded_pattern,
        architecture=study.architecture_pattern,
        round="[0-9]+",
    params:
        flags=study.rounds.train_flags,
        state="results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/state",


# Of the fold's training images it sees all parts but one; the fold's validation part validates here too.
use rule train as train_part with:
    input:
        unpack(study.rounds.tiles),
        folds="results/{dataset}/{architecture}/fold{fold}/rounds/parts.csv",
        colours=study.train.colours,
        weights=study.train.weights,
        description="results/{dataset}/prepared/dataset.json",
        findings=ancient("results/{dataset}/inspection/findings.csv"),
        tuned=ancient(study.tune.found),
    output:
        model="results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/part{part}/model.safetensors",
        history="results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/part{part}/history.csv",
        epochs=directory("results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/part{part}/epochs"),
    log:
        "logs/train_part/{dataset}/{architecture}/fold{fold}_round{round}_part{part}.log",
    benchmark:
        "benchmark/train_part/{dataset}/{architecture}/fold{fold}_round{round}_part{part}.tsv"
    wildcard_constraints:
        dataset=study.rounded_pattern,
        architecture=study.architecture_pattern,
        round="[0-9]+",
        part="[0-9]+",
    params:
        fold="{part}",
        flags=study.rounds.train_flags,
        state="results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/part{part}/state",


use rule predict as predict_part with:
    input:
        model="results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/part{part}/model.safetensors",
        images=study.split.images,
        index=study.split.index,
        folds="results/{dataset}/{architecture}/fold{fold}/rounds/parts.csv",
    output:
        probabilities=directory(
            "results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/part{part}/probabilities"
        ),
        maps=directory("results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/part{part}/maps"),
        cost="results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/part{part}/cost.json",
    log:
        "logs/predict_part/{dataset}/{architecture}/fold{fold}_round{round}_part{part}.log",
    benchmark:
        "benchmark/predict_part/{dataset}/{architecture}/fold{fold}_round{round}_part{part}.tsv"
    wildcard_constraints:
        dataset=study.rounded_pattern,
        architecture=study.architecture_pattern,
        round="[0-9]+",
        part="[0-9]+",
    params:
        fold="{part}",


rule accept_pixels:
    "Accept pixels of training images from models of the round before that have not seen them; people's pixels stay."
    input:
        probabilities=study.rounds.probabilities,
        parts="results/{dataset}/{architecture}/fold{fold}/rounds/parts.csv",
        masks="results/{dataset}/prepared/masks",
        index="results/{dataset}/prepared/index.csv",
        description="results/{dataset}/prepared/dataset.json",
        before=study.rounds.masks_before,
    output:
        masks=directory("results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/masks"),
        drift="results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/drift.csv",
    log:
        "logs/accept_pixels/{dataset}/{architecture}/fold{fold}_round{round}.log",
    benchmark:
        "benchmark/accept_pixels/{dataset}/{architecture}/fold{fold}_round{round}.tsv"
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        dataset=study.rounded_pattern,
        architecture=study.architecture_pattern,
        round="[1-9][0-9]*",
    params:
        flags=study.rounds.accept_flags,
        code=study.code_of("accept_pixels"),
    threads: study.resources.predict.cores
    resources:
        mem_mb=study.resources.predict.memory_mb,
        runtime=study.resources.predict.minutes,
    shell:
        """
        python scripts/accept_pixels.py \
            --index {input.index:q} \
            --dataset {input.description:q} \
            --parts {input.parts:q} \
            --probabilities {input.probabilities:q} \
            --before {input.before:q} \
            {params.flags:q} \
            --masks {output.masks:q} \
            --drift {output.drift:q} > {log:q} 2>&1
        """


rule tiles_of_round:
    "Lay the masks of a round out for training, beside the images that are laid out already."
    input:
        unpack(study.rounds.drawn_tiles),
        round_masks="results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/masks",
    output:
        masks="results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/masks.npy",
        windows="results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/windows.csv",
    log:
        "logs/tiles_of_round/{dataset}/{architecture}/fold{fold}_round{round}.log",
    benchmark:
        "benchmark/tiles_of_round/{dataset}/{architecture}/fold{fold}_round{round}.tsv"
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        dataset=study.rounded_pattern,
        architecture=study.architecture_pattern,
        round="[1-9][0-9]*",
    params:
        flags=study.split.tiles_flags,
        code=study.code_of("make_round_tiles"),
    threads: study.resources.split.cores
    resources:
        mem_mb=study.resources.split.memory_mb,
        runtime=study.resources.split.minutes,
    shell:
        """
        python scripts/make_round_tiles.py \
            --images {input.images:q} \
            --drawn {input.drawn:q} \
            --instances {input.instances:q} \
            --image-table {input.image_table:q} \
            --round-masks {input.round_masks:q} \
            {params.flags:q} \
            --masks {output.masks:q} \
            --windows {output.windows:q} > {log:q} 2>&1
        """


# A checkpoint: whether there is a next round is known only when this one has been judged.
checkpoint judge_round:
    "Decide whether another round follows, by the scores on pixels that people drew in the validation part."
    input:
        histories=study.rounds.histories,
    output:
        verdict="results/{dataset}/{architecture}/fold{fold}/rounds/round{round}/verdict.json",
    log:
        "logs/judge_round/{dataset}/{architecture}/fold{fold}_round{round}.log",
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        dataset=study.rounded_pattern,
        architecture=study.architecture_pattern,
        round="[0-9]+",
    params:
        flags=study.rounds.verdict_flags,
        code=study.code_of("judge_round"),
    shell:
        """
        python scripts/judge_round.py \
            --history {input.histories:q} \
            {params.flags:q} \
            --verdict {output.verdict:q} > {log:q} 2>&1
        """


rule choose_round:
    "Make the model of the round that scored best on people's held-out pixels the model of its fold."
    input:
        # Judged anew with the same end, they choose nothing anew, and nothing that follows runs: which round it is, and
        # which training of it, stands in params.
        model=ancient(study.rounds.chosen_model),
        history=ancient(study.rounds.chosen_history),
        epochs=ancient(study.rounds.chosen_epochs),
        verdicts=ancient(study.rounds.verdicts),
    output:
        model="results/{dataset}/{architecture}/fold{fold}/model.safetensors",
        history="results/{dataset}/{architecture}/fold{fold}/history.csv",
        epochs=directory("results/{dataset}/{architecture}/fold{fold}/epochs"),
    log:
        "logs/choose_round/{dataset}/{architecture}/fold{fold}.log",
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        dataset=study.rounded_pattern,
        architecture=study.architecture_pattern,
    params:
        round=study.rounds.best,
        training=study.rounds.chosen_training,
        code=study.code_of("choose_round"),
    shell:
        """
        python scripts/choose_round.py \
            --round {params.round:q} \
            --model {input.model:q} \
            --history {input.history:q} \
            --epochs {input.epochs:q} \
            --chosen-model {output.model:q} \
            --chosen-history {output.history:q} \
            --chosen-epochs {output.epochs:q} > {log:q} 2>&1
        """


rule write_rounds_page:
    "Show the rounds of all folds: scores on people's pixels, what was accepted, and how it changed."
    input:
        verdicts=study.rounds.last_verdicts,
        drifts=study.rounds.drifts,
        histories=study.rounds.shown_histories,
        round_masks=study.rounds.shown_masks,
        images="results/{dataset}/prepared/images",
        masks="results/{dataset}/prepared/masks",
        index="results/{dataset}/prepared/index.csv",
        description="results/{dataset}/prepared/dataset.json",
        template="workflow/report/rounds.html.j2",
    output:
        page=report(
            "results/{dataset}/figures/rounds_{architecture}.html",
            category="Training",
            subcategory="{dataset}",
            labels={"shown": "rounds of {architecture}"},
            caption="../report/rounds.rst",
        ),
        figure="results/{dataset}/figures/rounds_{architecture}.png",
    log:
        "logs/write_rounds_page/{dataset}/{architecture}.log",
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        dataset=study.rounded_pattern,
        architecture=study.architecture_pattern,
    params:
        flags=study.rounds.page_flags,
        code=study.code_of("write_rounds_page"),
    shell:
        """
        python scripts/write_rounds_page.py \
            --architecture {wildcards.architecture:q} \
            --index {input.index:q} \
            --dataset {input.description:q} \
            --verdict {input.verdicts:q} \
            --drift {input.drifts:q} \
            --history {input.histories:q} \
            --round-masks {input.round_masks:q} \
            {params.flags:q} \
            --figure {output.figure:q} \
            --html {output.page:q} > {log:q} 2>&1
        """
