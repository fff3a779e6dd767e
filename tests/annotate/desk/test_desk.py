"""A session as a person works on it."""

import numpy as np
import pytest
from desk_cases import FRAMES, LEFT, MIDDLE, RIGHT, as_dict, clicks, in_doubt, make_session, put_result, solved_mm
from shipped_session import labelled_session

from refiner.annotate.desk import desk as desk_module
from refiner.annotate.desk import solved as solved_module
from refiner.annotate.desk.desk import Desk
from refiner.annotate.desk.overview import CHECKED, CHOSEN, DOUBT, LABELLED, PARTLY, SOLVED
from refiner.annotate.references import codes, likeness
from refiner.annotate.sessions.results import StageResult
from refiner.annotate.sessions.session import Session
from refiner.errors import LabelConflictError, LabelError
from refiner.geometry.camera import project

ROOT, MID, TIP = {0: (LEFT, 5)}, {1: (MIDDLE, 5)}, {2: (RIGHT, 5)}


@pytest.fixture
def session(tmp_path, monkeypatch):
    monkeypatch.setattr(solved_module, "WORST", 1.0)  # of six frames the worst fifth is one
    with make_session(tmp_path, starts=(0, 4)) as made:
        yield made


@pytest.fixture
def desk(session):
    return Desk(session)


def put(desk, at, base=None, moved=(), nearer=(), who="anna", frame=0, **how):
    return desk.edit(clicks(frame, at, nearer), base, moved, who, "a click", **how)


def test_an_edit_is_kept_at_once(desk, session):
    shown = put(desk, ROOT)
    assert (shown.who, as_dict(shown.labels)) == ("anna", as_dict(session.labels(0)))
    assert session.edits.version(0, shown.edit).uv_px[0].tolist() == [LEFT, 5]
    assert put(desk, ROOT, shown.edit).edit == shown.edit  # nothing new
    assert put(desk, ROOT, None).edit == shown.edit  # nor where an answer was lost, and it comes again
    emptied = put(desk, {}, shown.edit)
    assert (emptied.labels, session.labelled_frames(), session.revision) == (None, [], 2)
    assert as_dict(put(desk, MID, emptied.edit).labels) == as_dict(clicks(0, MID))


def test_depth_proposes_the_order_of_what_was_moved(desk):
    first = put(desk, ROOT, moved=[0])
    assert first.labels.nearer == ()
    second = put(desk, ROOT | MID, first.edit, [1])
    assert second.labels.nearer == ((0, 1),)  # 700 and 760 mm
    flat = put(desk, ROOT | {1: (LEFT + 2, 9)}, second.edit, [1], second.labels.nearer)
    assert flat.labels.nearer == ()
    untold = put(desk, ROOT | MID, flat.edit)  # nothing moved, says the page: then nothing is proposed
    assert untold.labels.nearer == ()
    flipped = put(desk, ROOT | MID, untold.edit, nearer=[(1, 0)])
    moved = put(desk, ROOT | {1: (RIGHT, 9)}, flipped.edit, [1], [(1, 0)])
    assert moved.labels.nearer == ((1, 0),)  # a person's own
    absent = put(desk, ROOT | TIP, moved.edit, [1, 2], [(1, 0)])
    assert absent.labels.nearer == ()


def test_an_order_is_proposed_of_what_two_people_made_together(desk):
    start = put(desk, {0: (RIGHT, 9)})
    put(desk, ROOT, start.edit, [0], who="ben")
    found = put(desk, {0: (RIGHT, 9)} | MID, start.edit, [1])  # anna has not seen that the root moved
    assert as_dict(found.labels) == as_dict(clicks(0, ROOT | MID))
    assert found.labels.nearer == ((0, 1),)  # not (1, 0), as where she saw it
    put(desk, {0: (RIGHT, 9)} | MID, found.edit, [0], [(0, 1)], who="ben")  # 820 and 760 mm: (1, 0)
    again = put(desk, ROOT | {1: (RIGHT, 5)}, found.edit, [1], [(0, 1)])
    assert again.labels.nearer == ()  # both are at 820 mm now


def test_a_proposal_never_stands_in_the_way(desk, session):
    session.put_labels([clicks(0, ROOT | TIP, [(2, 0)])], "file")  # of joints that no bone joins
    shown = session.edits.shown(0)
    found = put(desk, ROOT | MID | TIP, shown.edit, [1], [(2, 0)])
    assert found.labels.nearer == ((2, 0), (0, 1))


def test_somebody_else_moved_the_same(desk, session):
    start = put(desk, ROOT | MID)
    put(desk, {0: (6, 6)} | MID | TIP, start.edit, who="ben")
    mine = {0: (7, 7), 1: (MIDDLE, 8)}
    with pytest.raises(LabelConflictError, match=r"moved root of frame 0 since this page read it\. It was ben\."):
        put(desk, mine, start.edit)
    assert as_dict(session.labels(0)) == as_dict(clicks(0, {0: (6, 6)} | MID | TIP))
    forced = put(desk, mine, start.edit, force=True)
    assert as_dict(forced.labels) == as_dict(clicks(0, mine | TIP))  # the tip is ben's, and stays


