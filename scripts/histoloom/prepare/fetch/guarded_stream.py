"""The stream of a tar that does not give so much at once as only a header made for harm has.

A tar keeps long names and other facts of a member in blocks of any stated length, which Python's tarfile reads whole:
of a packed megabyte it would make gigabytes in memory, before any member is seen.
"""

import gzip
import io
from pathlib import Path

from histoloom.errors import InputError

HEADER_BYTES = 2**24  # the longest header of a sound archive has some 10 kB; contents are read in blocks of 1 MiB


class GuardedStream:
    """What tarfile needs of a file: its position, and blocks of up to HEADER_BYTES; InputError for larger ones."""

    def __init__(self, archive: Path, file: io.BufferedReader | gzip.GzipFile) -> None:
        self.archive, self.file = archive, file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes."""
        if not 0 <= size <= HEADER_BYTES:
            raise InputError(
                f"{self.archive}: a name or header of {size} bytes; expected at most {HEADER_BYTES}; do not trust it"
            )
        return self.file.read(size)
