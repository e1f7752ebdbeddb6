"""What is installed is what was locked: every package by version and digest, and nothing from elsewhere."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
LOCK = (REPOSITORY / "envs" / "lock.txt").read_text(encoding="utf-8")
PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(\[[a-z0-9,_-]+\])?==([0-9][A-Za-z0-9.!+]*)( ; [^\\]+?)?")
DIGEST = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def requirements(text):
    """Each requirement with its digests, on one line; comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [re.sub(r"\s+", " ", one) for one in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines()]


def unsound(text):
    """Requirements that state no version or no digest, or another place than the index."""
    found = []
    for line in requirements(text):
        pin, *digests = line.strip().split(" --hash=")
        is_sound = PIN.fullmatch(pin.strip()) and digests
        if not (is_sound and all(DIGEST.fullmatch(f"--hash={one.strip()}") for one in digests)):
            found.append(line)
    return found


def test_each_package_is_locked_by_version_and_digest():
    assert len(requirements(LOCK)) > 100
    assert unsound(LOCK) == []


def test_no_package_comes_from_an_address_a_folder_or_another_index():
    assert re.findall(r"^\s*(?:-[a-z]|--(?!hash)|.*(?:://|@ |\.whl)).*$", re.sub("#.*", "", LOCK), re.MULTILINE) == []


def test_what_is_not_locked_is_found():
    sound = f"a==1.0 ; python_version < '3.12' \\\n    --hash=sha256:{'0' * 64}\n    # via b\n"
    assert unsound(sound) == []
    for line in ("a>=1.0 \\\n", "a \\\n", "a @ https://example.org/a.whl \\\n", "git+https://example.org/a \\\n"):
        assert unsound(line + sound.partition("\n")[2])
    assert unsound("a==1.0\n") and unsound(sound.replace("sha256", "md5"))


def test_each_direct_dependency_is_in_the_lock():
    wanted = (REPOSITORY / "envs" / "requirements.in").read_text(encoding="utf-8").splitlines()
    names = {re.match(r"[A-Za-z0-9._-]+", line)[0].lower() for line in wanted if re.match(r"[A-Za-z0-9]", line)}
    locked = {PIN.match(line)[1].lower() for line in requirements(LOCK)}
    assert names and names <= locked


def test_what_installs_checks_the_digests():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in makefile.splitlines() if "pip install" in line and "$(LOCK)" in line]
    assert installs and all("--require-hashes" in line for line in installs)
