import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.errors import StoreError
from refiner.hand.skeleton import (
    HAND21,
    HANDS17,
    ICVL16,
    MSRA21,
    NYU14,
    SKELETONS,
    Skeleton,
    map_joints,
    weights_from_hand21,
)


def labelled_joints():
    """Joint k at (k, 10 k, 100 k), so that a joint's number can be read off its place."""
    return np.arange(21)[:, None] * np.array([1.0, 10.0, 100.0])


def test_hand21_is_the_binding_order():
    assert HAND21.joints[:6] == ("wrist", "thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip", "index_mcp")
    assert HAND21.joints[-4:] == ("little_mcp", "little_pip", "little_dip", "little_tip")
    assert HAND21.parents == (-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)
    assert len(HAND21.bones) == 20


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_attributes_survive_json(skeleton):
    assert Skeleton.from_attrs(json.loads(json.dumps(skeleton.to_attrs()))) == skeleton


def test_store_without_skeleton_is_hand21():
    assert Skeleton.from_attrs(None) is HAND21


@pytest.mark.parametrize(
    ("joints", "parents", "message"),
    [
        (("a", "b"), (-1,), "2 joints and 1 parents"),
        ((), (), "0 joints"),
        (("a", "a"), (-1, 0), r"\['a'\] twice"),
        (("a", "b"), (-1, 2), r"parents \[2\]"),
        (("a", "b"), (-1, -1), "2 roots"),
        (("a", "b"), (0, 0), "0 roots"),
        (("a", "b", "c"), (-1, 2, 1), "cycle through joint 'b'"),
    ],
)
def test_refuses_what_is_no_tree(joints, parents, message):
    with pytest.raises(ValueError, match=message):
        Skeleton("bad", joints, parents)


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"name": "x"}, "to_attrs"),
        (["name", "joints", "parents"], "to_attrs"),
        ({"name": "x", "joints": ["a", "b"], "parents": [-1, 5]}, r"no skeleton: .* parents \[5\]"),
        ({"name": "x", "joints": ["a"], "parents": ["root"]}, "no skeleton"),
        ({"name": "x", "joints": None, "parents": []}, "no skeleton"),
    ],
)
def test_refuses_bad_attributes(attrs, message):
    with pytest.raises(StoreError, match=message):
        Skeleton.from_attrs(attrs)


def test_bone_lengths_by_hand():
    skeleton = Skeleton("v", ("a", "b", "c"), (1, -1, 1))
    joints = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [np.nan, 0.0, 1.0]])
    np.testing.assert_array_equal(skeleton.bone_lengths(joints), [5.0, np.nan, np.nan])
    with pytest.raises(ValueError, match=r"\(\.\.\., 3, 3\)"):
        skeleton.bone_lengths(np.zeros((4, 3)))


def test_msra_moves_the_thumb_to_the_end():
    out = map_joints(labelled_joints(), "msra21")[:, 0]
    np.testing.assert_array_equal(out, [0, *range(5, 21), 1, 2, 3, 4])
    assert MSRA21.joints[5] == "middle_mcp"  # the joint that this set's crops are centred on


def test_hands17_agrees_with_the_published_permutation():
    # Toolboxes turn HANDS17 into wrist and five whole chains by this list; it must undo ours.
    to_chains = [0, 1, 6, 7, 8, 2, 9, 10, 11, 3, 12, 13, 14, 4, 15, 16, 17, 5, 18, 19, 20]
    out = map_joints(labelled_joints(), "hands17")
    np.testing.assert_array_equal(out[to_chains], labelled_joints())
    assert HANDS17.joints[5] == "little_mcp"


def test_nyu_and_icvl_by_hand():
    joints = labelled_joints()
    nyu = map_joints(joints, "nyu14")[:, 0]
    np.testing.assert_array_equal(nyu[:11], [20, 18, 16, 14, 12, 10, 8, 6, 4, 3, 2])
    np.testing.assert_allclose(nyu[11:], [0.22 * (17 - 5), 0.22 * (5 - 17), 0.34 * (9 + 13)])
    icvl = map_joints(joints, "icvl16")[:, 0]
    np.testing.assert_allclose(icvl, [0.15 * (5 + 9 + 13 + 17), 2, 3, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18, 20])
    assert (NYU14.joints[-1], ICVL16.joints[0]) == ("palm", "palm")


@given(st.sampled_from(sorted(SKELETONS)), st.integers(0, 2**32 - 1))
def test_maps_commute_with_rigid_motion(target, seed):
    rng = np.random.default_rng(seed)
    joints, shift = rng.normal(size=(2, 21, 3)) * 100, rng.normal(size=3) * 500
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    np.testing.assert_allclose(
        map_joints(joints @ turn.T + shift, target), map_joints(joints, target) @ turn.T + shift, atol=1e-9
    )


def test_unknown_joints_stay_unknown_and_alone():
    joints = labelled_joints()
    joints[20] = np.nan
    nyu = map_joints(joints, "nyu14")
    assert np.isnan(nyu[0]).all()
    assert np.isfinite(nyu[1:]).all()


def test_weights_are_shared_and_therefore_read_only():
    weights = weights_from_hand21("nyu14")
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    with pytest.raises(ValueError, match="read-only"):
        weights[0, 0] = 1.0


def test_refuses_unknown_sets_and_other_joint_counts():
    with pytest.raises(ValueError, match="'coco'"):
        map_joints(labelled_joints(), "coco")
    with pytest.raises(ValueError, match="in the order of hand21"):
        map_joints(labelled_joints()[:20], "nyu14")
