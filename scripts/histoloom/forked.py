"""Files that forked children close at once: else the workers of a killed process would keep its locks for a while."""

import os

held: set[int] = set()  # descriptors that this process has locked


def _close_inherited() -> None:
    for descriptor in held:
        os.close(descriptor)
    held.clear()


os.register_at_fork(after_in_child=_close_inherited)
