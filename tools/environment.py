"""Makes a virtual environment with flambeau (editable) and what `pyproject.toml` says it needs.

    python tools/environment.py build/venv --extra test --extra dev
    python tools/environment.py build/venv-torch --extra test --requirement torch==2.13.0

An environment that was made from the same requirements by the same Python is kept. The exit status is 3 if something
cannot be installed.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--extra", action="append", default=[])
    parser.add_argument("--requirement", action="append", default=[])
    given = parser.parse_args()

    project = f"{ROOT}[{','.join(given.extra)}]" if given.extra else str(ROOT)
    stamp, wanted = given.folder / "requirements.sha256", fingerprint(given.extra, given.requirement)
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    shutil.rmtree(given.folder, ignore_errors=True)
    venv.create(given.folder, with_pip=True)
    python = given.folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *given.requirement, "--editable", project]
    if subprocess.run(command, stdin=subprocess.DEVNULL).returncode != 0:
        return 3
    stamp.write_text(wanted)
    return 0


def fingerprint(extras: list[str], requirements: list[str]) -> str:
    """A hash of all that decides what the environment contains."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = metadata["project"]
    parts = [sys.version, sys.base_prefix, str(ROOT), metadata["build-system"], project["dependencies"], project["optional-dependencies"]]
    parts += [project.get("scripts"), extras, requirements]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
