"""The file of a model holds weights and card to the bit; whatever else is given is refused and not run."""

import hashlib
import itertools
import json
import os
import pickle
import random
import resource
import struct

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file
from torch import nn

from histoloom.errors import InputError
from histoloom.model_files import HEADER_LIMIT_BYTES, KEY, read_model_file, write_model_file
from histoloom.networks import load_model

CARD = {"network": "unet", "options": {"width": 2}, "classes": ["Tumor µ", "b\n"], "score": 1e-05}
TINY = {"weight": torch.tensor([1.5, -0.0]), "\x1f": torch.tensor(3)}  # a name that JSON escapes: "\u001f"


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def assert_same(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape), name
        as_bytes = [each.contiguous().reshape(-1).view(torch.uint8) for each in (found[name], value)]
        assert torch.equal(*as_bytes), name


def refusal(path) -> str:
    with pytest.raises(InputError) as caught:
        read_model_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def claiming(path, header: bytes, length: int | None = None, data: bytes = b"") -> None:
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)


def with_note(path, note: str, weights=None) -> None:
    save_file(TINY if weights is None else weights, path, {KEY: note})


def signed(card: str, weights: dict) -> bytes:
    """What anyone can write: a file whose digest fits, of weights and of any text as card."""
    payload = save(weights, {KEY: f'{{"sha256": "{"0" * 64}", "card": {card}}}'})
    return payload.replace(b"0" * 64, hashlib.sha256(payload).hexdigest().encode(), 1)


def odd_weights() -> dict[str, torch.Tensor]:
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    nan_of_its_own = torch.tensor([0x7FC12345, -0x00400001], dtype=torch.int32).view(torch.float32)
    return {
        "base": base, "same": base, "part": base[0], "turned": base.permute(2, 0, 1), "every other": base[..., ::2],
        "channels_last": torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        "expanded": torch.tensor([1.0]).expand(3, 4), "num_batches_tracked": torch.tensor(2**62 + 1),
        "empty": torch.zeros(0), "empty too": torch.zeros(3, 0, 2, dtype=torch.int16),
        "bool": torch.tensor([True, False, True]), "bytes": torch.arange(256, dtype=torch.uint8),
        "half": torch.tensor([65504.0, 6e-8]).half(), "brain": torch.tensor([3e38, 1e-40]).bfloat16(),
        "double": torch.tensor([0.1, -0.0, float("inf")], dtype=torch.float64), "nan": nan_of_its_own,
        "complex": torch.tensor([1 + 2j]).conj(), "parameter": nn.Parameter(torch.rand(2)),
        "eight bits": torch.tensor([1.0, -448.0]).to(torch.float8_e4m3fn), "two": torch.tensor([7]).to(torch.uint16),
    }  # fmt: skip


def test_weights_of_every_kind_come_back_bit_for_bit_and_the_library_reads_the_same(path):
    weights = odd_weights()
    write_model_file(path, weights, CARD)
    state, card = read_model_file(path)
    assert card == CARD
    expected = {name: value.detach().resolve_conj() for name, value in weights.items()}
    assert_same(state, expected)
    assert_same(load_file(path), expected)
    state["base"] += 1  # and each has memory of its own
    assert torch.equal(state["same"], weights["base"])


def test_the_card_is_json_under_one_key_beside_the_digest_of_all_other_bytes(path):
    write_model_file(path, TINY, CARD)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert list(metadata) == [KEY]
    note = json.loads(metadata[KEY])
    assert note["card"] == CARD
    blanked = path.read_bytes().replace(note["sha256"].encode(), b"0" * 64)
    assert hashlib.sha256(blanked).hexdigest() == note["sha256"]


def test_equal_models_have_equal_bytes_in_whatever_order_they_are_told(path):
    weights = odd_weights()
    write_model_file(path, weights, CARD)
    first = path.read_bytes()
    write_model_file(path, dict(reversed(weights.items())), dict(reversed(CARD.items())))
    assert path.read_bytes() == first


