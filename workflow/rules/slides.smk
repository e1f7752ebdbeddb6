# Whole slides, from their files to regions and nuclei for QuPath.


rule find_tissue:
    "Find the tissue of a slide, so that no network looks at glass."
    input:
        unpack(study.slides.own_files),
        slide=ancient(study.slides.file),
    output:
        tissue="results/slides/{slide}/tissue.png",
        slide_json="results/slides/{slide}/slide.json",
    log:
        "logs/find_tissue/{slide}.log",
    benchmark:
        "benchmark/find_tissue/{slide}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.slides.tissue_flags,
        content=study.slides.content,
        code=study.code_of("find_tissue"),
    threads: study.resources.slides.cores
    resources:
        mem_mb=study.resources.slides.memory_mb,
        runtime=study.resources.slides.minutes,
    shell:
        """
        python scripts/find_tissue.py \
            --slide {input.slide:q} \
            {params.flags:q} \
            --tissue {output.tissue:q} \
            --slide-json {output.slide_json:q} > {log:q} 2>&1
        """


rule predict_slide:
    "Predict class probabilities wherever a slide has tissue; killed and run again, it goes on where it was."
    input:
        slide=ancient(study.slides.file),
        slide_json="results/slides/{slide}/slide.json",
        tissue="results/slides/{slide}/tissue.png",
        models=study.slides.folds_of("results/{dataset}/{architecture}/fold{fold}/model.safetensors"),
        references=study.slides.references,
    output:
        probabilities=directory("results/slides/{slide}/{dataset}/{architecture}/prediction/probabilities"),
        maps=directory("results/slides/{slide}/{dataset}/{architecture}/prediction/maps"),
    log:
        "logs/predict_slide/{slide}/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/predict_slide/{slide}/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        state="results/slides/{slide}/{dataset}/{architecture}/prediction_state",
        flags=study.slides.predict_flags,
        content=study.slides.content,
        code=study.slides.predict_code,
    threads: study.resources.slides.cores
    resources:
        mem_mb=study.resources.slides.memory_mb,
        runtime=study.resources.slides.minutes,
        gres=study.resources.slides.gres,
        gpu_jobs=1,
        tasks_per_gpu=0,
    shell:
        """
        python scripts/predict_slide.py \
            --slide {input.slide:q} \
            --slide-json {input.slide_json:q} \
            --tissue {input.tissue:q} \
            --model {input.models:q} \
            --reference {input.references:q} \
            {params.flags:q} \
            --code {params.code:q} \
            --state {params.state:q} \
            --probabilities {output.probabilities:q} \
            --maps {output.maps:q} > {log:q} 2>&1
        """


rule postprocess_slide:
    "Turn a slide's probabilities into a clean class map and single nuclei."
    input:
        probabilities="results/slides/{slide}/{dataset}/{architecture}/prediction/probabilities",
        maps="results/slides/{slide}/{dataset}/{architecture}/prediction/maps",
        slide_json="results/slides/{slide}/slide.json",
        tissue="results/slides/{slide}/tissue.png",
        settings=study.slides.settings,
    output:
        classes=directory("results/slides/{slide}/{dataset}/{architecture}/classes"),
        nuclei=directory("results/slides/{slide}/{dataset}/{architecture}/nuclei"),
        seams="results/slides/{slide}/{dataset}/{architecture}/seams.json",
    log:
        "logs/postprocess_slide/{slide}/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/postprocess_slide/{slide}/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.slides.postprocess_flags,
        code=study.slides.postprocess_code,
    threads: study.resources.slides.cores
    resources:
        mem_mb=study.resources.slides.memory_mb,
        runtime=study.resources.slides.minutes,
    shell:
        """
        python scripts/postprocess_slide.py \
            --prediction-probabilities {input.probabilities:q} \
            --prediction-maps {input.maps:q} \
            --slide-json {input.slide_json:q} \
            --tissue {input.tissue:q} \
            --settings {input.settings:q} \
            {params.flags:q} \
            --classes {output.classes:q} \
            --seams {output.seams:q} \
            --nuclei {output.nuclei:q} > {log:q} 2>&1
        """


