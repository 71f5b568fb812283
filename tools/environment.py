"""Makes a virtual environment with flambeau (editable) and what `pyproject.toml` says it needs.

    python tools/environment.py build/venv --extra test --extra dev
    python tools/environment.py build/venv-torch --extra test --requirement torch==2.13.0

    python tools/environment.py build/venv --extra test --extra dev --add docs

An environment that was made from the same requirements by the same Python is kept. `--add` installs an extra into it
afterwards, so that the environment stands without it, too. The exit status is 3 if something cannot be installed.
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
    parser.add_argument("--add", action="append", default=[], metavar="EXTRA")
    given = parser.parse_args()

    project = f"{ROOT}[{','.join(given.extra)}]" if given.extra else str(ROOT)
    stamp, wanted = given.folder / "requirements.sha256", fingerprint(given.extra, given.requirement)
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(given.folder, ignore_errors=True)
        venv.create(given.folder, with_pip=True)
        if not install(given.folder, *given.requirement, "--editable", project):
            return 3
        stamp.write_text(wanted)
    for extra in given.add:
        added = given.folder / f"{extra}.added"
        if not added.exists():
            requirements = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][extra]
            if not install(given.folder, *requirements):
                return 3
            added.touch()
    return 0


def install(folder: Path, *what: str) -> bool:
    """Whether pip could install all of it there."""
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    return subprocess.run(command, stdin=subprocess.DEVNULL).returncode == 0


def fingerprint(extras: list[str], requirements: list[str]) -> str:
    """A hash of all that decides what the environment contains."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = metadata["project"]
    parts = [sys.version, sys.base_prefix, str(ROOT), metadata["build-system"], project["dependencies"], project["optional-dependencies"]]
    parts += [project.get("scripts"), extras, requirements]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
