# Who is trained on, validated on and tested on; and the pixels laid out for fast training.


rule split:
    "Deal images to folds so that no case stands on both sides."
    input:
        index="results/{dataset}/prepared/index.csv",
    output:
        folds="results/{dataset}/folds.csv",
    log:
        "logs/split/{dataset}.log",
    benchmark:
        "benchmark/split/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.split_flags,
        code=study.code_of("split_dataset"),
    shell:
        """
        python scripts/split_dataset.py \
            --index {input.index:q} \
            {params.flags:q} \
            --folds {output.folds:q} > {log:q} 2>&1
        """


rule tiles:
    "Lay all pixels out in memory-mapped arrays and list the training windows."
    input:
        images="results/{dataset}/prepared/images",
        masks="results/{dataset}/prepared/masks",
        index="results/{dataset}/prepared/index.csv",
    output:
        images="results/{dataset}/tiles/images.npy",
        masks="results/{dataset}/tiles/masks.npy",
        image_table="results/{dataset}/tiles/images.csv",
        windows="results/{dataset}/tiles/windows.csv",
    log:
        "logs/tiles/{dataset}.log",
    benchmark:
        "benchmark/tiles/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.tiles_flags,
        code=study.code_of("make_tiles"),
    shell:
        """
        python scripts/make_tiles.py \
            --index {input.index:q} \
            {params.flags:q} \
            --images {output.images:q} \
            --masks {output.masks:q} \
            --image-table {output.image_table:q} \
            --windows {output.windows:q} > {log:q} 2>&1
        """