rule export_slide:
    "Write a slide's classes as OME-TIFF, its outlines as GeoJSON for QuPath, and its areas as a table."
    input:
        classes="results/slides/{slide}/{dataset}/{architecture}/classes",
        nuclei="results/slides/{slide}/{dataset}/{architecture}/nuclei",
        seams="results/slides/{slide}/{dataset}/{architecture}/seams.json",
        slide_json="results/slides/{slide}/slide.json",
        tissue="results/slides/{slide}/tissue.png",
    output:
        class_map="results/slides/{slide}/{dataset}/{architecture}/classes.ome.tif",
        regions="results/slides/{slide}/{dataset}/{architecture}/regions.geojson.gz",
        nuclei="results/slides/{slide}/{dataset}/{architecture}/nuclei.geojson.gz",
        areas="results/slides/{slide}/{dataset}/{architecture}/areas.csv",
    log:
        "logs/export_slide/{slide}/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/export_slide/{slide}/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.slides.export_flags,
        code=study.code_of("export_slide"),
    threads: study.resources.slides.cores
    resources:
        mem_mb=study.resources.slides.memory_mb,
        runtime=study.resources.slides.minutes,
    shell:
        """
        python scripts/export_slide.py \
            --classes {input.classes:q} \
            --nuclei {input.nuclei:q} \
            --slide-json {input.slide_json:q} \
            --tissue {input.tissue:q} \
            --seams {input.seams:q} \
            {params.flags:q} \
            --class-map {output.class_map:q} \
            --regions {output.regions:q} \
            --nuclei-outlines {output.nuclei:q} \
            --areas {output.areas:q} > {log:q} 2>&1
        """


rule export_probabilities:
    "Write a slide's class probabilities as OME-TIFF, where the config asks for it."
    input:
        probabilities="results/slides/{slide}/{dataset}/{architecture}/prediction/probabilities",
    output:
        probability_map="results/slides/{slide}/{dataset}/{architecture}/probabilities.ome.tif",
    log:
        "logs/export_probabilities/{slide}/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/export_probabilities/{slide}/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=study.code_of("export_probabilities"),
    threads: study.resources.slides.cores
    resources:
        mem_mb=study.resources.slides.memory_mb,
        runtime=study.resources.slides.minutes,
    shell:
        """
        python scripts/export_probabilities.py \
            --probabilities {input.probabilities:q} \
            --probability-map {output.probability_map:q} > {log:q} 2>&1
        """


rule draw_overview:
    "Draw a slide with its classes, and of a model of nuclei how densely they lie."
    input:
        slide=ancient(study.slides.file),
        slide_json="results/slides/{slide}/slide.json",
        classes="results/slides/{slide}/{dataset}/{architecture}/classes",
        nuclei="results/slides/{slide}/{dataset}/{architecture}/nuclei",
        description="results/{dataset}/prepared/dataset.json",
    output:
        figure=report(
            "results/slides/{slide}/{dataset}/{architecture}/overview.png",
            category="Slides",
            subcategory="{slide}",
            labels={"shown": "overview by {dataset}/{architecture}"},
            caption="../report/overview.rst",
        ),
    log:
        "logs/draw_overview/{slide}/{dataset}/{architecture}.log",
    benchmark:
        "benchmark/draw_overview/{slide}/{dataset}/{architecture}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        flags=study.slides.overview_flags,
        code=study.code_of("draw_overview"),
    threads: study.resources.slides.cores
    resources:
        mem_mb=study.resources.slides.memory_mb,
        runtime=study.resources.slides.minutes,
    shell:
        """
        python scripts/draw_overview.py \
            --slide {input.slide:q} \
            --slide-json {input.slide_json:q} \
            --classes {input.classes:q} \
            --nuclei {input.nuclei:q} \
            --dataset {input.description:q} \
            {params.flags:q} \
            --figure {output.figure:q} > {log:q} 2>&1
        """
