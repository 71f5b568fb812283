"""`torch.utils.model_zoo`: files of weights from an address, by an older name."""

from ..hub import load_state_dict_from_url as load_url

__all__ = ["load_url"]