def test_a_text_of_the_card_is_not_taken_for_the_digest(path):
    card = {"a": "0" * 64, "sha256": "0" * 64}
    write_model_file(path, {"0" * 64: torch.ones(1)}, card)
    assert read_model_file(path)[1] == card


def test_every_flipped_bit_is_found(path):
    write_model_file(path, TINY, {"a": "µ", "b": 1e-05})
    whole = path.read_bytes()
    assert b"\\u001f" in whole and b"\\\\u00b5" in whole and b"1e-05" in whole  # where a capital would read the same
    with path.open("r+b", buffering=0) as file:
        for place, bit in itertools.product(range(len(whole)), range(8)):
            os.pwrite(file.fileno(), bytes([whole[place] ^ 1 << bit]), place)
            with pytest.raises(InputError):
                read_model_file(path)
            os.pwrite(file.fileno(), whole[place : place + 1], place)
    assert path.read_bytes() == whole


def test_every_truncation_and_what_is_added_is_found(path):
    write_model_file(path, TINY, CARD)
    whole = path.read_bytes()
    for kept in range(len(whole)):
        path.write_bytes(whole[:kept])
        assert "damaged or foreign" in refusal(path)
    for added in (b"\0", b" ", whole):
        path.write_bytes(whole + added)
        assert "damaged or foreign" in refusal(path)


def test_damage_of_a_larger_file_is_refused_with_its_cure(path):
    write_model_file(path, {f"layer{number}.weight": torch.rand(50, 50) for number in range(40)}, CARD)
    whole, chance = path.read_bytes(), random.Random(0)
    for _ in range(100):
        damaged = bytearray(whole)
        place = chance.randrange(len(whole))
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        assert refusal(path).endswith(("train or copy it again", "give a model.safetensors that training wrote"))
    path.write_bytes(damaged[: len(whole) // 2])
    assert "train or copy it again" in refusal(path)


def test_claims_of_a_header_are_refused_without_the_memory_they_ask_for(path):
    def entry(shape, end):
        return json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}).encode()

    many = b"[" * (HEADER_LIMIT_BYTES - 100)
    claims = [
        (b"{}", 2**63, b""), (b"{}", 2**64 - 1, b""), (b"{}", 3, b""), (b"{" * 50, 10**9, b""),
        (entry([10**9], 4 * 10**9), None, b""), (entry([10**9], 4), None, b"1234"), (entry([2**62, 4], 0), None, b""),
        (entry([1], 4), None, b""), (entry([-1], 4), None, b"1234"), (entry([1], 4), None, b"12345678"),
        (b'{"' + b"a" * 10**7 + b'": 1}', None, b""),  # longer than any header may be
        (b'{"__metadata__":{"histoloom":' + many, None, b""), (b'{"w":' + many, None, b""), (many, None, b""),
    ]  # fmt: skip
    for header, length, data in claims:
        claiming(path, header, length, data)
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_AS, (_address_space() + (64 << 20),) * 2)
            status = 1
            try:
                read_model_file(path)
            except InputError as error:
                status = "damaged or foreign" not in str(error) or "MemoryError" in str(error)
            finally:
                os._exit(int(status))
        assert os.waitpid(child, 0)[1] == 0, (header[:100], length)


def _address_space() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[0]) * resource.getpagesize()


def test_a_file_far_longer_than_its_header_says_is_not_read(path):
    write_model_file(path, TINY, CARD)
    os.truncate(path, 1 << 40)  # sparse
    said = refusal(path)
    assert "damaged or foreign" in said
    assert "MemoryError" not in said


