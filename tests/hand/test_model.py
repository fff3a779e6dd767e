from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from refiner.hand.limits import pose_limits, sample_hands
from refiner.hand.model import load_hand, pose_hands, pose_joints
from refiner.hand.skeleton import HAND21

SEEDS = st.integers(0, 10_000)


def random_hands(seed, count=1):
    """Hands anywhere within the limits, also impossible ones, with any rotation and a strong shape."""
    model, rng = load_hand(), np.random.default_rng(seed)
    low, high = pose_limits(model)
    pose = np.zeros((count, len(low)))
    pose[:, 3:] = rng.uniform(low[3:], high[3:], (count, len(low) - 3))
    pose[:, :3] = rng.normal(size=(count, 3))
    return model, pose, rng.uniform(-0.15, 0.15, (count, len(model.shape_names))), rng.integers(0, 2, count)


def winding_numbers(vertices, triangles, points):
    """How often a closed mesh winds round points: 1 inside, 0 outside (van Oosterom and Strackee, 1983)."""
    a, b, c = (vertices[triangles[:, k]][None] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
    above = np.einsum("ptx,ptx->pt", a, np.cross(b, c))
    dots = [np.einsum("ptx,ptx->pt", u, v) for u, v in ((a, b), (a, c), (b, c))]
    return np.arctan2(above, la * lb * lc + dots[0] * lc + dots[1] * lb + dots[2] * la).sum(axis=1) / (2 * np.pi)


def plain_joints(model, pose, shape, side):
    """Forward kinematics again, from the documentation, with scipy's rotations."""
    angle = dict(zip(model.pose_names, pose, strict=True))
    rest = (model.rest_joints + shape[1:] @ model.joint_directions).reshape(21, 3) * (1 + shape[0])
    joints = rest.copy()
    for k, digit in enumerate(("thumb", "index", "middle", "ring", "little")):
        base = "cmc" if digit == "thumb" else "mcp"
        outer = ("mcp", "ip") if digit == "thumb" else ("pip", "dip")
        away = -1.0 if digit in ("thumb", "index", "middle") else 1.0
        frame = Rotation.from_matrix(model.flat_frame[k]) * Rotation.from_euler(
            "XZY",
            [
                angle[f"{digit}_{base}_flexion"],
                away * angle[f"{digit}_{base}_abduction"],
                -angle.get(f"{digit}_cmc_twist", 0.0),
            ],
        )
        for i in range(3):
            at = 1 + 4 * k + i
            if i > 0:
                frame = frame * Rotation.from_euler("x", angle[f"{digit}_{outer[i - 1]}_flexion"])
            joints[at + 1] = joints[at] + frame.apply([0.0, np.linalg.norm(rest[at + 1] - rest[at]), 0.0])
    mirror = np.array([-1.0 if side else 1.0, 1.0, 1.0])
    return Rotation.from_rotvec(pose[:3]).apply(joints * mirror)


@settings(deadline=None)
@given(SEEDS)
def test_joints_agree_with_plain_forward_kinematics(seed):
    model, pose, shape, side = random_hands(seed)
    joints = pose_joints(model, pose, shape, side)
    np.testing.assert_allclose(joints[0], plain_joints(model, pose[0], shape[0], side[0]), atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_bones_keep_their_lengths_and_the_wrist_its_place(seed):
    model, pose, shape, side = random_hands(seed, 3)
    shape[:] = shape[0]
    joints = pose_joints(model, pose, shape, side)
    np.testing.assert_array_equal(joints[:, 0], 0.0)
    lengths = HAND21.bone_lengths(joints)[:, 1:]
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_left_is_the_mirror_image_before_the_rotation(seed):
    model, pose, shape, _ = random_hands(seed, 2)
    pose[1], shape[1] = pose[0], shape[0]
    pose[:, :3] = 0.0
    vertices, joints = pose_hands(model, pose, shape, np.array([0, 1]))
    np.testing.assert_array_equal(vertices[1], vertices[0] * np.float32([-1, 1, 1]))
    np.testing.assert_array_equal(joints[1], joints[0] * np.float32([-1, 1, 1]))


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_global_rotation_turns_mesh_and_joints_alike(seed):
    model, pose, shape, side = random_hands(seed)
    turned = pose_hands(model, pose, shape, side)
    rotation = Rotation.from_rotvec(pose[0, :3])
    pose[:, :3] = 0.0
    for after, before in zip(turned, pose_hands(model, pose, shape, side), strict=True):
        np.testing.assert_allclose(after[0], rotation.apply(before[0]), atol=2e-3)


def test_an_item_does_not_depend_on_its_batch():
    model, pose, shape, side = random_hands(3, 64)
    vertices, joints = pose_hands(model, pose, shape, side)
    for rows in (slice(7, 8), slice(20, 45)):
        again = pose_hands(model, pose[rows], shape[rows], side[rows])
        np.testing.assert_array_equal(again[0], vertices[rows])
        np.testing.assert_array_equal(again[1], joints[rows])
    np.testing.assert_array_equal(pose_joints(model, pose, shape, side), joints)


def test_flat_hand_by_hand(model, poses):
    joints = pose_joints(model, poses["flat"][None], np.zeros((1, 17)), np.zeros(1, dtype=int))[0]
    for base in (5, 9, 13, 17):  # fingers straight, along y
        chain = np.diff(joints[base : base + 4], axis=0)
        np.testing.assert_allclose(chain[:, [0, 2]], 0.0, atol=1e-4)
        assert (chain[:, 1] > 10).all()
    np.testing.assert_allclose(joints[9] / np.linalg.norm(joints[9]), [0, 1, 0], atol=0.06)
    metacarpal = joints[2] - joints[1]
    assert np.degrees(np.arctan2(metacarpal[0], metacarpal[1])) == pytest.approx(40.0, abs=0.01)
    assert metacarpal[2] == pytest.approx(0.0, abs=1e-4)
    assert joints[5, 0] > joints[9, 0] > joints[13, 0] > joints[17, 0]  # x to the index side


def test_right_angles_by_hand(model):
    """MCP at 90 degrees points out of the palm (z), PIP at 90 more back to the wrist (-y)."""
    pose = np.zeros((2, 26))
    pose[:, model.pose_names.index("middle_mcp_flexion")] = np.pi / 2
    pose[1, model.pose_names.index("middle_pip_flexion")] = np.pi / 2
    joints = pose_joints(model, pose, np.zeros((2, 17)), np.zeros(2, dtype=int))
    first = joints[0, 10] - joints[0, 9]
    np.testing.assert_allclose(first / np.linalg.norm(first), [0, 0, 1], atol=0.03)
    second = joints[1, 11] - joints[1, 10]
    np.testing.assert_allclose(second / np.linalg.norm(second), [0, -1, 0], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "joint", "axis", "sign"),
    [
        ("index_mcp_abduction", 8, 0, 1),
        ("middle_mcp_abduction", 12, 0, 1),
        ("ring_mcp_abduction", 16, 0, -1),
        ("little_mcp_abduction", 20, 0, -1),
        ("thumb_cmc_abduction", 4, 2, 1),
        ("thumb_cmc_flexion", 4, 0, -1),
        ("thumb_ip_flexion", 4, 0, -1),
    ],
)
def test_positive_angles_lead_where_they_are_said_to(model, name, joint, axis, sign):
    pose = np.zeros((2, 26))
    pose[1, model.pose_names.index(name)] = 0.3
    joints = pose_joints(model, pose, np.zeros((2, 17)), np.zeros(2, dtype=int))
    assert sign * (joints[1] - joints[0])[joint, axis] > 4.0


@pytest.mark.parametrize(("name", "axis", "sign"), [("wrist_flexion", 2, 1), ("wrist_deviation", 0, -1)])
def test_the_wrist_swings_the_forearm_and_leaves_the_hand(model, name, axis, sign):
    pose = np.zeros((2, 26))
    pose[1, model.pose_names.index(name)] = 0.5
    vertices, joints = pose_hands(model, pose, np.zeros((2, 17)), np.zeros(2, dtype=int))
    np.testing.assert_array_equal(joints[1], joints[0])
    moved = (vertices[1] - vertices[0])[vertices[0, :, 1] < -100]
    assert (sign * moved[:, axis] > 30).all()
    np.testing.assert_array_equal(vertices[1][vertices[0, :, 1] > 60], vertices[0][vertices[0, :, 1] > 60])


def test_shape_names_do_what_they_say(model, poses):
    shape = np.zeros((4, 17))
    shape[1, model.shape_names.index("scale")] = 0.1
    shape[2, model.shape_names.index("index_length")] = 0.1
    shape[3, model.shape_names.index("palm_length")] = 0.1
    flat = np.repeat(poses["flat"][None], 4, axis=0)
    bones = HAND21.bone_lengths(pose_joints(model, flat, shape, np.zeros(4, dtype=int)))[:, 1:]
    ratio = bones / bones[0]
    np.testing.assert_allclose(ratio[1], 1.1, rtol=1e-5)
    longer = np.ones(20)
    longer[5:8] = 1.1
    np.testing.assert_allclose(ratio[2], longer, rtol=1e-3)
    np.testing.assert_allclose(np.delete(ratio[3], [0, 4, 8, 12, 16]), 1.0, rtol=1e-5)
    assert (ratio[3, [4, 8, 12, 16]] > 1.08).all()


def test_proportions_are_those_of_people(model):
    """Against the bones of Buryanov and Kotiuk (2010); ours run from centre to centre of the joints' heads."""
    joints = pose_joints(model, np.zeros((1, 26)), np.zeros((1, 17)), np.zeros(1, dtype=int))[0]
    lengths = HAND21.bone_lengths(joints)
    proximal, middle, distal = lengths[[6, 10, 14, 18]], lengths[[7, 11, 15, 19]], lengths[[8, 12, 16, 20]]
    np.testing.assert_allclose(proximal, [39.8, 44.6, 41.4, 32.7], atol=4.0)
    np.testing.assert_allclose(middle, [22.4, 26.3, 25.7, 18.1], atol=2.0)
    np.testing.assert_allclose(distal, [15.8, 17.4, 17.3, 16.0], atol=7.0)
    assert 85 < lengths[9] < 95


def test_mesh_is_closed_and_faces_outwards(model, poses):
    edges = np.concatenate([model.triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    assert len(np.unique(edges, axis=0)) == len(edges)
    assert {tuple(e) for e in edges.tolist()} == {tuple(e) for e in edges[:, ::-1].tolist()}
    pose = np.repeat(poses["flat"][None], 2, axis=0)
    vertices, _ = pose_hands(model, pose, np.zeros((2, 17)), np.array([0, 1]))
    for hand, triangles in zip(vertices.astype(float), (model.triangles, model.mirrored_triangles), strict=True):
        a, b, c = (hand[triangles[:, k]] for k in range(3))
        volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6e3
        assert 650 < volume < 1000, "cm^3 of a hand and most of a forearm; negative if the faces look inwards"


@pytest.mark.parametrize("name", ["flat", "relaxed", "spread"])
def test_open_hands_are_not_turned_inside_out(model, poses, name):
    """Almost every triangle faces as its corners' mean normals do; a few fold in the webs of adducted fingers."""
    vertices, _ = pose_hands(model, poses[name][None], np.zeros((1, 17)), np.zeros(1, dtype=int))
    corners = vertices[0].astype(float)[model.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert np.linalg.norm(normal, axis=1).min() > 1e-3
    smooth = np.zeros((vertices.shape[1], 3))
    for k in range(3):
        np.add.at(smooth, model.triangles[:, k], normal)
    agree = np.einsum("tx,tkx->tk", normal, smooth[model.triangles]) > 0
    assert (~agree.all(axis=1)).sum() <= 15
    assert (~agree.any(axis=1)).sum() == 0


def test_joints_lie_inside_the_skin(model, poses):
    drawn = sample_hands(model, 11, np.arange(6))
    pose = np.concatenate([np.array(list(poses.values())), drawn.pose])
    shape = np.concatenate([np.zeros((len(poses), 17)), drawn.shape])
    vertices, joints = pose_hands(model, pose, shape, np.zeros(len(pose), dtype=int))
    for hand, points in zip(vertices.astype(float), joints.astype(float), strict=True):
        inside = winding_numbers(hand, model.triangles, points)
        assert (inside > 0.5).all(), [HAND21.joints[k] for k in np.flatnonzero(inside <= 0.5)]


def test_surface_offset_is_the_depth_below_the_back_of_a_flat_hand(model, poses):
    vertices, joints = pose_hands(model, poses["flat"][None], np.zeros((1, 17)), np.zeros(1, dtype=int))
    for joint in (5, 6, 7, 9, 10, 11, 13, 14, 15):
        near = np.linalg.norm(vertices[0, :, :2] - joints[0, joint, :2], axis=1) < 4.0
        depth = joints[0, joint, 2] - vertices[0, near, 2].min()
        assert depth == pytest.approx(model.surface_offset_mm[joint], abs=5.0)


def test_pinch_touches(model, poses):
    """Pads of thumb and index finger meet: their bones' ends are two pads apart, not more."""
    joints = pose_joints(model, poses["pinch"][None], np.zeros((1, 17)), np.zeros(1, dtype=int))[0]
    assert np.linalg.norm(joints[4] - joints[8]) < 16.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pose": np.zeros((2, 25))}, r"`pose` has shape \(2, 25\), wanted \(2, 26\)"),
        ({"shape": np.zeros((1, 17))}, r"`shape` has shape \(1, 17\), wanted \(2, 17\)"),
        ({"side": np.zeros(3, dtype=int)}, r"`side` has shape \(3,\)"),
        ({"side": np.array([0, 2])}, "only 0 .right. or 1 .left."),
        ({"pose": np.full((2, 26), np.nan)}, "not finite in row 0"),
    ],
)
def test_refuses_other_shapes_and_values(model, change, message):
    given_ = {"pose": np.zeros((2, 26)), "shape": np.zeros((2, 17)), "side": np.zeros(2, dtype=int)}
    with pytest.raises(ValueError, match=message):
        pose_hands(model, **{**given_, **change})


def test_no_hands_are_no_trouble(model):
    vertices, joints = pose_hands(model, np.zeros((0, 26)), np.zeros((0, 17)), np.zeros(0, dtype=int))
    assert vertices.shape == (0, len(model.template) // 3, 3)
    assert joints.shape == (0, 21, 3)


def test_agrees_with_the_golden_hands(model):
    """Joints and some vertices as they were when last looked at; `make_golden.py` writes them anew on purpose."""
    with np.load(Path(__file__).parent / "golden.npz") as golden:
        vertices, joints = pose_hands(model, golden["pose"], golden["shape"], golden["side"])
        np.testing.assert_allclose(joints, golden["joints_mm"], atol=2e-3)
        np.testing.assert_allclose(vertices[:, golden["rows"]], golden["vertices_mm"], atol=2e-3)
