"""How far a training has come, as a schedule of the learning rate sees it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Course:
    """The coming step and what was before it: all that a schedule may hang on, so that a resume needs no state.

    step counts from 0 over the whole training; scores are the validation scores of the finished epochs, in order,
    NaN where undefined.
    """

    step: int
    steps_per_epoch: int
    epochs: int
    scores: tuple[float, ...] = ()

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.epochs * self.steps_per_epoch
