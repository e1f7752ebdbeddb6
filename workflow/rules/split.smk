# Who is trained on, validated on and tested on; and the pixels laid out for fast training.


rule split:
    "Deal images to folds so that no case stands on both sides."
    input:
        index="results/{dataset}/prepared/index.csv",
        description="results/{dataset}/prepared/dataset.json",
        # An inspection that found errors ends the workflow here: such data is neither split nor learnt from. Only written
        # anew it splits nothing again: what is counted in an image hangs on the index, and on code that params have.
        measures=ancient("results/{dataset}/inspection/images.csv"),
        duplicates="results/{dataset}/inspection/duplicates.csv",
        # A headline that the dataset cannot have ends the workflow here too; another one splits nothing again.
        headline=ancient("results/{dataset}/inspection/headline.json"),
        list=study.split.list_file,
    output:
        folds="results/{dataset}/folds.csv",
        findings="results/{dataset}/inspection/fold_findings.csv",
    log:
        "logs/split/{dataset}.log",
    benchmark:
        "benchmark/split/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.split.flags,
        code=study.split.code,
    threads: study.resources.split.cores
    resources:
        mem_mb=study.resources.split.memory_mb,
        runtime=study.resources.split.minutes,
    shell:
        """
        python scripts/split_dataset.py \
            --index {input.index:q} \
            --dataset {input.description:q} \
            --measures {input.measures:q} \
            --duplicates {input.duplicates:q} \
            --list {input.list:q} \
            {params.flags:q} \
            --folds {output.folds:q} \
            --fold-findings {output.findings:q} > {log:q} 2>&1
        """


rule normalise:
    "Give all images the stain of a fold's training images."
    input:
        images="results/{dataset}/prepared/images",
        index="results/{dataset}/prepared/index.csv",
        folds="results/{dataset}/folds.csv",
    output:
        images=directory("results/{dataset}/fold{fold}/normalised/images"),
        index="results/{dataset}/fold{fold}/normalised/index.csv",
        table="results/{dataset}/fold{fold}/normalised/table.csv",
        findings="results/{dataset}/fold{fold}/normalised/findings.csv",
        reference="results/{dataset}/fold{fold}/normalised/reference.npz",
    log:
        "logs/normalise/{dataset}/fold{fold}.log",
    benchmark:
        "benchmark/normalise/{dataset}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.split.normalise_flags,
        code=study.split.normalise_code,
    threads: study.resources.split.cores
    resources:
        mem_mb=study.resources.split.memory_mb,
        runtime=study.resources.split.minutes,
    shell:
        """
        python scripts/normalise_images.py \
            --index {input.index:q} \
            --folds {input.folds:q} \
            --fold {wildcards.fold:q} \
            {params.flags:q} \
            --images {output.images:q} \
            --normalised-index {output.index:q} \
            --table {output.table:q} \
            --findings {output.findings:q} \
            --reference {output.reference:q} > {log:q} 2>&1
        """


rule tiles:
    "Lay all pixels out in memory-mapped arrays and list the training windows."
    input:
        images="results/{dataset}/prepared/images",
        masks="results/{dataset}/prepared/masks",
        instances="results/{dataset}/prepared/instances",
        index="results/{dataset}/prepared/index.csv",
    output:
        images="results/{dataset}/tiles/images.npy",
        masks="results/{dataset}/tiles/masks.npy",
        instances="results/{dataset}/tiles/instances.npy",
        image_table="results/{dataset}/tiles/images.csv",
        windows="results/{dataset}/tiles/windows.csv",
    log:
        "logs/tiles/{dataset}.log",
    benchmark:
        "benchmark/tiles/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.split.tiles_flags,
        code=study.code_of("make_tiles"),
    threads: study.resources.split.cores
    resources:
        mem_mb=study.resources.split.memory_mb,
        runtime=study.resources.split.minutes,
    shell:
        """
        python scripts/make_tiles.py \
            --index {input.index:q} \
            {params.flags:q} \
            --images {output.images:q} \
            --masks {output.masks:q} \
            --instances {output.instances:q} \
            --image-table {output.image_table:q} \
            --windows {output.windows:q} > {log:q} 2>&1
        """


use rule tiles as tiles_of_fold with:
    input:
        images="results/{dataset}/fold{fold}/normalised/images",
        masks="results/{dataset}/prepared/masks",
        instances="results/{dataset}/prepared/instances",
        index="results/{dataset}/fold{fold}/normalised/index.csv",
    output:
        images="results/{dataset}/fold{fold}/tiles/images.npy",
        masks="results/{dataset}/fold{fold}/tiles/masks.npy",
        instances="results/{dataset}/fold{fold}/tiles/instances.npy",
        image_table="results/{dataset}/fold{fold}/tiles/images.csv",
        windows="results/{dataset}/fold{fold}/tiles/windows.csv",
    log:
        "logs/tiles/{dataset}/fold{fold}.log",
    benchmark:
        "benchmark/tiles/{dataset}/fold{fold}.tsv"


rule measure_colours:
    "Measure mean and spread of each colour channel in a fold's training images."
    input:
        unpack(study.split.tiles),
        folds="results/{dataset}/folds.csv",
    output:
        colours="results/{dataset}/fold{fold}/colours.json",
    log:
        "logs/measure_colours/{dataset}/fold{fold}.log",
    benchmark:
        "benchmark/measure_colours/{dataset}/fold{fold}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=study.code_of("measure_colours"),
    threads: study.resources.split.cores
    resources:
        mem_mb=study.resources.split.memory_mb,
        runtime=study.resources.split.minutes,
    shell:
        """
        python scripts/measure_colours.py \
            --images {input.images:q} \
            --image-table {input.image_table:q} \
            --folds {input.folds:q} \
            --fold {wildcards.fold:q} \
            --statistics {output.colours:q} > {log:q} 2>&1
        """
