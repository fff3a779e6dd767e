"""The published lift: slopes against differences, joints worked out by hand, a sequence whose truth is known."""

from types import SimpleNamespace

import numpy as np
import pytest
from shipped_sequence import clicks, error_mm, offsets, shipped

from refiner.annotate.solver.chain import tree_of
from refiner.annotate.solver.surface import terms_of
from refiner.annotate.stages import slsqp
from refiner.annotate.stages.lift import lift, start_joints
from refiner.annotate.stages.slsqp import lift_slsqp
from refiner.geometry.camera import project
from refiner.hand.skeleton import HAND21, Skeleton

CAMERA = np.array([250.0, 250.0, 31.5, 31.5])
ONE_BONE = Skeleton("bone", ("a", "b"), (-1, 0))
FRAMES = [0, 6, 12, 18]


@pytest.fixture(scope="module")
def case():
    sequence, joints, visible = shipped()
    chosen = list(clicks(sequence, joints, visible, FRAMES).values())
    terms = terms_of(sequence.depth[FRAMES], sequence.depth_unit_mm, sequence.camera[FRAMES], offsets(), chosen)
    return tree_of(HAND21, HAND21.bone_lengths(joints)[0]), terms, joints[FRAMES]


@pytest.fixture(scope="module")
def solved(case):
    return lift_slsqp(*case[:2])


def before_a_wall(joints_mm, flags, offset_mm=0.0, nearer=(), length_mm=50.0, holes_px=0):
    """One bone clicked exactly where its joints are seen, and a wall at 500 mm, with a hole round the second joint."""
    label = SimpleNamespace(uv_px=project(joints_mm, CAMERA), flag=np.array(flags, np.int8), nearer=nearer)
    wall = np.full((1, 64, 64), 5000, np.uint16)
    rows, columns = np.mgrid[:64, :64]
    u, v = label.uv_px[1]
    wall[0, np.hypot(columns - u, rows - v) < holes_px] = 0
    terms = terms_of(wall, 0.1, CAMERA[None], np.full(2, offset_mm), [label])
    return tree_of(ONE_BONE, [0, length_mm]), terms


def lengths(tree, joints_mm):
    return np.linalg.norm(joints_mm[:, 1:] - joints_mm[:, tree.parents[1:]], axis=-1)


def differences(function, x, step=1e-6):
    """Slopes (..., len(x)) by central differences."""
    sides = [(function(x + e), function(x - e)) for e in step * np.eye(len(x))]
    return np.stack([(up - down) / (2 * step) for up, down in sides], axis=-1)


@pytest.mark.parametrize("length_weight", [0.0, 10.0, 1e5])
def test_the_objective_slopes_as_its_differences_do(case, length_weight):
    tree, terms, joints = case
    terms = terms._replace(click=terms.click.copy())
    terms.click[1, 3::4] = 0
    mean = joints[1].mean(axis=0)
    objective = slsqp._objective_of(tree, terms, 1, mean)
    x = ((joints[1] - mean) / 130 + np.random.default_rng(0).normal(0, 0.05, joints[1].shape)).ravel()
    slope = objective(x, length_weight)[1]
    expected = differences(lambda x: objective(x, length_weight)[0], x)
    np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())
    assert (slope.reshape(-1, 3)[terms.click[1] == 0] != 0).any() == (length_weight > 0)


def test_the_objective_is_ten_times_the_mean_square_of_a_click_and_the_mean_square_of_squared_lengths():
    tree, terms = before_a_wall([[0, 0, 500], [50, 0, 500]], [2, 2], length_mm=26.0)
    terms.click_uv_px[0, 0, 1] += 8  # a quarter of half the crop
    x = np.array([0, 0, 0, 50, 0, 0]) / 130
    value, _ = slsqp._objective_of(tree, terms, 0, np.array([0, 0, 500.0]))(x, 100.0)
    assert value == pytest.approx(10 / 2 * 0.25**2 + 100 * ((50 / 130) ** 2 - 0.2**2) ** 2)


def test_the_rows_of_pairs_give_the_difference_of_depth_and_its_slope(case):
    _, terms, joints = case
    pairs = terms.pairs[: terms.pair_start[1]]
    order, x = slsqp._order_of(pairs, 21), joints[0].ravel() / 130
    z_mm = joints[0, :, 2]
    np.testing.assert_allclose(order @ x * 130, z_mm[pairs[:, 1]] - z_mm[pairs[:, 0]], atol=1e-9)
    expected = differences(lambda x: x[2::3][pairs[:, 1]] - x[2::3][pairs[:, 0]], x)
    np.testing.assert_allclose(order, expected, atol=1e-8)


@pytest.mark.parametrize("offset_mm", [0.0, 10.0])
def test_a_bone_along_the_wall_comes_out_at_the_only_depth_where_it_is_as_long_as_it_looks(offset_mm):
    # Farther than the surface and its offset the same clicks would be more than 50 mm apart.
    joints = np.array([[-25, 0, 500 + offset_mm], [25, 0, 500 + offset_mm]])
    found = lift_slsqp(*before_a_wall(joints, [2, 2], offset_mm))
    np.testing.assert_allclose(found.joints_mm[0], joints, atol=0.3)
    assert found.cost[0] < 1e-4
    assert found.iterations > 0


