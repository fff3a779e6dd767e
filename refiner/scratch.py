"""Memory that a thread uses again for every map.

Blocks of some hundred kilobytes go back to the system when they are freed, and come back page by page: asking for them
anew with every map costs as much as a third of the work that is done in them.
"""

import threading

import numpy as np
from numpy.typing import NDArray

_buffers = threading.local()


def scratch(name: str, *shape: int) -> NDArray[np.float32]:
    """Lend this thread's buffer of a name, its content undefined, until the next call with this name in this thread."""
    wanted = 1
    for length in shape:
        wanted *= length
    buffer = getattr(_buffers, name, None)
    if buffer is None or buffer.size < wanted:
        buffer = np.empty(wanted, dtype=np.float32)
        setattr(_buffers, name, buffer)
    return buffer[:wanted].reshape(shape)
