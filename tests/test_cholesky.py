"""Damped equations."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.cholesky import solve_damped


def solved(matrix, vector, width, absolute, relative):
    factor, out = np.full_like(matrix, np.nan), np.full(len(vector), np.nan)
    good = solve_damped(matrix, vector, width, absolute, relative, factor, out)
    return good, out


def test_two_unknowns_worked_out_by_hand():
    # (4 + 1 + 0.25 * 4) x + 2 y = -10, 2 x + (2 + 1 + 0.25 * 2) y = -5.5: 17 x = -24, 17 y = -13.
    matrix = np.array([[4.0, np.nan], [2.0, 2.0]])
    good, out = solved(matrix, np.array([10.0, 5.5]), 2, 1.0, 0.25)
    assert good
    np.testing.assert_allclose(out, [-24 / 17, -13 / 17], rtol=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(0, 10), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_it_is_what_numpy_says(seed, size, absolute, relative):
    rng = np.random.default_rng(seed)
    root, vector = rng.normal(size=(size, size + 2)), rng.normal(size=size + 1)
    matrix = np.zeros((size + 1, size + 1))
    matrix[:size, :size] = root @ root.T
    good, out = solved(matrix, vector, size, absolute, relative)
    damped = root @ root.T + absolute * np.eye(size) + relative * np.diag(np.diag(root @ root.T))
    assert good
    np.testing.assert_allclose(damped @ out[:size], -vector[:size], atol=1e-6)
    assert np.isnan(out[size])


def test_what_is_not_positive_definite_is_said():
    matrix = np.array([[1.0, 2.0], [2.0, 1.0]])
    assert not solved(matrix, np.ones(2), 2, 0.0, 0.0)[0]
    assert solved(matrix, np.ones(2), 2, 1.5, 0.0)[0]
    assert not solved(np.zeros((1, 1)), np.ones(1), 1, 0.0, 1.0)[0]
