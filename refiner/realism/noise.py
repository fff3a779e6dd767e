"""How far two sets are apart in each statistic of sensor noise.

Every statistic of `refiner.sensors.statistics` is a distribution over a set, and the distance of two sets is
1-Wasserstein's, in the statistic's own unit: how far the one distribution has to be moved to become the other.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from refiner.sensors.statistics import STATISTICS, log_inner_edges, log_spectrum

_MOST = 200_000


def noise_distances(a_mm: NDArray[np.float32], b_mm: NDArray[np.float32]) -> dict[str, float]:
    """Return the distance of two sets in each statistic.

    Of spectra and of edges it is the root mean square of the difference, in dB and in octaves.
    """
    distances = {
        name: float(wasserstein_distance(_thin(statistic(a_mm)), _thin(statistic(b_mm))))
        for name, (statistic, _) in STATISTICS.items()
    }
    for name, statistic in (("power_spectrum", log_spectrum), ("inner_edges", log_inner_edges)):
        distances[name] = float(np.sqrt(np.mean((statistic(a_mm) - statistic(b_mm)) ** 2)))
    return distances


def _thin(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    return samples[:: max(1, len(samples) // _MOST)]
