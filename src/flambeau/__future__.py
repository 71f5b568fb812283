"""Switches of how modules convert their parameters."""

from .nn.modules import _conversion


def set_overwrite_module_params_on_conversion(value: bool) -> None:
    """If True, `Module.to` and its like put new Parameters in the place of the present ones instead of changing their data."""
    _conversion.overwrite = value


def get_overwrite_module_params_on_conversion() -> bool:
    """Whether conversions of a module make new Parameters; False by default."""
    return _conversion.overwrite


def set_swap_module_params_on_conversion(value: bool) -> None:
    """Accepts False. Raises NotImplementedError for True: parameters are not swapped on conversion."""
    if value:
        raise NotImplementedError("torch.__future__.set_swap_module_params_on_conversion(True) is not available in flambeau")


def get_swap_module_params_on_conversion() -> bool:
    """Whether conversions of a module swap its parameters with the converted ones; never here."""
    return False
