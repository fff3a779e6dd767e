import threading

import numpy as np

from refiner.scratch import scratch


def test_buffers_are_lent_by_name_and_grow():
    one = scratch("one", 2, 3)
    assert one.shape == (2, 3)
    assert one.dtype == np.float32
    one[:] = 1
    two = scratch("two", 2, 3)
    two[:] = 2
    assert (one == 1).all()
    assert np.shares_memory(one, scratch("one", 1, 4))
    assert scratch("one", 100, 100).shape == (100, 100)


def test_each_thread_has_its_own():
    mine, theirs = scratch("one", 2, 3), []
    mine[:] = 1
    thread = threading.Thread(target=lambda: theirs.append(scratch("one", 2, 3)))
    thread.start()
    thread.join()
    theirs[0][:] = 2
    assert (mine == 1).all()
