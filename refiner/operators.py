"""torchvision, importable beside any build of torch.

The registry's torchvision wheel for Linux is built for CUDA. Beside a CPU-only torch its C++ operators do not load,
and `import torchvision`, hence `import lightning` through torchmetrics, fails with "operator torchvision::nms does
not exist". Declaring the schemas of the two operators that torchvision refers to while it is imported makes all its
Python parts work. Import it from here:

    from refiner.operators import torchvision
"""

import importlib.machinery
import importlib.util

import torch

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def _load_torchvision_operators() -> None:
    """Load torchvision's own operators where they fit this build of torch."""
    package = importlib.util.find_spec("torchvision")
    folders = list(package.submodule_search_locations or []) if package else []
    library = importlib.machinery.PathFinder.find_spec("_C", folders)
    if library is not None and library.origin is not None:
        try:
            torch.ops.load_library(library.origin)
        except OSError:  # built against another torch: the case this module exists for
            return


_load_torchvision_operators()
for _name, _schema in _SCHEMAS.items():
    if not hasattr(torch.ops.torchvision, _name):
        torch.library.define(f"torchvision::{_name}", _schema)

import torchvision  # noqa: E402
import torchvision.models  # noqa: E402
import torchvision.utils  # noqa: E402

__all__ = ["torchvision"]
