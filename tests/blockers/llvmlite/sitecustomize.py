"""With this folder in PYTHONPATH, llvmlite is not there: for a process and all that it starts."""

import sys


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "llvmlite":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Blocker())
