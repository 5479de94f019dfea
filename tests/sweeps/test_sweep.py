"""A sweep makes what its plan says, shows it as it lands, stops when it should, and goes on where it stood."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbformat
import pytest
from faults import KEY
from nbclient import NotebookClient

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.commands.cli import main
from vidu_nb.sweeps.grid import MAX_SHOWN, Grid
from vidu_nb.sweeps.runner import Runner

pytestmark = pytest.mark.usefixtures("small_frames")

CAT = "https://example.com/cat.png"
EVIL = "<script>alert(1)</script> & a cat"


@pytest.fixture
def client(faults):
    """A paying client of the fault server, whose prompts choose the faults."""
    return vidu.Client(KEY, faults.root, price_usd=0.5, timeout=10, notify=len)


@pytest.fixture
def _beside(draft, monkeypatch):
    """The notebook stands beside the archive, so that links play."""
    monkeypatch.chdir(draft.archive.folder.parent)


@pytest.fixture(scope="module")
def draft(tmp_path_factory):
    """A free client of the preview engine's drafts."""
    return vidu.Client.preview(quality="draft", archive=tmp_path_factory.mktemp("drafts") / "kept")


@pytest.fixture(scope="module")
def swept(draft, photo):
    """A small sweep of two seeds in two ratios with a prompt that is no HTML."""
    return vidu.sweep(EVIL, photo, seed=[1, 2], aspect_ratio=["1:1", "9:16"], bgm=False, client=draft)


# What comes out.


def test_every_combination_lands_in_the_plans_order(swept):
    """One clip for each request, found by place and by parameters."""
    assert len(swept) == 4
    assert [(one.request.aspect_ratio, one.request.seed) for one in swept] == [
        ("1:1", 1), ("1:1", 2), ("9:16", 1), ("9:16", 2),
    ]  # fmt: skip
    assert swept.at(seed=2, aspect_ratio="9:16").path == swept[3].path == swept.results[-1].path
    assert repr(swept) == "Sweep(4 of 4 clips)"
    assert (swept.spent_usd, swept.failed, swept.stopped) == (0.0, [], "")


def test_running_it_again_replays(swept, draft, photo):
    """The same files, at no cost, named replayed in the table."""
    again = vidu.sweep(EVIL, photo, seed=[1, 2], aspect_ratio=["1:1", "9:16"], bgm=False, client=draft)
    assert [one.path for one in again] == [one.path for one in swept]
    assert [row["state"] for row in again.table().to_dict("records")] == ["replayed"] * 4
    assert again.plan.kept == 4


def test_the_table_has_a_row_for_each_request(swept):
    """Swept parameters, seed, state, file, cost, seconds and error."""
    table = swept.table()
    assert list(table.columns) == ["aspect_ratio", "seed", "state", "file", "cost_usd", "elapsed_s", "error"]
    assert list(table["cost_usd"]) == [0.0] * 4
    assert all(Path(name).suffix == ".mp4" for name in table["file"])


def test_a_table_of_some_columns(swept):
    """In the order in which they are named; a name that is none is told, with those that are."""
    assert list(swept.table("seed", "aspect_ratio").columns) == ["seed", "aspect_ratio"]
    assert swept.rows("seed")[1] == {"seed": 2}
    with pytest.raises(errors.InvalidRequest, match=r"columns: 'price' is none of aspect_ratio, seed, state") as caught:
        swept.table("price")
    assert caught.value.field == "columns"


def test_without_pandas_the_table_is_text(swept, monkeypatch):
    """A list of dicts that shows itself in columns."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert repr(swept.table("seed", "state")).splitlines()[:2] == ["seed  state", "1     landed"]
    table = swept.table()
    assert table[3]["seed"] == 2
    assert repr(table).splitlines()[0].split() == [*table[0]]
    assert len(repr(table).splitlines()) == 5


@pytest.mark.usefixtures("_beside")
def test_the_grid_has_rows_columns_and_labels_that_stay_text(swept):
    """Two swept parameters make a table; a prompt is never markup; a clip costs little of the notebook."""
    html = swept._repr_mimebundle_()["text/html"]
    assert html.count("<video") == 4
    assert html.count('scope="col"') == html.count('scope="row"') == 2
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert len(html) < 4 * 60_000
    assert 'preload="metadata"' in html


def test_labels_of_prompts_stay_text():
    """A swept prompt is a heading, and an error's words are shown: both escaped."""
    plan = vidu.Plan.of([EVIL, "<b>A dog</b>"], CAT, seed=[1, 2])
    html = Grid(plan, {0: errors.ViduError("<i>no</i>")}, headline="<u>").html({1})
    assert not [tag for tag in ("<script", "<b>", "<i>", "<u>") if tag in html]
    assert "being made" in html


