"""What a user can cause ends in a message, what we caused in a traceback."""

import pytest

from histoloom.errors import InputError, run


def test_an_input_error_ends_the_script_with_its_message_alone():
    def main():
        raise InputError("a.png: is empty; expected an image; copy it again")

    with pytest.raises(SystemExit) as end:
        run(main)
    assert str(end.value) == "error: a.png: is empty; expected an image; copy it again"


def test_any_other_error_keeps_its_traceback():
    def main():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run(main)
