"""What a user can cause ends in a message and a status, what we caused in a traceback."""

import pytest

from histoloom.errors import HeldError, InputError, StoppedError, run


def ended(error):
    def main():
        raise error("a.png: is empty; expected an image; copy it again")

    with pytest.raises(SystemExit) as end:
        run(main)
    return end.value.code


def test_an_input_error_ends_the_script_with_its_message_alone():
    assert ended(InputError) == "error: a.png: is empty; expected an image; copy it again"


@pytest.mark.parametrize(("error", "word", "status"), [(HeldError, "error", 3), (StoppedError, "stopped", 75)])
def test_what_is_to_be_told_apart_by_others_has_a_status_of_its_own(error, word, status, capsys):
    assert ended(error) == status
    assert capsys.readouterr().err == f"{word}: a.png: is empty; expected an image; copy it again\n"


def test_any_other_error_keeps_its_traceback():
    def main():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run(main)


def test_lack_of_rights_is_told_with_the_place_and_the_cure():
    def main():
        raise PermissionError(13, "Permission denied", "images/a.png")

    with pytest.raises(SystemExit) as end:
        run(main)
    assert end.value.code.startswith(
        "error: images/a.png: no access (Permission denied); expected files that this user"
    )
