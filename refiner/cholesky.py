"""The step of a damped least-squares problem of a few dozen unknowns, for which a call of LAPACK takes too long."""

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def solve_damped(matrix, vector, width, absolute, relative, factor, out):
    """Solve (matrix + absolute 1 + relative diagonal) out = -vector by Cholesky.

    Args:
        matrix: (P, P) symmetric, of which the lower triangle is read.
        vector: (P,).
        width: The first so many unknowns are solved for.
        absolute: Damping, in units of the matrix.
        relative: Damping, as a share of its diagonal.
        factor: (P, P) room to work in.
        out: (P,) written.

    Returns:
        Whether it is positive definite; otherwise `out` means nothing.
    """
    for i in range(width):
        for j in range(i + 1):
            value = matrix[i, j]
            if i == j:
                value += absolute + relative * matrix[i, i]
            for k in range(j):
                value -= factor[i, k] * factor[j, k]
            if i != j:
                factor[i, j] = value / factor[j, j]
            elif value <= 1e-12:
                return False
            else:
                factor[i, i] = np.sqrt(value)
    for i in range(width):
        value = -vector[i]
        for k in range(i):
            value -= factor[i, k] * out[k]
        out[i] = value / factor[i, i]
    for i in range(width - 1, -1, -1):
        value = out[i]
        for k in range(i + 1, width):
            value -= factor[k, i] * out[k]
        out[i] = value / factor[i, i]
    return True