def test_who_took_back_is_named(desk, session):
    put(desk, ROOT, who="anna")
    bens = put(desk, {0: (6, 6)}, session.edits.shown(0).edit, who="ben")
    session.undo("ben")
    with pytest.raises(LabelConflictError, match="It was ben"):
        put(desk, {0: (7, 7)}, bens.edit, who="anna")
    session.undo("anna")
    with pytest.raises(LabelConflictError, match="It was anna"):  # now the frame shows nothing, of nobody
        put(desk, {0: (7, 7)}, bens.edit, who="carl")


@pytest.mark.parametrize(
    ("at", "nearer", "frame"),
    [
        ({0: (99, 5)}, (), 0), ({0: (np.nan, 5)}, (), 0), ({0: (np.inf, 5)}, (), 0), (ROOT | MID, [(0, 9)], 0),
        (ROOT | MID, [(0, -1)], 0), (ROOT | MID, [(0, 1), (1, 0)], 0), (ROOT, (), FRAMES), (ROOT, (), -1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("moved", [(), (0,)])
def test_labels_that_make_no_sense_change_nothing(desk, session, at, nearer, frame, moved):
    with pytest.raises(LabelError):
        put(desk, at, None, moved, nearer, frame=frame)
    assert session.revision == 0


def test_an_order_of_an_absent_joint_is_no_fault(desk):
    assert put(desk, ROOT, nearer=[(0, 1)]).labels.nearer == ()


def test_the_pose_of_another_frame(desk, session):
    session.put_labels([clicks(1, ROOT | MID, [(0, 1)])], "anna")
    found = desk.pose_of(0, 1, "labels")
    assert (found.frame, as_dict(found), found.nearer) == (0, as_dict(clicks(1, ROOT | MID)), ((0, 1),))
    with pytest.raises(LabelError, match="Frame 2 is neither labelled nor solved"):
        desk.pose_of(0, 2, "labels")
    with pytest.raises(LabelError, match="Frame 1 is not solved"):
        desk.pose_of(0, 1, "solved")


def test_a_solved_pose_as_labels(desk, session):
    joints_mm = solved_mm()
    joints_mm[2] = [[0, 0, 760], [0, 30, 860], [500, 0, 700]]  # seen at (15.5, 15.5); far behind the map; outside
    joints_mm[3] = np.nan
    put_result(session, joints_mm=joints_mm)
    for kind in ("labels", "solved"):
        found = desk.pose_of(5, 2, kind)
        assert (found.frame, found.flag.tolist(), found.nearer) == (5, [2, 1, 0], ((0, 1),))
        np.testing.assert_allclose(found.uv_px[:2], [(15.5, 15.5), (15.5, 15.5 + 3000 / 860)], rtol=1e-6)
    session.put_labels([clicks(2, ROOT)], "anna")
    assert as_dict(desk.pose_of(5, 2, "labels")) == as_dict(clicks(5, ROOT))
    assert desk.pose_of(5, 2, "solved").flag.tolist() == [2, 1, 0]
    with pytest.raises(LabelError, match="Frame 3 is not solved"):
        desk.pose_of(5, 3, "solved")


def test_what_is_seen_of_a_solved_hand_is_seen_as_the_store_says(tmp_path):
    with Session(labelled_session(tmp_path, frames=3, references=(1,))) as session:
        truth_mm, visible = session.store.read("joints_mm"), session.store.read("visible")
        put_result(session, "lift", truth_mm)
        found = Desk(session).pose_of(0, 2, "solved")
        assert ((found.flag == 2) == visible[2]).mean() > 0.9
        np.testing.assert_allclose(found.uv_px, project(truth_mm[2], session.cameras[2]), atol=1e-3)


def test_a_frame_found_right_is_in_doubt_no_more_until_it_moves(desk, session):
    with pytest.raises(LabelError, match="Frame 3 is not solved, so that there is nothing to find right"):
        desk.check(3, "anna", right=True)
    put_result(session, **in_doubt(f1=2, f3=3, f5=1.2))
    assert [one.frame for one in desk.doubts()] == [3, 1, 5]
    desk.check(3, "anna", right=True)
    session.put_labels([clicks(5, ROOT)], "anna")
    assert ([one.frame for one in desk.doubts()], list(desk.checks())) == ([1], [3])
    desk.check(3, "anna", right=False)
    assert ([one.frame for one in desk.doubts()], list(desk.checks())) == ([3, 1], [])
    desk.check(3, "ben", right=True)
    moved = solved_mm()
    moved[3, 0, 0] += 5.01
    put_result(session, joints_mm=moved, **in_doubt(f3=3))
    assert ([one.frame for one in desk.doubts()], list(desk.checks())) == ([3], [])
    put_result(session, **in_doubt(f3=3))  # and back again
    assert desk.checks()[3].who == "ben"


def test_states_follow_every_change(desk, session):
    put_result(session, **in_doubt(f1=2, f3=3))
    assert desk.states().tolist() == [SOLVED, SOLVED | DOUBT, SOLVED, SOLVED | DOUBT, SOLVED, SOLVED]
    session.set_references([1, 4], [0.5, 0.9])
    session.put_labels([clicks(1, ROOT)], "anna")
    desk.check(3, "ben", right=True)
    now = [SOLVED, SOLVED | LABELLED | PARTLY | CHOSEN, SOLVED, SOLVED | CHECKED, SOLVED | CHOSEN, SOLVED]
    assert desk.states().tolist() == now
    session.undo("anna")
    assert desk.states().tolist() == [SOLVED, SOLVED | DOUBT | CHOSEN, *now[2:]]


def test_every_change_makes_another_state(desk, session):
    met = [desk.state()]
    with Session(session.path) as other:  # of another process, too
        for change in (
            lambda: put(desk, ROOT),
            lambda: put_result(other),
            lambda: desk.check(1, "anna", right=True),
            lambda: desk.check(1, "anna", right=True),
            lambda: other.checks.remove(1, "anna"),
            lambda: other.undo("anna"),
            lambda: other.set_references([3], [1.0]),
            lambda: other.set_bones([np.nan, 40, 20]),
        ):
            assert desk.state() == met[-1]
            change()
            assert desk.state() not in met
            met.append(desk.state())


def test_labels_that_the_solve_could_not_keep_are_named_until_they_are_changed(desk, session):
    """The joints of the lift are seen at (15.5, 15.5), (19.79, 21.21) and (19.68, 17.73) px."""
    at_mm = solved_mm()
    labels = clicks(2, {0: (15.5, 15.5), 1: (19.786, 26.214)})  # 5 px below
    session.put_labels([labels], "anna")
    lifted = StageResult("lift", at_mm, {}, {"revision": 1})
    lifted.info["conflicts"] = [{"frame": 2, "joint": "mid", "what": "click", "off_px": 5.0}]
    assert desk.conflicts() == []
    session.put_result(lifted)
    ((frame, joint, why),) = desk.conflicts()
    assert (frame, joint) == (2, "mid")
    assert why.startswith("the click on mid lies 5.0 px from where ")
    assert desk.conflicts(2) == desk.conflicts()
    assert desk.conflicts(3) == []
    session.put_labels([clicks(2, {0: (15.5, 15.5), 1: (19.786, 22)})], "anna")
    assert desk.conflicts() == []
    session.undo("anna")
    assert len(desk.conflicts(2)) == 1


def test_neighbours(desk, session, monkeypatch):
    beside = [(one.before, one.after, one.reference) for one in map(desk.neighbours, range(FRAMES))]
    assert beside == [(None, 1, None), (0, 2, None), (1, 3, None), (2, None, None), (None, 5, None), (4, None, None)]
    session.put_labels([clicks(frame, ROOT) for frame in (0, 5)], "anna")
    assert [desk.neighbours(frame).reference for frame in range(FRAMES)] == [5, 0, 0, 5, 5, 0]  # the nearest in time
    found = np.array([(1, 0), (0, 1), (0, 1), (0, 1), (1, 0), (0, 1)], np.float32)
    monkeypatch.setattr(codes, "auto_encoder_codes", lambda *words, seed, on_update: found)  # noqa: ARG005
    likeness.distances_of(session, "codes")
    assert [desk.neighbours(frame).reference for frame in range(FRAMES)] == [5, 5, 5, 5, 0, 0]


def test_labels_are_judged_again_when_they_change(desk, session, monkeypatch):
    asked, judge = [], desk_module.label_doubts
    monkeypatch.setattr(desk_module, "label_doubts", lambda session: asked.append(session.revision) or judge(session))
    assert desk.label_doubts() == []  # nothing is judged on the way to a frame
    assert desk.judge() == []
    wide = clicks(0, {1: (-0.5, -0.5), 2: (31, 31)})  # a bone from one corner to the other
    session.put_labels([wide], "anna")
    assert {one.joint for one in desk.judge()} == {"mid", "tip"}
    assert desk.judge() is desk.judge()
    assert asked == [0, 1]
    assert {(one.frame, one.joint) for one in desk.label_doubts()} == {(0, "mid"), (0, "tip")}


def test_pace_is_of_what_was_done_here(desk, monkeypatch):
    assert desk.pace("anna").seconds_per_frame is None
    put(desk, ROOT)
    put(desk, ROOT, frame=1)
    assert (desk.pace("anna").frames, desk.pace("ben").frames) == (2, 0)


def test_warming_up_changes_nothing(desk, session):
    desk.warm_up()
    assert session.revision == 0
    assert len(desk.sources) == FRAMES