def test_three_swept_parameters_make_headings():
    """The slowest one is a heading above each table."""
    plan = vidu.Plan.of(["A cat", "A dog"], CAT, seed=[1, 2], bgm=[True, False])
    html = Grid(plan, {}).html()
    assert html.count("<table") == 2
    assert html.index("A cat") < html.index("A dog")
    assert html.count("bgm off") == 2


@pytest.mark.usefixtures("_beside")
def test_a_long_sweep_shows_a_page_of_clips_and_counts_the_rest(swept):
    """The notebook stays small however many there are."""
    plan = vidu.Plan.of("A cat", CAT, seed=range(1, 101))
    grid = Grid(plan, dict.fromkeys(range(60), swept[0]))
    html = grid.html()
    assert html.count("<video") == MAX_SHOWN
    assert "and 36 more" in html
    assert len(repr(grid).splitlines()) <= MAX_SHOWN + 2


@pytest.mark.usefixtures("_beside")
def test_clips_are_compared_in_step(swept, client):
    """Up to nine, each under its label; more are refused with the cure."""
    player = swept.compare()
    assert player.labels == ("1:1 · seed 1", "1:1 · seed 2", "9:16 · seed 1", "9:16 · seed 2")
    many = vidu.sweep("A cat", CAT, seed=range(1, 11), client=client, confirm=True)
    with pytest.raises(errors.InvalidRequest, match="10 clips, and 9 fit: choose"):
        many.compare()


# What it may cost.


@pytest.mark.parametrize(
    ("many", "budget", "asks"),
    [(1, None, True), (2, 1.0, False), (3, 1.0, False), (3, 1.5, True), (9, 0.5, False), (3, 9, True)],
)
def test_more_than_a_dollar_or_no_budget_needs_a_word(client, faults, many, budget, asks):
    """`confirm=True` is asked for before anything is sent, with the price and the plan."""
    if asks:
        with pytest.raises(errors.ConfirmationNeeded, match=r"about \$\d\.50.*confirm=True") as caught:
            vidu.sweep("A cat", CAT, seed=range(1, many + 1), budget_usd=budget, client=client)
        assert caught.value.plan.price_usd == many * 0.5
        assert faults.posts() == []
    vidu.sweep("A cat", CAT, seed=range(1, many + 1), budget_usd=budget, client=client, confirm=asks)
    assert len(faults.posts()) == min(many, (budget or 9) / 0.5)


def test_what_is_kept_needs_no_word(client, faults):
    """A sweep that only replays costs nothing and asks nothing."""
    vidu.sweep("A cat", CAT, seed=[1, 2, 3], client=client, confirm=True)
    again = vidu.sweep("A cat", CAT, seed=[1, 2, 3], client=client)
    assert (len(again.videos), again.spent_usd, len(faults.posts())) == (3, 0.0, 3)


