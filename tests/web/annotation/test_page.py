"""What a person does on the page, in a real browser: each by pointer and keys alone."""

import json

import httpx
import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys
from serving import faults, go, label, make_session

from experiments.bench.browser import INSTALLED, Person, open_browser, serving
from refiner.annotate.sessions.session import Session

pytestmark = pytest.mark.skipif(not INSTALLED, reason="no chromium with chromedriver is installed")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A session that is served, its store, the pixels of its joints, and the address."""
    session, store, uv_px = make_session(tmp_path_factory.mktemp("served"))
    with serving(session, settings=session.parent) as (_, url):
        yield session, store, uv_px, url


@pytest.fixture
def person(browser, served):
    """Somebody who has just opened the page; faults of the browser are faults."""
    browser.get("about:blank")
    browser.get_log("browser")
    somebody = Person(browser, served[3])
    yield somebody
    assert faults(somebody) == []


def test_fast_clicks_are_all_kept(person, served):
    session, store, uv_px, _ = served
    go(person, 1)
    label(person, store, uv_px, 1)
    placed = np.array([person.joints[name][:2] for name in store.skeleton.joints])
    np.testing.assert_allclose(placed, uv_px[1], atol=0.05)
    with Session(session) as opened:
        person.wait(lambda: (opened.labels(1).flag > 0).all(), "all joints to be committed")
        np.testing.assert_allclose(opened.labels(1).uv_px, uv_px[1], atol=0.05)
        assert len(opened.history(1)) == 21  # each can be undone by itself


def test_flags_order_skip_and_half_pixels(person, served):
    session, _, _, _ = served
    go(person, 2)
    person.click(60, 100)
    person.saving(lambda: person.click(50, 80, button="right"), "a hidden joint")
    assert [person.joints[name][2] for name in ("wrist", "thumb_cmc")] == [2, 1]
    person.saving(lambda: person.key("e"), "absent")  # hidden, then absent
    person.wait(lambda: "thumb_cmc" not in person.joints, "absent")
    assert person.next_joint == "thumb_mcp"
    person.saving(lambda: person.key("e"), "visible again, where it was")
    person.wait(lambda: person.joints.get("thumb_cmc", [0, 0, 0])[2] == 2, "visible again")
    before = person.joints["thumb_cmc"]
    person.saving(lambda: person.key(Keys.ARROW_RIGHT), "half a pixel")
    person.saving(lambda: person.key(Keys.ARROW_UP), "half a pixel")
    np.testing.assert_allclose(person.joints["thumb_cmc"][:2], [before[0] + 0.5, before[1] - 0.5], atol=1e-9)
    with Session(session) as opened:
        order = opened.labels(2).nearer
        person.saving(lambda: person.key("f"), "the order")
        flipped = opened.labels(2).nearer
        assert flipped == ((1, 0),) if order in ((), ((0, 1),)) else ((0, 1),)
        person.saving(lambda: person.key("f"), "the other order")
        assert opened.labels(2).nearer == tuple((b, a) for a, b in flipped)
    person.key("s")
    person.wait(lambda: person.next_joint == "thumb_ip", "the joint after the skipped one")


def test_what_was_undone_is_next_again(person):
    go(person, 3)
    for place in ((60, 100), (50, 80), (40, 70)):
        person.saving(lambda place=place: person.click(*place), "a joint")
    assert person.next_joint == "thumb_ip"
    person.saving(lambda: person.key("z"), "undo")
    person.wait(lambda: person.next_joint == "thumb_mcp", "the undone joint")
    person.saving(lambda: person.key(Keys.DELETE), "the removal")
    person.wait(lambda: person.next_joint == "wrist" and person.joints == {}, "an empty frame")
    go(person, 4)
    assert person.next_joint == "wrist"


def test_a_click_on_a_joint_places_the_next_one_upon_it(person):
    go(person, 5)
    person.saving(lambda: person.click(60, 100), "the wrist")
    person.saving(lambda: person.click(60.5, 100), "another joint upon it")
    assert set(person.joints) == {"wrist", "thumb_cmc"}
    np.testing.assert_allclose(person.joints["wrist"][:2], [60, 100], atol=0.05)


def test_a_drag_moves_one_joint_and_no_other(person, served):
    _, store, uv_px, _ = served
    go(person, 6)
    label(person, store, uv_px, 6)
    person.wait(lambda: len(person.joints) == 21, "all joints")
    before = person.joints
    start = before["middle_tip"][:2]
    person.saving(lambda: person.drag(start, (start[0] + 5, start[1] + 4)), "the drag")
    moved = {name for name, place in person.joints.items() if place != before[name]}
    assert moved == {"middle_tip"}
    np.testing.assert_allclose(person.joints["middle_tip"][:2], [start[0] + 5, start[1] + 4], atol=0.3)


def test_zoom_stays_from_frame_to_frame_and_after_a_reload(person, served):
    go(person, 7)
    x, y = person.place(40, 40)
    for _ in range(3):
        person.driver.execute_cdp_cmd(
            "Input.dispatchMouseEvent", {"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": -240}
        )
    person.wait(lambda: json.loads(person.data("view"))["scale"] > 8, "the zoom")
    np.testing.assert_allclose(person.place(40, 40), (x, y), atol=1.5)  # what is under the pointer stays there
    zoomed = json.loads(person.data("view"))
    person.key("d")
    person.wait(lambda: person.frame == 8, "the next frame")
    assert json.loads(person.data("view")) == zoomed
    person.wait(lambda: "view=" in person.driver.current_url, "the address to tell the view")
    again = Person(person.driver, person.driver.current_url)
    again.wait(lambda: json.loads(again.data("view"))["scale"] == pytest.approx(zoomed["scale"], abs=0.01), "the view")
    assert again.frame == 8
    again.key("0")
    again.wait(lambda: json.loads(again.data("view"))["scale"] < 6, "the whole crop")


def test_lines_are_hidden_and_colours_change(person):
    go(person, 6)
    with_lines = person.canvas.screenshot_as_png
    person.key(" ")
    person.wait(lambda: person.canvas.screenshot_as_png != with_lines, "the lines to go")
    bare = person.canvas.screenshot_as_png
    person.key("b")
    person.wait(lambda: person.canvas.screenshot_as_png not in (bare, with_lines), "other colours")


def test_a_key_is_changed_and_the_table_follows(person, served):
    person.key("?")
    rows = "xpath", "//div[contains(@class,'row')][.//div[text()='next frame']]//button"
    person.wait(lambda: person.driver.find_element(*rows).is_displayed(), "the table of keys")
    field = lambda: person.driver.switch_to.active_element.tag_name == "input"  # noqa: E731
    person.wait(lambda: field() or person.driver.find_element(*rows).click(), "the field for the key")
    person.key("n")
    url = served[3]
    keys = lambda: {one["action"]: one["keys"] for one in httpx.get(f"{url}keys.json").json()["actions"]}  # noqa: E731
    person.wait(lambda: keys()["next_frame"] == ["n"], "the table to change")
    person.key(Keys.ESCAPE)
    person.wait(lambda: not person.driver.find_elements("css selector", ".q-dialog"), "the dialog to close")
    before = person.frame
    person.key("n")
    person.wait(lambda: person.frame == before + 1, "the new key to work")


def test_a_pose_that_replaces_labels_can_be_taken_back_at_once(person, served):
    _, store, uv_px, _ = served
    go(person, 10)
    label(person, store, uv_px, 10)
    person.wait(lambda: len(person.joints) == 21, "all joints")
    mine = person.joints
    person.saving(lambda: person.key("v"), "the pose of the frame most like it")
    person.wait(lambda: person.joints != mine, "the pose")
    button = "xpath", "//div[@class='message']//button[text()='undo']"
    person.saving(lambda: person.driver.find_element(*button).click(), "undo")
    person.wait(lambda: person.joints == mine, "the labels of before")


def test_a_frame_that_is_left_half_done_is_told(person):
    go(person, 12)
    person.saving(lambda: person.click(60, 100), "the wrist")
    person.key("r")
    person.key(Keys.ENTER)  # nothing is chosen here, so that nothing is next
    person.wait(lambda: "1 of 21 labelled" in person.driver.find_element("css selector", ".strip.top").text, "the chip")
    states = httpx.get(f"{person.driver.current_url.split('?')[0]}states").content
    assert states[12] & 32  # labelled in part


def test_two_people_see_each_other_and_overwrite_nothing_unasked(person, served):
    session, _, _, url = served
    go(person, 9)
    person.saving(lambda: person.click(60, 100), "the wrist")
    labels = {"uv": [[70, 90]] + [None] * 20, "flag": [2] + [0] * 20, "nearer": []}
    edit = httpx.get(f"{url}frames/9").json()["edit"]
    bob = {"frame": 9, "labels": labels, "base": edit, "moved": [0], "note": "moved", "who": "bob"}
    assert httpx.post(f"{url}edits", json=bob).status_code == 200
    person.wait(lambda: person.joints["wrist"][:2] == [70, 90], "what the other one did")
    # Now both move it at once: the other one's change has not been seen here when the drag ends.
    start = person.place(70, 90)
    person.pointer("mousePressed", start, "left", 1)
    person.pointer("mouseMoved", (start[0] + 40, start[1]), "left", 1)
    edit = httpx.get(f"{url}frames/9").json()["edit"]
    labels["uv"][0] = [30, 30]
    httpx.post(f"{url}edits", json={**bob, "labels": labels, "base": edit})
    person.pointer("mouseReleased", (start[0] + 40, start[1]), "left")
    message = "css selector", ".message"
    person.wait(lambda: "It was bob" in person.driver.find_element(*message).text, "the question")
    assert person.joints["wrist"][:2] == [30, 30]
    person.saving(lambda: person.driver.find_element(*message).find_element("tag name", "button").click(), "mine")
    person.wait(lambda: person.joints["wrist"][:2] != [30, 30], "mine over it")
    with Session(session) as opened:
        assert [one.who for one in opened.history(9)] == ["anna", "bob", "bob", "anna"]


def test_beyond_this_computer_the_token_is_needed(browser, tmp_path):
    session, _, _ = make_session(tmp_path)
    with serving(session, "--host", "0.0.0.0", settings=tmp_path) as (_, url):
        bare = url.split("?")[0]
        assert httpx.get(bare).status_code == 401
        visitor = Person(browser, url)
        assert "token" not in browser.current_url
        visitor.wait(lambda: visitor.driver.switch_to.active_element.tag_name == "input", "the question for a name")
        visitor.key(Keys.CONTROL, "a")
        visitor.key("carol")
        visitor.key(Keys.ENTER)
        visitor.wait(lambda: not browser.find_elements("css selector", ".q-dialog"), "the dialog to close")
        visitor.saving(lambda: visitor.click(60, 100), "a joint")
        with Session(session) as opened:
            assert opened.history(visitor.frame)[-1].who == "carol"
