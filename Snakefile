# histoloom: from annotated H&E images to trained, compared and documented segmentation models.
import os
import sys
from snakemake.utils import min_version

min_version("9.27")
sys.path.insert(0, os.path.join(workflow.basedir, "scripts"))

from histoloom.study.check import complaint
from histoloom.study.merging import read_config
from histoloom.study.process import set_up
from histoloom.study.study import Study

settings = workflow.config_settings
files = [*([] if settings.replace_workflow_config else ["config/config.yaml"]), *settings.configfiles]
# Before Snakemake reads the config, since it takes the last of two equal keys and any misspelt one.
if found := complaint(files, settings.config):
    sys.exit(found)


configfile: "config/config.yaml"


study = Study(read_config(files, settings.config))
set_up(study.config["limits"])


container: "envs/histoloom.sif"


report: f"results/report/{study.slug}/front.rst"


# Quick, or in need of the internet, which a cluster's nodes may lack.
localrules:
    all, fetch, download, check_headline, record_config, state_postprocess, write_animations_page, write_table_page,
    write_smoothing_page, write_slides_page, write_inspection_page, write_front_page, write_model_card, export_tables,


wildcard_constraints:
    dataset="[a-z0-9_]+",
    architecture="[a-z0-9_]+",
    fold="[0-9]+",
    slide="[a-z0-9_]+",


rule all:
    "The whole study: the front page of its report, and all that the report shows."
    input:
        study.wanted,


include: "workflow/rules/prepare.smk"
include: "workflow/rules/split.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/slides.smk"
include: "workflow/rules/report_figures.smk"
include: "workflow/rules/report_pages.smk"
