"""What the rules of stage train hang on: a network with all that decides its weights, and how its run is shared out."""

from collections.abc import Callable, Mapping
from typing import Any

from histoloom.flags import flags
from histoloom.study.sections import network, section
from histoloom.study.workflow import code_with_plugins
from histoloom.train.loss_terms import loss_terms

# How training runs, not what it gives: these reach the rule as threads and resources, which never cause a rerun.
RUN_KEYS = (
    "nodes",
    "processes_per_node",
    "threads_per_process",
    "loader_workers",
    "checkpoint_minutes",
    "local_scratch",
)
# What a training is told, by section of the config.
Sections = Mapping[str, Mapping[str, Any]]


def untuned(_: Any, sections: Sections) -> Sections:
    """The sections of a training as the config has them."""
    return sections


class Train:
    """Functions of wildcards for the rules of this stage."""

    def __init__(self, config: Mapping[str, Any], tuned: Callable[[Any, Sections], Sections] = untuned) -> None:
        """`tuned` lays what tuning found for wildcards over the sections of a training."""
        self.config, self._tuned = config, tuned

    def flags(self, wildcards: Any) -> list[str]:
        """The network, the scale of the tiles, and all that decides what training gives: sections train and augment."""
        sections = self._tuned(wildcards, self.sections(wildcards))
        return flags({key: value for values in sections.values() for key, value in values.items()})

    def sections(self, wildcards: Any) -> dict[str, dict[str, Any]]:
        """What a training is told, by section of the config, as the config has it."""
        architecture = self.config["architectures"][wildcards.architecture]
        chosen = {key: value for key, value in self._values(wildcards).items() if key not in RUN_KEYS}
        if isinstance(chosen["class_weights"], list):
            chosen["class_weights"] = " ".join(map(str, chosen["class_weights"]))
        tiles = section(self.config, "tiles", wildcards.dataset)
        return {
            "architecture": {"network": architecture["network"], "option": architecture.get("options", {})},
            "tiles": {key: tiles[key] for key in ("downsample", "tile_px")},
            "train": chosen,
            "augment": self._augmentation(wildcards),
            "study": {"seed": self.config["study"]["seed"]},
        }

    def code(self, wildcards: Any) -> str:
        """Code of the script, the architecture, the schedule, the losses and the metric that chooses the best epoch."""
        values = self._tuned(wildcards, self.sections(wildcards))["train"]
        losses = [("losses", term.name) for term in loss_terms(values["loss"])]
        others = (("schedules", values["schedule"]), ("metrics", values["select_metric"]))
        return code_with_plugins("train", network(self.config, wildcards.architecture), *losses, *others)

    def weights(self, wildcards: Any) -> list[str]:
        """The file of weights that the network starts from, if it is one: a changed file trains anew."""
        pretrained = self.config["architectures"][wildcards.architecture].get("options", {}).get("pretrained", "")
        return [pretrained] if str(pretrained).endswith(".safetensors") else []

    def augmentation_flags(self, wildcards: Any) -> list[str]:
        """What the sheet of augmented tiles hangs on."""
        tile_px = section(self.config, "tiles", wildcards.dataset)["tile_px"]
        values = {"tile_px": tile_px, "seed": self.config["study"]["seed"]}
        return flags(values | self._tuned(wildcards, {"augment": self._augmentation(wildcards)})["augment"])

    def colours(self, wildcards: Any) -> list[str]:
        """The colours of the fold's training images, where the network's input is standardised by them."""
        is_wanted = self._values(wildcards)["standardise"] == "fold"
        return [f"results/{wildcards.dataset}/fold{wildcards.fold}/colours.json"] if is_wanted else []

    def threads(self, wildcards: Any) -> int:
        """CPU threads of all processes of a node."""
        return self.processes_per_node(wildcards) * self.threads_per_process(wildcards)

    def nodes(self, wildcards: Any) -> int:
        """Machines that train together; where there is no Slurm, one does for all."""
        return self._values(wildcards)["nodes"]

    def processes_per_node(self, wildcards: Any) -> int:
        """Processes that torchrun starts on each node, one for each GPU."""
        return self._values(wildcards)["processes_per_node"]

    def mpi(self, wildcards: Any) -> str:
        """What has Snakemake's Slurm leave it to the rule's own srun to start its tasks: any value, even none.

        Only for several nodes may it be one that counts as true.
        """
        return "srun" if self.nodes(wildcards) > 1 else ""

    def tasks(self, wildcards: Any) -> int | None:
        """Several nodes: one task on each, torchrun. One node: none."""
        return self.nodes(wildcards) if self.nodes(wildcards) > 1 else None

    def threads_per_process(self, wildcards: Any) -> int:
        """CPU threads of one process."""
        return self._values(wildcards)["threads_per_process"]

    def loader_workers(self, wildcards: Any) -> int:
        """Loader processes of one process."""
        return self._values(wildcards)["loader_workers"]

    def checkpoint_minutes(self, wildcards: Any) -> int:
        """Minutes between checkpoints."""
        return self._values(wildcards)["checkpoint_minutes"]

    def local_scratch(self, wildcards: Any) -> str:
        """Whether the tiles are copied to the node's own disk first, as a word."""
        return str(self._values(wildcards)["local_scratch"]).lower()

    def animation_flags(self, wildcards: Any) -> list[str]:
        """Timing of the animations."""
        return flags({key: self.config["report"][key] for key in ("frames_per_second", "hold_seconds")})

    def _augmentation(self, wildcards: Any) -> dict[str, Any]:
        return section(self.config, "augment", wildcards.dataset, wildcards.architecture)

    def _values(self, wildcards: Any) -> dict[str, Any]:
        return section(self.config, "train", wildcards.dataset, wildcards.architecture)