class Trap:
    def __init__(self, marker) -> None:
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5, "torch", "old torch"])
def test_a_pickle_under_the_name_of_a_model_is_refused_and_not_run(path, tmp_path, protocol):
    trap = {"state": Trap(tmp_path / "run"), "card": CARD}
    if isinstance(protocol, int):
        path.write_bytes(pickle.dumps(trap, protocol))
    else:
        torch.save(trap, path, _use_new_zipfile_serialization=protocol == "torch")
    said = refusal(path)
    if protocol not in (0, 1):  # those begin like any text
        assert "a PyTorch or pickle file, which can run code, so it was not opened; expected a .safetensors" in said
    assert not (tmp_path / "run").exists()
    with pytest.raises(FileExistsError):  # the trap does work
        pickle.loads(pickle.dumps(Trap(tmp_path)))


def test_a_header_that_begins_like_a_pickle_is_none(path):
    header = json.dumps({"__metadata__": {"a": "b"}}).encode().ljust(0x280)  # its length is written 80 02 00 ...
    claiming(path, header)
    assert path.read_bytes()[:2] == pickle.dumps(None, 2)[:2]
    assert "weights without a card" in refusal(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_weights_of_others_are_refused_as_no_model(path, metadata):
    save_file(TINY, path, metadata)
    assert "weights without a card, so no model of histoloom; expected network, options and classes" in refusal(path)


@pytest.mark.parametrize(
    "note", ["", "card", "[]", "{}", '{"sha256": 3}', '{"sha256": ""}', '{"sha256": "0", "card": {}}', "[" * 10**5]
)
def test_a_note_that_is_none_of_ours_is_refused(path, note):
    with_note(path, note)
    assert "damaged or foreign" in refusal(path)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("[" * 10**5 + "]" * 10**5, "damaged or foreign"),
        ("1" * 5000, "damaged or foreign"),
        ("[1, 2]", "no model of histoloom; expected weights with a card of network, options and classes"),
        ('{"network": "unet"}', "no model of histoloom"),
        ('{"network": "../../evil", "options": {}, "classes": ["a"]}', "unknown architectures '../../evil'"),
        ('{"network": "unet", "options": {"width": "wide"}, "classes": ["a"]}', "cannot be built with options"),
        ('{"network": "unet", "options": {}, "classes": ["a"], "colours": {"mean": "a", "sd": 1}}', "no model of"),
        ('{"network": "unet", "options": {}, "classes": ["a"], "tile_px": "1"}', "no model of histoloom"),
        (
            '{"network": "any_network", "classes": ["a"], '
            '"options": {"path": "os.mkdir", "arguments": ["path=MARKER"], "outputs_name": "mode"}}',
            "expected a subclass of torch.nn.Module",
        ),
    ],
)
def test_a_card_made_to_harm_is_refused_though_its_digest_fits(path, tmp_path, card, said):
    path.write_bytes(signed(card.replace("MARKER", str(tmp_path / "run")), TINY))
    with pytest.raises(InputError, match=said) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (torch.ones(2).to_sparse(), "torch.sparse_coo torch.float32"),
        (torch.ones(2, dtype=torch.complex128), "torch.strided torch.complex128"),
        ({"a": 1}, "dict"),
    ],
)
def test_what_the_format_cannot_hold_is_named_and_nothing_is_written(path, value, found):
    with pytest.raises(InputError, match=f"the network's state 'layer.b' is {found}; expected a dense tensor"):
        write_model_file(path, {"layer.a": torch.ones(1), "layer.b": value}, CARD)
    assert not path.parent.exists() or list(path.parent.iterdir()) == []


def test_more_names_than_a_header_may_hold_are_refused_when_written_not_when_read(path):
    with pytest.raises(InputError, match=r"card and names of 1 weights take .* expected at most"):
        write_model_file(path, {"a" * HEADER_LIMIT_BYTES: torch.ones(1)}, CARD)
    assert list(path.parent.iterdir()) == []


def test_a_full_disk_is_told_and_the_model_before_it_stays(path):
    write_model_file(path, TINY, CARD)
    before = path.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1]))
    try:
        with pytest.raises(InputError, match="no space left"):
            write_model_file(path, {"a": torch.ones(10_000)}, CARD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
