# Trained models in forms that others can run.


rule export_weights:
    "Write a model with all that scripts/predict.py needs to run it on images and slides without the workflow."
    input:
        models=study.export.models,
        references=study.export.references,
        settings=study.export.settings,
        description="results/{dataset}/prepared/dataset.json",
        card="results/{dataset}/figures/card_{architecture}.md",
    output:
        weights=directory("results/{dataset}/{architecture}/export/weights"),
    log:
        "logs/export_weights/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/export_weights/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        architecture=study.architecture_pattern,
    params:
        flags=study.export.weights_flags,
        code=study.export.code("export_weights"),
    threads: study.resources.export.cores
    resources:
        mem_mb=study.resources.export.memory_mb,
        runtime=study.resources.export.minutes,
    shell:
        """
        python scripts/export_weights.py \
            --model {input.models:q} \
            --reference {input.references:q} \
            --settings {input.settings:q} \
            --dataset {input.description:q} \
            --model-card {input.card:q} \
            {params.flags:q} \
            --weights {output.weights:q} > {log:q} 2>&1
        """


rule export_onnx:
    "Write a model as ONNX, which onnxruntime computes as torch does."
    input:
        models=study.export.models,
        references=study.export.references,
        description="results/{dataset}/prepared/dataset.json",
        card="results/{dataset}/figures/card_{architecture}.md",
    output:
        onnx=directory("results/{dataset}/{architecture}/export/onnx"),
    log:
        "logs/export_onnx/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/export_onnx/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        architecture=study.architecture_pattern,
    params:
        flags=study.export.source_flags,
        code=study.export.code("export_onnx"),
    threads: study.resources.export.cores
    resources:
        mem_mb=study.resources.export.memory_mb,
        runtime=study.resources.export.minutes,
    shell:
        """
        python scripts/export_onnx.py \
            --model {input.models:q} \
            --reference {input.references:q} \
            --dataset {input.description:q} \
            --model-card {input.card:q} \
            {params.flags:q} \
            --onnx {output.onnx:q} > {log:q} 2>&1
        """


rule export_bundle:
    "Write a model as a MONAI bundle, which MONAI's own commands run."
    input:
        models=study.export.models,
        references=study.export.references,
        description="results/{dataset}/prepared/dataset.json",
        card="results/{dataset}/figures/card_{architecture}.md",
    output:
        bundle=directory("results/{dataset}/{architecture}/export/monai_bundle"),
    log:
        "logs/export_bundle/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/export_bundle/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    wildcard_constraints:
        architecture=study.architecture_pattern,
    params:
        flags=study.export.source_flags,
        code=study.export.code("export_bundle"),
    threads: study.resources.export.cores
    resources:
        mem_mb=study.resources.export.memory_mb,
        runtime=study.resources.export.minutes,
    shell:
        """
        python scripts/export_bundle.py \
            --model {input.models:q} \
            --reference {input.references:q} \
            --dataset {input.description:q} \
            --model-card {input.card:q} \
            {params.flags:q} \
            --bundle {output.bundle:q} > {log:q} 2>&1
        """