@pytest.mark.parametrize(
    ("flags", "nearer", "greatest"),
    [
        ((2, 2), (), (522, 522)),
        ((2, 1), (), (522, 650)),
        ((0, 2), (), (650, 522)),
        ((2, 2), ((0, 1),), (522, 522)),
        ((2, 2), ((0, 1), (1, 0)), (None, None)),
    ],
)
def test_depth_is_bounded_by_surface_offset_and_eps_or_the_back_150_mm_behind(flags, nearer, greatest):
    _, terms = before_a_wall([[0, 0, 500], [20, 0, 500]], flags, 7.0, nearer)
    low, high = slsqp._depth_bounds(terms, 0, np.array([[0, 0, 500], [20, 0, 500]]), terms.pairs, 15.0, 10.0)
    np.testing.assert_allclose(low, [507, 507])
    if None in greatest:  # pairs that contradict each other have no bound that is right, but end
        assert (high >= 650).all()
        assert np.isfinite(high).all()
    else:
        np.testing.assert_allclose(high, greatest)


def test_where_the_reading_is_lost_depth_is_bounded_150_mm_before_and_behind_what_is_left():
    _, terms = before_a_wall([[0, 0, 500], [20, 0, 500]], (2, 2), 7.0)
    terms.lost[0, 1] = True
    low, high = slsqp._depth_bounds(terms, 0, np.array([[0, 0, 500], [20, 0, 500]]), terms.pairs, 15.0, 10.0)
    np.testing.assert_allclose(low, [507, 350])
    np.testing.assert_allclose(high, [522, 650])


def test_a_joint_in_a_hole_stands_out_as_its_bone_and_pair_say():
    # 3, 4, 5: b is 30 mm aside of a and 40 mm nearer. The nearest readings, 10 px away, would keep it behind 500 mm.
    joints = np.array([[0, 0, 500], [30, 0, 460]])
    tree, terms = before_a_wall(joints, [2, 2], nearer=((1, 0),), holes_px=10)
    assert terms.lost.tolist() == [[False, True]]
    np.testing.assert_allclose(lift_slsqp(tree, terms, eps_mm=0.01).joints_mm[0], joints, atol=0.5)


def test_a_hidden_joint_goes_behind_the_surface_and_not_before_it():
    joints = np.array([[0, 0, 500], [30, 0, 540]])  # 3, 4, 5; the other way, before the wall, is as long
    found = lift_slsqp(*before_a_wall(joints, [2, 1]), eps_mm=0.01)
    np.testing.assert_allclose(found.joints_mm[0], joints, atol=0.5)


@pytest.mark.parametrize("eps_mm", [15.0, 5.0])  # in 5 mm there is no room for a pair of visible joints
def test_a_pair_is_kept_even_against_the_bounds(eps_mm):
    joints = np.array([[-24, 0, 500], [24, 0, 514]])
    found = lift_slsqp(*before_a_wall(joints, [2, 2], nearer=((0, 1),)), eps_mm=eps_mm).joints_mm[0]
    assert found[1, 2] - found[0, 2] > 9.9
    np.testing.assert_allclose(found, joints, atol=5.0)
    turned = lift_slsqp(*before_a_wall(joints, [2, 2], nearer=((1, 0),)), eps_mm=eps_mm).joints_mm[0]
    assert turned[0, 2] - turned[1, 2] > 9.9


def test_lengths_are_exact_and_pairs_kept_within_a_millimetre(case, solved):
    tree, terms, _ = case
    np.testing.assert_allclose(lengths(tree, solved.joints_mm), np.tile(tree.length_mm[1:], (4, 1)), atol=1e-6)
    assert len(terms.pairs) > 40
    for n in range(len(FRAMES)):
        near, far = terms.pairs[terms.pair_start[n] : terms.pair_start[n + 1]].T
        assert (solved.joints_mm[n, far, 2] - solved.joints_mm[n, near, 2] > 9.0).all()


def test_exact_clicks_give_joints_as_good_as_those_of_the_other_lift(case, solved):
    tree, terms, joints = case
    error, other = error_mm(solved.joints_mm, joints), error_mm(lift(tree, terms).joints_mm, joints)
    assert error < 8
    assert 0.5 * other < error < 2 * other


def test_rounds_that_fail_leave_the_start_with_exact_lengths(case, monkeypatch):
    tree, terms, _ = case

    def fail(_objective, x, **_):
        return SimpleNamespace(x=np.full_like(x, np.nan), nit=7)

    monkeypatch.setattr(slsqp, "minimize", fail)
    found = lift_slsqp(tree, terms)
    assert found.iterations == 4 * 5 * 7
    assert np.isfinite(found.cost).all()
    start = start_joints(tree, terms, 10.0)
    np.testing.assert_allclose(found.root_mm, start[:, tree.order[0]], atol=15)
    np.testing.assert_allclose(lengths(tree, found.joints_mm), np.tile(tree.length_mm[1:], (4, 1)), atol=1e-6)


@pytest.mark.parametrize("readings", [True, False])
@pytest.mark.parametrize("clicked", [21, 5, 0])
def test_joints_are_finite_whatever_is_missing(case, readings, clicked):
    tree, terms, _ = case
    click, pairs = terms.click.copy(), terms.pairs[:0]
    click[:, clicked:] = 0
    terms = terms._replace(click=click, pairs=pairs, pair_start=np.zeros(5, np.int64), offset_mm=terms.offset_mm * 0)
    if not readings:
        terms = terms._replace(surface=terms.surface * 0)
    found = lift_slsqp(tree, terms)
    assert np.isfinite(found.joints_mm).all()
    assert np.isfinite(found.cost).all()
    assert (found.joints_mm[..., 2] > 0).all()
