"""What is known of the joints of each set."""

import numpy as np

from refiner.annotate.plausible.facts import UNKNOWN_SIZE_MM, hand_facts, usual_lengths_mm
from refiner.hand.model import load_hand
from refiner.hand.skeleton import HAND21, MSRA21, NYU14, Skeleton


def test_other_orders_of_the_same_joints_know_the_same():
    ours, theirs = hand_facts(HAND21), hand_facts(MSRA21)
    at = [MSRA21.joints.index(name) for name in HAND21.joints]
    for name in ("size_mm", "offset_mm", "usual_mm"):
        np.testing.assert_allclose(getattr(theirs, name)[at], getattr(ours, name), rtol=1e-6)
    np.testing.assert_array_equal(ours.usual_mm, usual_lengths_mm())
    np.testing.assert_array_equal(ours.size_mm, load_hand().radius_mm)
    np.testing.assert_array_equal(theirs.to_hand21, at)


def test_fingers_are_reversed_and_the_thumb_stays():
    named = [HAND21.joints[k] for k in hand_facts(HAND21).fingers_reversed]
    assert named[:6] == ["wrist", "thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip", "little_mcp"]
    assert (named[9], named[16], named[20]) == ("ring_mcp", "middle_tip", "index_tip")


def test_joints_that_make_no_hand21_are_known_where_they_are_made_of_its_joints():
    facts = hand_facts(NYU14)
    assert facts.to_hand21 is None
    # Half the ring finger: the way from the PIP joint to the tip, straight, is that of its two last bones.
    ring = usual_lengths_mm()[[15, 16]].sum()
    np.testing.assert_allclose(facts.usual_mm[NYU14.joints.index("ring_tip")], ring, rtol=0.01)


def test_of_joints_of_nobody_nothing_is_known():
    facts = hand_facts(Skeleton("hand21", ("a", "b"), (-1, 0)))
    assert np.isnan(facts.usual_mm).all()
    np.testing.assert_array_equal(facts.size_mm, [UNKNOWN_SIZE_MM] * 2)
    assert facts.fingers_reversed is None
