"""Plots: they show themselves in a notebook, with a text alternative, and nothing else is lost without matplotlib."""

from __future__ import annotations

import html
import re
import sys

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

import vidu_nb as vidu
from vidu_nb.errors import ViduError

SQUARE = 128  # px


@pytest.fixture(scope="module")
def results(make_clip, photo):
    """One result of each measure, on two small clips."""
    frames = [np.roll(photo[:SQUARE, :SQUARE], 6 * i, axis=1) for i in range(12)]
    clip, coarse = (make_clip(f"{crf}.mp4", frames, crf=crf, sound=False) for crf in (12, 26))
    reference = vidu.Reference(photo, name="<wave> & $x_$")
    return {
        "verdict": vidu.reproduces({"<first> & $x_$": clip}, {"second": coarse})[0, 0],
        "consistency": vidu.consistency(clip, reference),
        "framing": vidu.framing(vidu.Video(clip)),
    }


@pytest.mark.parametrize("name", ["verdict", "consistency", "framing"])
def test_a_plot_shows_itself_in_a_notebook(results, name):
    """As a cell's last value it is a picture with a text alternative; drawn again it is the same, to the byte."""
    plot = results[name].plot()
    shown, _ = DisplayFormatter().format(plot)
    picture = re.fullmatch(
        r'<img alt="([^"]+)" style="[^"]+" src="data:image/jpeg;base64,[\w+/=]+">', shown["text/html"]
    )
    assert html.unescape(picture[1]) == plot.alt
    assert not re.search("[<>]", picture[1])
    assert re.fullmatch(r"<Plot size \d+(\.\d+)?x\d+(\.\d+)? with \d+ Axes>", shown["text/plain"])
    assert len(shown["text/html"]) < 150_000
    assert DisplayFormatter().format(results[name].plot())[0] == shown


def test_a_plot_is_a_figure_of_matplotlib(results, tmp_path):
    """So it can be saved in every format, and drawn on."""
    plot = results["verdict"].plot()
    plot.axes[0].set_title("mine")
    plot.savefig(tmp_path / "verdict.svg")
    assert "mine" in (tmp_path / "verdict.svg").read_text()


@pytest.mark.parametrize("name", ["verdict", "consistency", "framing"])
def test_without_matplotlib_the_figures_are_shown_alone(results, name, monkeypatch):
    """The error has the command that installs it, and the table beside the plot says the same as the plot would."""
    for module in "matplotlib", "matplotlib.figure":
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "vidu_nb.measures.figure", raising=False)  # another test may have imported it
    with pytest.raises(ViduError, match=r"pip install 'vidu-nb\[plots\]'"):
        results[name].plot()
    shown = results[name]._repr_html_()
    assert "<img" not in shown
    assert ("plots need matplotlib" in shown) == (name != "verdict")  # which shows a sentence, and no plot unasked
