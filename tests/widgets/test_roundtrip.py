"""The question to the page: an answer means that everything typed before it has arrived."""

from __future__ import annotations

import threading

import pytest
from comm.base_comm import BaseComm

from vidu_nb.widgets import roundtrip
from vidu_nb.widgets.roundtrip import Roundtrip

WAIT = 20  # s; far more than anything here takes


class Comm(BaseComm):
    """A connection to a page that answers when a test says so."""

    def publish_msg(self, _kind, data=None, **_rest):
        """Keep the questions."""
        if data.get("method") == "custom":
            self.__dict__.setdefault("asked", []).append(data["content"]["ask"])

    def answer(self, content):
        """Send what a page would."""
        self.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


@pytest.fixture
def question():
    """A question's widget, connected to a page."""
    made = Roundtrip()
    made.comm = Comm()
    return made


def test_without_a_page_there_is_nothing_to_wait_for():
    """Where no kernel is, nothing is on its way."""
    heard = []
    Roundtrip().ask(heard.append)
    assert heard == [True]


def test_each_answer_goes_to_its_question(question):
    """Answers are told apart by number, and each is heard once, whatever else a page sends."""
    heard = []
    question.ask(lambda has_arrived: heard.append(("first", has_arrived)))
    question.ask(lambda has_arrived: heard.append(("second", has_arrived)))
    first, second = question.comm.asked
    for content in (None, "answer", {"answer": None}, {"answer": str(second)}, {"answer": -1}, {"answer": [first]}):
        question.comm.answer(content)
    assert heard == []
    for number in (second, first, second):
        question.comm.answer({"answer": number})
    assert heard == [("second", True), ("first", True)]


def test_a_page_that_stays_silent_is_given_up(question, monkeypatch):
    """After a while the question counts as unanswered; an answer that comes later changes nothing."""
    monkeypatch.setattr(roundtrip, "_PATIENCE", 0.01)
    heard, given_up = [], threading.Event()

    def then(has_arrived):
        heard.append(has_arrived)
        given_up.set()

    question.ask(then)
    assert given_up.wait(WAIT)
    question.comm.answer({"answer": question.comm.asked[0]})
    assert heard == [False]
