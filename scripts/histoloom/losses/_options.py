"""What the options of losses have in common."""

from histoloom.errors import InputError

Number = float | int  # options come from text, in which 3 and 3.0 are the same


def refuse_negative(loss: str, **options: object) -> None:
    """Raise InputError for an option of `loss` that is no number, or below 0."""
    for name, value in options.items():
        if isinstance(value, bool) or not isinstance(value, Number) or not 0 <= value < float("inf"):
            raise InputError(f"{loss}: option {name}={value!r}; expected a number, 0 or more; change train.loss")
