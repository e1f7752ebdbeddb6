# histoloom: from annotated H&E images to trained, compared and documented segmentation models.
import os
import sys
from snakemake.utils import min_version

min_version("9.27")
sys.path.insert(0, os.path.join(workflow.basedir, "scripts"))

from histoloom.study.checks.complaint import complaint
from histoloom.study.merging import read_config
from histoloom.study.process import set_up
from histoloom.study.study import Study

settings = workflow.config_settings
files = [*([] if settings.replace_workflow_config else ["config/config.yaml"]), *settings.configfiles]
# Before Snakemake reads the config, since it takes the last of two equal keys and any misspelt one.
if found := complaint(files, settings.config):
    sys.exit(found)


configfile: "config/config.yaml"


study = Study(read_config(files, settings.config), checkpoints)
set_up(study.config["limits"])


container: "envs/histoloom.sif"


report: f"results/report/{study.slug}/front.rst"


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
include: "workflow/rules/tune.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/rounds.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/slides.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/report_figures.smk"
include: "workflow/rules/report_examples.smk"
include: "workflow/rules/report_pages.smk"
