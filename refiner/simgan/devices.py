"""How many devices train together."""

from torch import distributed as dist


def device_count() -> int:
    """Return the number of devices that train together, 1 where a process trains alone."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
