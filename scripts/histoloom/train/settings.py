"""What the `train` section of the config sets: one field, one flag, one key, one sentence of help."""

from dataclasses import dataclass

from histoloom.arguments import setting


@dataclass(frozen=True)
class TrainSettings:
    """All values that decide what training gives, in the units that their help states; augmentation has its own."""

    seed: int = setting("Seed of weights, order and augmentation.")
    epochs: int = setting("Passes over the training windows, at most.")
    patience: int = setting("Epochs without a better validation score after which training ends; 0: it goes on.")
    repeats: int = setting("Augmented versions of each window in an epoch.")
    sampling: str = setting("How often windows come up: even, stratum, or class (each as often as any other).")
    batch_size: int = setting("Tiles in a batch over all processes.")
    accumulate: int = setting("Parts in which each process computes its share of a batch, for less memory.")
    optimiser: str = setting("adam, adamw, sgd, or an import path.")
    optimiser_options: dict = setting("The optimiser's own options, key=value.")
    learning_rate: float = setting("Largest step size.")
    weight_decay: float = setting("The optimiser's penalty on large weights.")
    schedule: str = setting("Course of the learning rate: a file in histoloom/schedules.")
    schedule_options: dict = setting("The schedule's own options, key=value.")
    loss: str = setting("Weighted sum of losses, such as '2*bce + 2*dice + iou'.")
    class_weights: str = setting(
        "none, inverse_frequency, effective_number, or one number a class with spaces between."
    )
    label_smoothing: float = setting("Share of each pixel's truth that is spread over all classes.")
    auxiliary_weight: float = setting("Weight of each coarser output, relative to the next finer one.")
    clip_norm: float = setting("Largest norm of a step's gradient; 0: as it is.")
    on_divergence: str = setting("What a loss or gradient that is no number does: stop the training, or skip the step.")
    freeze_encoder_epochs: int = setting("Epochs in which the encoder stays as it is.")
    ema_decay: float = setting("Decay per step of the averaged weights that are kept; 0 keeps the last ones.")
    select_metric: str = setting("Metric on the validation part that chooses the best epoch.")
    select_class: str = setting("What it is taken of: foreground (all classes merged), or mean over classes.")
    standardise: str = setting("Input as it is (none), or by mean and spread of the fold's training images (fold).")
    precision: str = setting("auto, float32, bfloat16 or float16.")
    compile: bool = setting("Compile the network before training.")
    probe_tiles: int = setting("Validation tiles drawn at every epoch.")
    # Rounds of semi-ground truth set it (rounds.weight); all others train on what people drew.
    pseudo_weight: float = setting(
        "Weight in the loss of pixels that a model labelled, of people's it is 1; 0: the masks have none.", 0.0
    )
