import pytest
from hand_poses import POSES

from refiner.hand.model import load_hand


@pytest.fixture(scope="session")
def model():
    return load_hand()


@pytest.fixture(scope="session")
def poses():
    return POSES
