"""Lightning, importable beside any build of torch: it imports torchvision, whose operators come first.

from refiner.frameworks import lightning as L
from refiner.frameworks import torchvision
"""

from refiner.operators import torchvision

# isort: split
import lightning
import lightning.fabric.utilities.exceptions
import lightning.pytorch
import lightning.pytorch.callbacks
import lightning.pytorch.cli
import lightning.pytorch.loggers
import lightning.pytorch.plugins

__all__ = ["lightning", "torchvision"]
