"""`torch.jit`: functions and modules recorded as graphs (`trace`) or checked as source (`script`), and files of them.

A traced function calls the operators that were recorded; a scripted one runs as Python, after its source was found to lie in the
subset that TorchScript has. docs/jit.md describes the files.
"""

from typing import Final as Final

from ..core.on_demand import names_on_demand

__all__ = [
    "Attribute", "CompilationUnit", "Error", "Future", "ScriptFunction", "ScriptModule", "annotate", "enable_onednn_fusion", "export",
    "export_opnames", "fork", "freeze", "interface", "ignore", "isinstance", "load", "onednn_fusion_enabled", "optimize_for_inference",
    "save", "script", "script_if_tracing", "set_fusion_strategy", "strict_fusion", "trace", "trace_module", "unused", "wait",
]  # fmt: skip

__getattr__ = names_on_demand(
    __name__,
    {
        "_trace": "trace trace_module is_tracing TracerWarning TracingCheckError",
        "_modules": "ScriptModule ScriptFunction RecursiveScriptModule TracedModule TopLevelTracedModule",
        "_script": "script script_method script_if_tracing is_scripting CompilationUnit interface ScriptWarning",
        "_marks": "Attribute annotate isinstance ignore unused export export_opnames fork wait Future Error freeze optimize_for_inference "
        "run_frozen_optimizations enable_onednn_fusion onednn_fusion_enabled set_fusion_strategy strict_fusion optimized_execution fuser "
        "last_executed_optimized_graph",
        "_archive": "save load",
        "frontend": "",
        "annotations": "",
    },
)
