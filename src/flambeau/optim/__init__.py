"""Optimizers and learning-rate schedules; a file is imported when one of its names is first asked for."""

from ..core.on_demand import names_on_demand

FILES = {
    "_adafactor": "Adafactor",
    "_muon": "Muon",
    "adadelta": "Adadelta",
    "adagrad": "Adagrad",
    "adam": "Adam",
    "adamax": "Adamax",
    "adamw": "AdamW",
    "asgd": "ASGD",
    "lbfgs": "LBFGS",
    "lr_scheduler": "",
    "nadam": "NAdam",
    "optimizer": "Optimizer",
    "radam": "RAdam",
    "rmsprop": "RMSprop",
    "rprop": "Rprop",
    "sgd": "SGD",
    "sparse_adam": "SparseAdam",
    "swa_utils": "",
}
"""Which classes each file holds."""

__all__ = ["lr_scheduler", "swa_utils"]
__all__ += [name for names in FILES.values() for name in names.split()]
__getattr__ = names_on_demand(__name__, FILES)
