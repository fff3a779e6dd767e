"""Small tables of distances whose sums are exact."""

import numpy as np
from hypothesis import strategies as st

SIXTEENTH = 1 / 16


@st.composite
def matrices(draw, most):
    """Distances in sixteenths, so that many are equal and sums are exact; the spread is 1."""
    count = draw(st.integers(2, most))
    pairs = count * (count - 1) // 2
    above = np.zeros((count, count))
    above[np.triu_indices(count, 1)] = draw(st.lists(st.integers(0, 16), min_size=pairs, max_size=pairs))
    above[0, -1] = 16
    return ((above + above.T) * SIXTEENTH).astype(np.float32)


def line(*places):
    places = np.array(places, np.float32)
    return np.abs(places[:, None] - places)
