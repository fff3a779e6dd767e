import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refiner.hand.derivatives import MOVES, columns_of, joint_jacobian, place_joints, pose_angles, pose_angles_batch
from refiner.hand.kinematics import shape_points
from refiner.hand.limits import HandPrior, sample_hands
from refiner.hand.model import pose_joints

ACTIVE = np.arange(17)


def test_joints_are_the_models(model):
    hands = sample_hands(model, 5, range(20), HandPrior())
    out = np.empty((20, 21, 3))
    pose_angles_batch(hands.pose[:, 5:], hands.shape, model.rest_joints, model.joint_directions, model.flat_frame, out)
    np.testing.assert_allclose(out, pose_joints(model, hands.pose, hands.shape, hands.side), atol=1e-4)


def placed(model, values, mirror, rotation):
    """Joints for a row of the Jacobian's parameters: place, turn after `rotation`, angles, shape."""
    rest, joints, axes, along = np.empty(63), np.empty((21, 3)), np.empty((21, 3)), np.empty((15, 3))
    shape = np.ascontiguousarray(values[MOVES:])
    shape_points(model.rest_joints, model.joint_directions, shape, rest)
    pose_angles(values[6:MOVES], rest.reshape(-1, 3), model.flat_frame, joints, axes, along)
    turned = Rotation.from_rotvec(values[3:6]).as_matrix() @ rotation
    out = np.empty((21, 3))
    place_joints(turned, values[:3], mirror, joints, out)
    return out, (rest, joints, axes, along)


@pytest.mark.parametrize(("item", "mirror"), [(0, 1.0), (1, -1.0), (2, 1.0)])
def test_the_jacobian_is_that_of_differences(model, item, mirror):
    hand = sample_hands(model, 6, [item])
    rotation = Rotation.random(random_state=item).as_matrix()
    at = np.concatenate([[30.0, -20.0, 500.0], np.zeros(3), hand.pose[0, 5:], hand.shape[0]])
    here, (rest, joints, axes, along) = placed(model, at, mirror, rotation)
    wanted = np.empty((21, 3, len(at)))
    for k in range(len(at)):
        step = np.zeros(len(at))
        step[k] = 1e-5
        ahead, behind = placed(model, at + step, mirror, rotation)[0], placed(model, at - step, mirror, rotation)[0]
        wanted[:, :, k] = (ahead - behind) / 2e-5
    found = np.zeros((21, 3, len(at)))
    for joint in range(21):
        columns, rows = np.empty(64, dtype=np.int64), np.empty((3, 64))
        used = columns_of(joint, len(ACTIVE), columns)
        joint_jacobian(
            joint, rotation, at[:3], mirror, hand.shape[0], rest, model.joint_directions, ACTIVE, joints, axes, along,
            here, columns, used, rows,
        )  # fmt: skip
        found[joint][:, columns[:used]] = rows[:, :used]
    np.testing.assert_allclose(found, wanted, atol=1e-4)
