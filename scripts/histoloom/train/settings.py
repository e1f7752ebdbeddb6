"""What the `train` section of the config sets: one field, one flag, one key, one sentence of help."""

import argparse
from dataclasses import dataclass, field, fields

from histoloom.arguments import boolean


def setting(sentence: str):
    """A field whose help is `sentence`; the value comes from the config, so there is no default here."""
    return field(metadata={"help": sentence})


@dataclass(frozen=True)
class TrainSettings:
    """All values that decide what training gives, in the units that their help states."""

    seed: int = setting("Seed of weights, order and augmentation.")
    epochs: int = setting("Passes over the training windows.")
    repeats: int = setting("Augmented versions of each window in an epoch.")
    batch_size: int = setting("Tiles in a batch over all processes.")
    learning_rate: float = setting("Adam's step size at the start.")
    weight_decay: float = setting("Adam's L2 penalty.")
    schedule: str = setting("Course of the learning rate: constant, or cosine down to zero.")
    loss: str = setting("Weighted sum of losses, such as '2*bce + 2*dice + iou'.")
    ema_decay: float = setting("Decay per step of the averaged weights that are kept; 0 keeps the last ones.")
    select_metric: str = setting("Metric on the validation part that chooses the best epoch.")
    select_class: str = setting("What it is taken of: foreground (all classes merged), or mean over classes.")
    standardise: str = setting("Input as it is (none), or by mean and spread of the fold's training images (fold).")
    precision: str = setting("auto, float32, bfloat16 or float16.")
    probe_tiles: int = setting("Validation tiles drawn at every epoch.")
    flip: bool = setting("Mirror tiles at random.")
    right_angle: bool = setting("Turn tiles by random multiples of 90 degrees.")
    rotation_deg: float = setting("Largest random rotation in degrees, both ways.")
    scale: float = setting("Random scaling between 1/(1+x) and 1+x.")
    shear_deg: float = setting("Largest random shear in degrees, both ways.")
    shift_px: float = setting("Largest random shift in pixels, both ways.")
    elastic_px: float = setting("Standard deviation of the elastic displacement in pixels.")
    elastic_grid_px: int = setting("Distance in pixels between the nodes of the elastic displacement.")
    brightness: float = setting("Random brightness factor between 1-x and 1+x.")
    contrast: float = setting("Random contrast factor between 1-x and 1+x.")
    saturation: float = setting("Random saturation factor between 1-x and 1+x.")
    hue_deg: float = setting("Largest random hue rotation in degrees, both ways.")

    @classmethod
    def add_flags(cls, parser: argparse.ArgumentParser) -> None:
        """Give `parser` one required flag a field."""
        for each in fields(cls):
            kind = boolean if each.type is bool else each.type
            flag = "--" + each.name.replace("_", "-")
            parser.add_argument(flag, type=kind, required=True, help=each.metadata["help"])

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> "TrainSettings":
        """The settings among parsed arguments."""
        return cls(**{each.name: getattr(arguments, each.name) for each in fields(cls)})
