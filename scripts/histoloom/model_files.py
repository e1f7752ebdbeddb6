"""The file of a model: a .safetensors file of its weights, with its card and a checksum as metadata.

Nothing in such a file can be executed. The format itself has no checksum, so a flipped bit would be a weight like any
other. Hence the metadata has one key, whose value is JSON of two things: `card`, and `sha256`, the digest of all bytes
of the file with 64 zeros in the digest's own place.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import safe_open

from histoloom.errors import InputError
from histoloom.files import atomic_file

KEY = "histoloom"  # one only: the library writes several in random order
BLANK = "0" * 64
LENGTH_BYTES = 8  # a safetensors file begins with the length of its header, little endian
HEADER_LIMIT_BYTES = 2 << 20  # room for 15,000 weights; JSON of that size takes at most 50 MB to read
ZIP, PICKLE = b"PK", b"\x80"  # what torch.save writes begins with the first, a pickle with the second
STORED = {
    *(torch.bool, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16, torch.int32),
    *(torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64),
    *(torch.float8_e4m3fn, torch.float8_e5m2),
}


def write_model_file(path: Path, state: Mapping[str, torch.Tensor], card: Mapping[str, Any]) -> None:
    """Write weights and a card of plain JSON, atomically; equal weights and cards give equal bytes.

    Weights that share memory, are views or lie on a GPU are written out, each for itself.
    Raises InputError for what the format cannot hold, TypeError for a card that is no JSON.
    """
    card = json.loads(json.dumps(card, sort_keys=True))
    note = json.dumps({"sha256": BLANK, "card": card})  # the digest first, where no text of the card is taken for it
    payload = safetensors.torch.save({name: _dense(path, name, value) for name, value in state.items()}, {KEY: note})
    header = _header_bytes(payload)
    if header > HEADER_LIMIT_BYTES:
        raise InputError(
            f"{path}: card and names of {len(state)} weights take {header} bytes; expected at most "
            f"{HEADER_LIMIT_BYTES}; take a network of fewer parts"
        )
    place = payload.index(BLANK.encode())
    view = memoryview(payload)
    # Not by the library's save_file, whose error on a full disk hides the reason.
    with atomic_file(path) as part, part.open("wb") as file:
        file.write(view[:place])
        file.write(_digest(view, place).encode())
        file.write(view[place + len(BLANK) :])


def read_model_file(path: Path) -> tuple[dict[str, torch.Tensor], Any]:
    """The weights and the card of a file that `write_model_file` wrote, byte for byte.

    Nothing is computed from the file's claims before they are found to fit its size, and nothing in it is executed.
    Raises InputError for a file that is damaged, foreign, or could run code, such as a .pt file.
    """
    try:
        note, payload = _opened(path)
        place = payload.index(note["sha256"].encode(), 0, LENGTH_BYTES + _header_bytes(payload))
        if _digest(memoryview(payload), place) != note["sha256"]:
            raise _unreadable(path, "its SHA-256 is not the one that is written in it")
        return safetensors.torch.load(payload), note["card"]
    except InputError:
        raise
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); expected a model that training wrote; check the disk and the "
            "rights to the file"
        ) from error
    except Exception as error:  # a file that was made to harm raises a dozen kinds
        raise _unreadable(path, f"{type(error).__name__}: {str(error)!a:.100}") from error


def _opened(path: Path) -> tuple[dict[str, Any], bytes]:
    """What the metadata says and all bytes, which are read only when the header's claims fit the file's size."""
    _check_claims(path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    if KEY not in metadata:
        raise InputError(
            f"{path}: weights without a card, so no model of histoloom; expected network, options and classes beside "
            "them; give a model.safetensors that training wrote"
        )
    return json.loads(metadata[KEY]), path.read_bytes()


def _check_claims(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(LENGTH_BYTES + 1)
    header, there = _header_bytes(head), path.stat().st_size - LENGTH_BYTES
    if head[LENGTH_BYTES:] != b"{" and head.startswith((ZIP, PICKLE)):
        raise InputError(
            f"{path}: a PyTorch or pickle file, which can run code, so it was not opened; expected a .safetensors file "
            "that training wrote; train again, which writes one"
        )
    if header > min(there, HEADER_LIMIT_BYTES):
        limit = f"at most {HEADER_LIMIT_BYTES} bytes in a file" if header <= there else "a whole .safetensors file"
        raise _unreadable(path, f"its first bytes claim a header of {header} bytes, {max(there, 0)} follow", limit)


def _unreadable(path: Path, found: str, expected: str = "a whole .safetensors file") -> InputError:
    return InputError(
        f"{path}: cannot be read as a model, it is damaged or foreign ({found}); expected {expected} that training "
        "wrote; train or copy it again"
    )


def _dense(path: Path, name: str, value: Any) -> torch.Tensor:
    """A copy on the CPU whose numbers lie one after the other, in memory of its own."""
    is_dense = isinstance(value, torch.Tensor) and value.layout == torch.strided
    if not is_dense or value.dtype not in STORED:
        found = f"{value.layout} {value.dtype}" if isinstance(value, torch.Tensor) else type(value).__name__
        raise InputError(
            f"{path}: the network's state '{name}' is {found}; expected a dense tensor of a type that safetensors "
            "stores; register it as a buffer of one, or as not persistent"
        )
    return torch.empty(value.shape, dtype=value.dtype).copy_(value.detach())


def _header_bytes(head: bytes) -> int:
    return int.from_bytes(head[:LENGTH_BYTES], "little")


def _digest(payload: memoryview, place: int) -> str:
    digest = hashlib.sha256(payload[:place])
    digest.update(BLANK.encode())
    digest.update(payload[place + len(BLANK) :])
    return digest.hexdigest()