@pytest.mark.parametrize(
    "bad",
    [
        {"quality": "best"}, {"quality": "draft"}, {"max_workers": 0}, {"max_workers": True}, {"executor": "dask"},
        {"budget_usd": -1},
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_setting_is_named_before_anything_runs(client, faults, bad):
    """With the setting's name."""
    with pytest.raises(errors.InvalidRequest, match=next(iter(bad))):
        vidu.sweep("A cat", CAT, seed=[1, 2], client=client, confirm=True, **bad)
    assert faults.posts() == []


# When it stops.


@pytest.mark.parametrize("fault", ["status_401", "status_403", "status_406_credits", "status_404", "status_410"])
def test_what_would_be_said_of_every_call_stops_the_sweep(client, faults, fault):
    """A wrong key, no credits, no permission, no model: nobody asks twenty times to hear it twenty times."""
    prompts = ["A cat", *(f"A cat, {n} [fault:{fault}]" for n in range(20))]
    swept = vidu.sweep(prompts, CAT, client=client, confirm=True, max_workers=2)
    assert len(faults.posts()) <= 4
    assert len(swept.videos) == 1
    assert swept.stopped
    assert swept.results[-1] is None
    assert "not asked for" in repr(swept)


def test_an_error_of_one_request_stays_its_own(client):
    """Refusals and unknown outcomes are kept in their place, and the others are made."""
    prompts = ["A cat", "B [fault:status_400]", "C cat", "D [fault:reset_after_body]", "E cat", "F [fault:status_422]"]
    swept = vidu.sweep(prompts, CAT, client=client, confirm=True, max_workers=1)
    kinds = [type(one).__name__ for one in swept.results]
    assert kinds == ["Video", "BadRequest", "Video", "Interrupted", "Video", "JobFailed"]
    assert swept.spent_usd == 0.5 + 3 * 0.5
    assert [row["state"] for row in swept.table().to_dict("records")].count("failed") == 3
    with pytest.raises(errors.BadRequest):
        _ = swept[1]


@pytest.mark.parametrize("fault", ["status_500", "status_503", "reset_after_body"])
def test_a_service_in_trouble_is_not_paid_to_prove_it(client, faults, fault):
    """Three in a row, and no more are asked for."""
    prompts = [f"A cat, {n} [fault:{fault}]" for n in range(12)]
    swept = vidu.sweep(prompts, CAT, client=client, confirm=True, max_workers=1)
    assert len(faults.posts()) == 3
    assert "3 calls in a row went wrong" in swept.stopped


def test_what_went_wrong_earlier_is_no_trouble_of_today(client, faults):
    """Calls of unknown outcome from another day are refused without a call, and don't stop the others."""
    bad = [f"A cat, {n} [fault:reset_after_body]" for n in range(3)]
    vidu.sweep(bad, CAT, client=client, confirm=True, max_workers=1)
    swept = vidu.sweep([*bad, "A cat"], CAT, client=client, confirm=True, max_workers=1)
    assert len(faults.posts()) == 4
    assert [len(swept.videos), len(swept.failed), swept.spent_usd] == [1, 3, 0.5]


def test_a_mistake_of_ours_is_raised_where_it_is_waited_for(client):
    """No thread dies in silence, and nobody waits for ever."""
    runner = Runner(vidu.Plan.of("A cat", CAT, seed=[1, 2]), client, workers=2, order=[7, 0, 1])
    runner.start()
    with pytest.raises(IndexError):
        runner.wait(10)


def test_a_runner_takes_any_sequence_of_requests(client):
    """Each result stands at its request's place, in whatever order they were made; the progress adds up."""
    requests = [vidu.VideoRequest(prompt=f"A cat{end}", references=CAT) for end in ("", " [fault:status_400]", " runs")]
    runner = Runner(requests, client, workers=1, order=[2, 0, 1])
    runner.start()
    assert runner.wait(20)
    assert [type(runner.results[index]).__name__ for index in range(3)] == ["Video", "BadRequest", "Video"]
    assert [*runner.results] == [2, 0, 1]
    progress = runner.progress
    assert (progress.done, progress.landed, progress.failed, progress.spent_usd) == (3, 2, 1, 1.0)


def test_a_request_waits_for_the_one_that_it_is_made_of(client, faults):
    """However many threads there are; where that one fails it is never asked for, and the others go on."""
    requests = [vidu.VideoRequest(prompt=f"A cat, {n}{end}", references=CAT) for n, end in enumerate(ENDS)]
    runner = Runner(requests, client, workers=6, after={1: 0, 2: 1, 4: 3, 5: 4})
    runner.start()
    assert runner.wait(20)
    assert {index: type(one).__name__ for index, one in sorted(runner.results.items())} == {
        0: "Video", 1: "Video", 2: "Video", 3: "BadRequest",
    }  # fmt: skip
    order = [seen.prompt[7] for seen in faults.posts()]
    assert order.index("0") < order.index("1") < order.index("2")
    assert runner.progress.reason == ""


ENDS = ("", "", "", " [fault:status_400]", "", "")


def test_what_waits_for_another_ends_with_the_run(client):
    """Stopped, it is not asked for, though what it waits for lands; no thread is left."""
    requests = [vidu.VideoRequest(prompt=f"A cat, {n} [fault:good_slow]", references=CAT) for n in range(2)]
    runner = Runner(requests, client, workers=2, after={1: 0})
    runner.start()
    runner.stop("enough")
    assert runner.wait(20)
    assert 1 not in runner.results


def test_stopping_a_run_that_has_ended_changes_nothing(client):
    """Only what is still to come can be stopped."""
    runner = Runner(vidu.Plan.of("A cat", CAT, seed=[1, 2]), client)
    runner.start()
    assert runner.wait(20)
    runner.stop("interrupted")
    assert runner.progress.reason == ""


# In a notebook.


def test_a_notebook_keeps_the_grid_once_and_nothing_of_the_way(encoded, tmp_path):
    """Plan and grid stay; the bar, times and past prices don't; the cell's value is a line of text."""
    cells = [
        "import vidu_nb as vidu",
        "prompts = ['A wave', 'A <b>wall</b>']",
        "grid = vidu.sweep(prompts, 'cat.png', aspect_ratio='1:1', bgm=False, quality='draft')\ngrid",
        "grid",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    (tmp_path / "cat.png").write_bytes(encoded())
    client.execute()
    outputs = notebook.cells[2].outputs
    html = "".join(one.data.get("text/html", "") for one in outputs)
    assert html.count("<video") == 2
    assert html.count("Plan: 2 requests<") == 1
    assert "2 of 2 clips" in html
    assert not [word for word in ("progressbar", "so far", "free, about", "<b>") if word in html]
    assert outputs[-1].data == {"text/plain": "Sweep(2 of 2 clips)"}
    assert not [one for one in outputs if "application/vnd.jupyter.widget-view+json" in one.data]
    assert notebook.cells[3].outputs[0].data["text/html"].count("<video") == 2
    assert len(html) < 2 * 60_000


# The command line.


@pytest.fixture
def command(faults, monkeypatch, capsys):
    """Runs ``vidu-nb sweep`` as somebody with a key; gives status, standard output and standard error."""

    def run(*words):
        monkeypatch.setenv("SEGMIND_API_KEY", KEY)
        monkeypatch.setenv("SEGMIND_BASE_URL", faults.root)
        status = main(["sweep", *words, "-r", CAT])
        return status, *capsys.readouterr()

    return run


def test_the_command_sweeps_under_a_budget_and_tells_json(command, faults):
    """Values stand beside each other; facts are JSON; what is missing makes the status 1."""
    words = ["A cat", "--seed", "1", "2", "3", "--bgm", "on", "off", "--budget-usd", "2.5", "--yes", "--json"]
    status, out, complaint = command(*words)
    told = json.loads(out)
    assert (status, len(faults.posts())) == (1, 5)
    assert told["plan"]["axes"] == {"seed": [1, 2, 3], "bgm": [True, False]}
    assert [row["state"] for row in told["results"]].count("landed") == 5
    assert told["spent_usd"] == 2.5
    assert "1 of 6 clips are missing" in complaint
    assert KEY not in out + complaint


def test_the_command_needs_a_word_and_a_dry_run_sends_nothing(command, faults):
    """`--dry-run` tells the plan, status 0; without `--yes` nothing is sent, status 1; a wrong value is status 2."""
    status, out, _ = command("A cat", "A dog", "--seed", "1", "2", "--dry-run")
    assert (status, out.startswith("Plan: 4 requests · 4 to make")) == (0, True)
    status, _, complaint = command("A cat", "--seed", "1", "2", "3")
    assert status == 1
    assert "about $1.50; nothing was sent. Add --yes" in complaint
    status, _, complaint = command("A cat", "--seed", "1", "1")
    assert (status, "1 is given twice" in complaint) == (2, True)
    assert faults.posts() == []
