"""What keys mean that have no line of their own in config/config.yaml: those of catalogues, lists and jobs."""

import re

JOBS = {
    "cores": "CPU cores of a job",
    "memory_mb": "memory of a job on each node, in MB",
    "minutes": "minutes after which a cluster ends the job",
    "gpus": "GPUs of a job; 0: it runs on CPUs",
}
CATALOGUES = {
    "study.samples": "folder that {samples} in a dataset's root stands for",
    "datasets.<name>.reader": "how the raw data lie: a file in scripts/histoloom/datasets",
    "datasets.<name>.root": "folder of the raw data",
    "datasets.<name>.obtain": "how to get the data; said when the folder is missing",
    "datasets.<name>.source": "where the data come from: files to download, or steps to take by hand",
    "datasets.<name>.source.files": "what `snakemake fetch` downloads into root",
    "datasets.<name>.source.files[].url": "address of a file, http or https",
    "datasets.<name>.source.files[].sha256": "SHA-256 that the file has to have, as 64 hexadecimal digits",
    "datasets.<name>.source.files[].unpack": "whether it is an archive to be unpacked; without this key it is",
    "datasets.<name>.source.steps": "steps to take by hand, where a login is needed",
    "datasets.<name>.options": "the reader's own options; the docstring in its file says them",
    "datasets.<name>.remark": "what to read every score of it with; said in each row of the tables",
    "architectures.<name>.network": "a file in scripts/histoloom/architectures",
    "architectures.<name>.options": "the network's own options, such as {width: 32} or {pretrained: imagenet}",
    "evaluate.published[].name": "name of the method in the tables",
    "evaluate.published[].metric": "metric as in evaluate.metrics",
    "evaluate.published[].class": "class, foreground or mean",
    "evaluate.published[].value": "the published figure",
    "evaluate.published[].definition": "how it was counted, where that differs",
    "evaluate.published[].source": "the paper and its table",
}


def explanation(key: str) -> str:
    """What a key means that the config has no comment for; "" where nothing is known of it.

    >>> explanation("resources.train.cores")
    'CPU cores of a job'
    """
    job = re.fullmatch(r"resources\.\w+\.(\w+)", key)
    return JOBS.get(job[1], "") if job else CATALOGUES.get(key, "")
