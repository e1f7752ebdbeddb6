"""Which jobs a run would have, as Snakemake itself plans them, with what it recorded of each job's last run.

Snakemake gives its plan to nobody but itself: this module, and no other, reaches into it. Nothing is run.
"""

import ast
import contextlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.common.tbdstring import TBDString
from snakemake.exceptions import RuleException, WorkflowError
from snakemake.settings.enums import Quietness
from snakemake.settings.types import (
    ChangeType,
    ConfigSettings,
    DAGSettings,
    DeploymentSettings,
    OutputSettings,
    ResourceSettings,
    StorageSettings,
    WorkflowSettings,
)

from histoloom.errors import InputError

SCRIPT = re.compile(r"scripts/(\w+\.py)")


@dataclass(frozen=True)
class Record:
    """What Snakemake kept of a job's last run: its params (without their names), its input, and how long it took."""

    params: tuple[Any, ...]
    inputs: frozenset[str]
    seconds: float


@dataclass(frozen=True)
class PlannedJob:
    """A job that would run. `record` is of its last run, None where there is none.

    `rule_file` is where the rule stands, in workflow/rules, and `script` what its command runs; `missing` are outputs
    that are not there, `gone` those of them that were made before, `newer` inputs that changed after the outputs were
    made. What an undecided job reads, and some of its params, hang on a checkpoint that runs before it; params without
    a value yet are left out.
    """

    rule: str
    rule_file: str
    script: str
    wildcards: Mapping[str, str]
    params: Mapping[str, Any]
    inputs: frozenset[str]
    missing: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()
    record: Record | None = None
    is_interrupted: bool = False
    is_command_changed: bool = False
    is_environment_changed: bool = False
    is_checkpoint: bool = False
    is_undecided: bool = False

    @property
    def stage(self) -> str:
        """The stage of the rule: its file's name, up to an underscore where a stage has several files."""
        return Path(self.rule_file).stem.partition("_")[0]


def planned_jobs(snakefile: Path, configfiles: Sequence[Path], targets: Sequence[str] = ()) -> list[PlannedJob]:
    """All jobs that `snakemake --configfile ...` would run in the working folder, in their order.

    Rules that only collect files are left out. `targets` are files or rules; without them it is the first rule. Raises
    InputError where no plan can be made; a Snakefile that refuses its config ends the program as it does in Snakemake.
    """
    # Errors are raised, not logged; and no log file is to be left behind.
    quiet = OutputSettings(quiet={Quietness.ALL}, enable_file_logging=False)
    try:
        with SnakemakeApi(quiet) as api:
            return list(_jobs(api, snakefile, configfiles, targets))
    except (RuleException, WorkflowError) as error:
        told = " ".join(str(error).split())
        raise InputError(
            f"{snakefile}: no plan: {told}; expected a study that Snakemake can plan; try snakemake -n"
        ) from error


def _jobs(
    api: SnakemakeApi, snakefile: Path, configfiles: Sequence[Path], targets: Sequence[str]
) -> Iterator[PlannedJob]:
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=1),
        config_settings=ConfigSettings(configfiles=list(configfiles)),
        storage_settings=StorageSettings(),
        workflow_settings=WorkflowSettings(),
        deployment_settings=DeploymentSettings(),
        snakefile=snakefile,
    )
    settings = DAGSettings(targets=set(targets), force_incomplete=True)  # as the profile has it: rerun-incomplete
    with contextlib.redirect_stdout(io.StringIO()):
        # This plans as a run would and runs nothing; what it lists is too little for us: not below a job that runs.
        workflow.dag(settings).list_changes(ChangeType.PARAMS)
    plan = workflow._workflow.dag
    level_of = {job: number for number, level in enumerate(plan.toposorted()) for job in level}
    needed = [job for job in plan.needrun_jobs() if not job.rule.norun]
    # Levels are sets: within one, jobs are ordered by what they are, so that the same plan is told in the same words.
    place = {job: (level_of[job], job.rule.name, list(job.wildcards_dict.values())) for job in needed}
    yield from (_planned(job, plan) for job in sorted(needed, key=place.get))


def _planned(job: Any, plan: Any) -> PlannedJob:
    persistence, reason = plan.workflow.persistence, plan.reason(job)
    records = {str(file): record for file in job.output if (record := persistence.metadata(file)) is not None}
    missing = tuple(str(file) for file in job.output if not Path(file).exists())
    scripts = SCRIPT.findall(job.rule.shellcmd or "")
    return PlannedJob(
        rule=job.rule.name,
        rule_file=Path(job.rule.snakefile).name,
        script=scripts[-1] if scripts else "",
        wildcards=dict(job.wildcards_dict),
        # Params that hang on input, output or resources are neither recorded nor compared.
        params={
            name: value
            for name, value in job.params.items()
            if value in job.non_derived_params and not isinstance(value, TBDString)
        },
        inputs=frozenset(map(str, job.input)),
        missing=missing,
        gone=tuple(file for file in missing if file in records),
        newer=tuple(sorted(map(str, reason.updated_input))),
        record=_record(next(iter(records.values()))) if records else None,
        is_interrupted=reason.forced,  # nothing else is forced here
        # Asked of each job by itself: Snakemake stops asking below a job that runs anyway.
        is_command_changed=any(persistence.code_changed(job)),
        is_environment_changed=any(persistence.software_stack_changed(job)),
        is_checkpoint=job.rule.is_checkpoint,
        is_undecided=job.incomplete_input_expand,
    )


def _record(record: Any) -> Record:
    params = tuple(ast.literal_eval(text) for text in record.params)
    return Record(params, frozenset(record.input), max(0.0, (record.endtime or 0.0) - (record.starttime or 0.0)))
