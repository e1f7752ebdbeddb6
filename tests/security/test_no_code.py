"""Data is never run: no pickle, no tag of YAML, no shell, and no call in the code that would allow one."""

import ast
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from histoloom.arguments import pair
from histoloom.errors import InputError
from histoloom.evaluate.counting.stored_counts import read_counts
from histoloom.formats.arrays import open_array, read_texts
from histoloom.model_files import read_model_file
from histoloom.pretrained import load_encoder
from histoloom.study.checks.complaint import complaint

REPOSITORY = Path(__file__).parents[2]
CODE = [REPOSITORY / "Snakefile", *sorted((REPOSITORY / "scripts").rglob("*.py"))]
NEVER = {
    "eval", "exec", "compile", "os.system", "os.popen", "pickle.load", "pickle.loads", "joblib.load", "pd.read_pickle",
    "yaml.unsafe_load", "yaml.full_load", "marshal.loads", "shelve.open", "tempfile.mktemp",
}  # fmt: skip
# Modules chosen by name: what a config may choose is code by its nature, and SECURITY.md says so.
IMPORTERS = {"plugins.py", "any_network.py", "optimisers.py", "direction.py"}


class Evil:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def files_with(folder):
    """The file that must not come into being, and by suffix files that would make it if their pickle were loaded."""
    evil = Evil(folder / "made")
    np.save(folder / "a.npy", np.array([evil], object), allow_pickle=True)
    np.savez(folder / "a.npz", confusion=np.array([evil], object))
    torch.save({"weight": evil}, folder / "a.pt")
    (folder / "a.safetensors").write_bytes(pickle.dumps({"weight": evil}))
    return folder / "made"


READERS = {
    "an array": lambda folder: open_array(folder / "a.npy"),
    "names in an array": lambda folder: read_texts(folder / "a.npy"),
    "stored counts": lambda folder: read_counts([folder / "a.npz"], 2),
    "a model": lambda folder: read_model_file(folder / "a.pt"),
    "a model that is a pickle": lambda folder: read_model_file(folder / "a.safetensors"),
    "weights of an encoder": lambda folder: load_encoder(
        torch.nn.Linear(1, 1), str(folder / "a.safetensors"), "unet", dict, "nowhere"
    ),
}


@pytest.mark.parametrize("kind", READERS)
def test_a_pickle_is_refused_unread(kind, tmp_path):
    evil = files_with(tmp_path)
    with pytest.raises(InputError):
        READERS[kind](tmp_path)
    assert not evil.exists()


def test_the_pickle_would_do_harm_if_it_were_read(tmp_path):
    evil = files_with(tmp_path)
    np.load(tmp_path / "a.npy", allow_pickle=True)
    assert evil.is_dir()


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir [made]", "!!python/name:os.system ''"])
def test_a_tag_in_a_config_makes_no_object(tag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = (REPOSITORY / "config" / "config.yaml").resolve()
    Path("study.yaml").write_text(f"study:\n  name: {tag}\n")
    assert "could not determine a constructor" in complaint([base, "study.yaml"], {})
    assert not Path("made").exists()
    with pytest.raises(yaml.constructor.ConstructorError):
        yaml.safe_load(Path("study.yaml").read_text())


def test_an_option_is_a_literal_and_never_an_expression(tmp_path):
    words = f"width=__import__('os').mkdir('{tmp_path}/made')"
    key, value = pair(words)
    assert (key, value) == tuple(words.split("=", 1))
    assert not (tmp_path / "made").exists()


def calls(files):
    for path in files:
        text = path.read_text(encoding="utf-8")
        # Of the Snakefile, whose rules are no Python, the lines up to its first directive.
        tree = ast.parse(text if path.suffix == ".py" else text.partition("\nconfigfile:")[0])
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield path, ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}, node


def dangers(files):
    """Where the code of `files` calls what could run data."""
    for path, name, words, node in calls(files):
        forbidden = name in NEVER or name.endswith(".extractall") or words.get("shell") == "True"
        forbidden |= words.get("allow_pickle") == "True"
        forbidden |= name == "torch.load" and words.get("weights_only") != "True"
        forbidden |= name.endswith("load_state_dict_from_url") and words.get("weights_only") != "True"
        forbidden |= name == "yaml.load" and ast.unparse(node.args[1]) != "TextKeyLoader"
        forbidden |= name.endswith("import_module") and path.name not in IMPORTERS
        if forbidden:
            yield f"{path.name}:{node.lineno} {name}"


def test_no_code_calls_what_runs_data():
    assert list(dangers(CODE)) == []


def test_the_search_for_such_calls_finds_them(tmp_path):
    (tmp_path / "bad.py").write_text("import torch\ntorch.load('a')\nsubprocess.run('ls', shell=True)\neval('1')\n")
    assert list(dangers([tmp_path / "bad.py"])) == ["bad.py:2 torch.load", "bad.py:3 subprocess.run", "bad.py:4 eval"]
