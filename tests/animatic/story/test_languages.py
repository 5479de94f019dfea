"""Prompts in other languages, and in several at once, are read like those in English; English ones are read as ever."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from vidu_nb.animatic.sound.score import write
from vidu_nb.animatic.story.language import FOLDER, Language, languages, read_language
from vidu_nb.animatic.story.moves import MOVES, PACES, SIZES
from vidu_nb.animatic.story.script import clauses, read
from vidu_nb.animatic.story.storyboard import plan
from vidu_nb.animatic.story.vocabulary import read_moods, read_move, read_pace, read_size

ENGLISH = json.loads((Path(__file__).parent / "english_plans.json").read_text(encoding="utf-8"))


def board(prompt, names=("", "", ""), seed=1):
    size = {"width": 1920, "height": 1080, "duration": 5}
    return plan(prompt, list(names), **size, seed=seed, movement_amplitude="auto", bgm=True)


def told(text, count=7):
    """Move, size, pace and pictures, from 1, that one clause asks for."""
    beat = read(text, [""] * count)
    return beat.move, beat.size, beat.pace, [index + 1 for index in beat.pictures]


# ── English ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("prompt", ENGLISH)
def test_an_english_prompt_has_the_plan_that_it_had_before_other_languages_were_read(prompt):
    """Shots and music of version 2 of the engine, which knew English alone; a language added later changes none."""
    shots = plan(
        prompt, ["my_cat.jpg", "coffee-cup.png", "IMG_1.jpg"], width=640, height=360, duration=5, seed=7,
        movement_amplitude="auto", bgm=True,
    ).shots  # fmt: skip
    rows = [f"{x.transition} {x.picture + 1} {x.move}, {x.size}, {x.pace}, {x.frames}" for x in shots]
    score = write(7, 5, prompt)
    assert [*rows, f"{score.tempo:.3f} {score.mood}"] == ENGLISH[prompt]


# ── Chinese ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "prompt",
    [
        "镜头缓慢推近，图2的猫抬头。然后镜头向左摇。",
        "鏡頭緩慢推近，圖2的貓抬頭。然後鏡頭向左搖。",
        "镜头慢慢推近，图二的猫抬头，接着向左摇",
        "第二张图的猫抬头,镜头缓缓地向前推进；随后镜头左摇！",
        "参考图２的猫抬头，缓慢推近。最后镜头从右向左缓缓摇过",
    ],
)
def test_a_chinese_prompt_is_filmed_as_it_says(prompt):
    """A slow push in on picture 2, then a pan to the left that stays with it."""
    shots = board(prompt, ["", ""]).shots
    assert (shots[0].picture, shots[0].move, shots[0].pace) == (1, "push in", "slow")
    assert (shots[-1].picture, shots[-1].move) == (1, "pan left")


@pytest.mark.parametrize(
    ("text", "move", "size", "pace", "pictures"),
    [
        ("运镜：环绕", "orbit", None, "normal", []),
        ("运镜方式：缓慢推进", "push in", None, "slow", []),
        ("[推进] 女孩微笑", "push in", None, "normal", []),
        ("【左移】城市街道", "truck left", None, "normal", []),
        ("[固定]图1", "static", None, "normal", [1]),
        ("女孩微笑，推进", "push in", None, "normal", []),
        ("镜头从左向右横移，展示整个房间", "truck right", None, "normal", []),
        ("鏡頭從右往左平移", "truck left", None, "normal", []),
        ("镜头从左到右缓缓摇过", "pan right", None, "slow", []),
        ("从特写慢慢拉到全景", "pull out", "close-up", "slow", []),
        ("从全景推到人物特写", "push in", "wide", "normal", []),
        ("镜头穿过云层", "push in", None, "normal", []),
        ("火车穿过隧道", None, None, "normal", []),
        ("然后俯冲到湖面", "crane down", None, "normal", []),
        ("老鹰俯冲下来抓鱼", None, None, "normal", []),
        ("升降镜头，由下往上拍", "crane up", None, "normal", []),
        ("子弹时间，环绕主角", "orbit", None, "normal", []),
        ("背景是环绕立体声音箱", None, None, "normal", []),
        ("画面：一只猫绕着椅子跑", None, None, "normal", []),
        ("慢动作，图2", None, None, "slow", [2]),
        ("固定镜头，全景，图3的公园", "static", "wide", "normal", [3]),
        ("镜头保持静止", "static", None, "normal", []),
        ("机位不动，拍摄图四", "static", None, "normal", [4]),
        ("镜头快速推进到图二的人物脸部特写", "push in", "close-up", "fast", [2]),
        ("推镜头，图3", "push in", None, "normal", [3]),
        ("镜头逐渐靠近图1的杯子", "push in", None, "slow", [1]),
        ("镜头慢慢拉远，露出整座城市", "pull out", None, "slow", []),
        ("拉镜头，展现全景", "pull out", "wide", "normal", []),
        ("镜头向后移动", "pull out", None, "normal", []),
        ("镜头拉近，聚焦书的封面", "zoom in", None, "normal", []),
        ("变焦推近猫的眼睛", "zoom in", None, "normal", []),
        ("变焦拉远", "zoom out", None, "normal", []),
        ("轨道推近，近景", "dolly in", "close-up", "normal", []),
        ("轨道后拉", "dolly out", None, "normal", []),
        ("镜头从左向右摇过房间", "pan right", None, "normal", []),
        ("镜头从右到左缓缓扫过", "pan left", None, "slow", []),
        ("摇镜头，图1、图2和图3", "pan right", None, "normal", [1, 2, 3]),
        ("左摇，图１和图３的人物相遇", "pan left", None, "normal", [1, 3]),
        ("甩镜到图3", "whip pan right", None, "fast", [3]),
        ("镜头迅速向左甩", "whip pan left", None, "fast", []),
        ("镜头缓缓上摇，露出火箭", "tilt up", None, "slow", []),
        ("镜头向下摇到第二张图的桌子", "tilt down", None, "normal", [2]),
        ("摄像机向右平移，图1的女孩", "truck right", None, "normal", [1]),
        ("镜头向左横移", "truck left", None, "normal", []),
        ("跟拍图1的男人", "truck right", None, "normal", [1]),
        ("镜头上升，俯瞰城市", "crane up", None, "normal", []),
        ("摇臂镜头向下降低", "crane down", None, "normal", []),
        ("镜头垂直上移", "pedestal up", None, "normal", []),
        ("镜头垂直向下移动", "pedestal down", None, "normal", []),
        ("镜头环绕雕像旋转", "orbit", None, "normal", []),
        ("360度环绕图5的汽车", "orbit", None, "normal", [5]),
        ("镜头向左环绕人物", "orbit left", None, "normal", []),
        ("手持镜头，跟拍图1的男人", "truck right + handheld", None, "normal", [1]),
        ("镜头推近同时向左摇", "push in + pan left", None, "normal", []),
        ("中近景，参考图【2】里的杯子", None, "medium", "normal", [2]),
        ("最后一张图里的狗奔跑", None, None, "normal", [7]),
        ("第一和第三张图片，半身", None, "medium", "normal", [1, 3]),
        ("手持长剑的骑士走进图2的城堡", None, None, "normal", [2]),
        ("他快乐地推开门", None, None, "normal", []),
        ("猫摇头，小狗摇尾巴", None, None, "normal", []),
        ("他向左移动，车向右转", None, None, "normal", []),
        ("图12里没有东西", None, None, "normal", []),
        ("图1和2只狗", None, None, "normal", [1]),
        ("凉快的夏天，愉快的一家", None, None, "normal", []),
        ("鏡頭緩慢橫移，圖二的遠景", "truck right", "wide", "slow", [2]),
        ("第三張圖的特寫，鏡頭環繞", "orbit", "close-up", "normal", [3]),
    ],
)
def test_chinese_words_are_read_and_look_alikes_are_not(text, move, size, pace, pictures):
    """In simplified and traditional characters, with digits of any width and Chinese numerals."""
    assert told(text) == (move, size, pace, pictures)


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("一只猫在睡觉，接着镜头推近，紧接着切换到图2的花园，最后镜头回到猫", 4),
        ("然后，镜头切到图2", 1),
        ("最后一张图里的狗奔跑", 1),
        ("「图1的猫睡了。」然后它醒了！", 2),
        ("他再次醒来", 1),
        ("一小时后下雨了；镜头先推近，再向右摇", 3),
    ],
)
def test_chinese_shots_begin_where_the_words_say_so(prompt, count):
    """Stops of full width, words of sequence and of cuts begin a shot, without any space."""
    assert len(clauses(prompt)) == count


@pytest.mark.parametrize(
    "prompt",
    [
        "第一个镜头：图1的猫，中景。第二个镜头：切到图2的狗，特写。",
        "镜头1：图1的猫，中景。镜头2：图2的狗，特写。",
        "分镜一，图1的猫，中景；分镜二，图2的狗，特写",
        "第一個鏡頭，圖1的貓，中景，第二個鏡頭，圖2的狗，特寫",
    ],
)
def test_numbered_chinese_shots_are_shots(prompt):
    """A list of shots, as people write it: each has its picture and its size."""
    assert [(one.pictures, one.size) for one in (read(text, ["", ""]) for text in clauses(prompt))] == [
        ((0,), "medium"),
        ((1,), "close-up"),
    ]


def test_chinese_cuts_dissolves_and_returns():
    """切到 cuts, 淡入到 dissolves, and 回到 goes back to what shared its words."""
    shots = board("一个老人坐着，切到图2的海边，淡入到图3的夜空。镜头回到老人", ["", "", ""]).shots
    assert [shot.transition for shot in shots[:3]] == ["start", "cut", "dissolve"]
    assert shots[3].picture == shots[0].picture == 0


# ── Several at once ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (
            "镜头 push in 到 image 2, dann langsam schwenken",
            [("push in", None, "normal", [2]), ("pan right", None, "slow", [])],
        ),
        (
            "push in到图2，then pan left，然后 Schnitt auf 图3 close-up",
            [("push in", None, "normal", [2]), ("pan left", None, "normal", []), (None, "close-up", "normal", [3])],
        ),
        ("Wide shot: die Kamera zoomt aus image 1 heraus", [("zoom out", "wide", "normal", [1])]),
        (
            "La cámara se acerca a image 2, dann langsam schwenken",
            [("push in", None, "normal", [2]), ("pan right", None, "slow", [])],
        ),
        (
            "Close-up of the cat, luego paneo a la izquierda，然后镜头推近",
            [(None, "close-up", "normal", []), ("pan left", None, "normal", []), ("push in", None, "normal", [])],
        ),
    ],
)
def test_all_languages_are_read_at_once(prompt, expected):
    """No language has to be chosen, and none is guessed for a whole prompt."""
    assert [told(clause) for clause in clauses(prompt)] == expected


def test_a_word_of_two_languages_is_read_in_that_of_its_sentence():
    """German "fast" is almost, and "war" is was; beside English words they are what they are in English."""
    assert read_pace("Die Katze ist fast eingeschlafen") == "normal"
    assert read_pace("The cat is fast asleep") == read_pace("a fast cat") == "fast"
    assert (read_moods("Es war einmal eine Katze"), read_moods("A war, and a cat")) == ([], ["epic"])
    assert read_pace("Der Hund ist fast da. The car is fast.") == "fast"
    assert read_moods("A suave man at the fiesta, with Luna") == []
    assert read_moods("Una fiesta, con la luna") == ["calm", "happy"]


# ── German ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "move", "size", "pace", "pictures"),
    [
        ("Die Kamera zieht langsam auf", "pull out", None, "slow", []),
        ("Vom Gesicht zieht die Kamera auf und zeigt das Zimmer", "pull out", None, "normal", []),
        ("Sie zieht die Jacke auf und geht", None, None, "normal", []),
        ("Die Kamera bleibt unbewegt", "static", None, "normal", []),
        ("Die Kamera fährt am Haus vorbei", "truck right", None, "normal", []),
        ("Kameraflug durch den Wald aus Bild 2", "push in", None, "normal", [2]),
        ("Drohnenflug in Zeitlupe", None, "wide", "slow", []),
        ("Die Kamera fährt langsam auf das Buch zu", "push in", None, "slow", []),
        ("dann faehrt die Kamera zurueck", "pull out", None, "normal", []),
        ("Langsamer Zoom auf die Katze in Bild 2", "zoom in", None, "slow", [2]),
        ("Die Kamera zoomt heraus", "zoom out", None, "normal", []),
        ("Die Kamera schwenkt schnell nach rechts", "pan right", None, "fast", []),
        ("Linksschwenk, Totale, erstes Bild", "pan left", "wide", "normal", [1]),
        ("Reißschwenk nach links", "whip pan left", None, "normal", []),
        ("Schwenk nach oben, Großaufnahme", "tilt up", "close-up", "normal", []),
        ("Grossaufnahme: die Kamera neigt sich nach unten", "tilt down", "close-up", "normal", []),
        ("Die Kamera fährt nach links", "truck left", None, "normal", []),
        ("Die Kamera folgt dem Mann", "truck right", None, "normal", []),
        ("Kranfahrt nach oben, halbnah", "crane up", "medium", "normal", []),
        ("Die Kamera umkreist die Statue", "orbit", None, "normal", []),
        ("Handkamera, Nahaufnahme des zweiten Bildes", "handheld", "close-up", "normal", [2]),
        ("Statische Einstellung: das 2. Bild und das letzte Foto", "static", None, "normal", [2, 7]),
        ("Die Bilder 1 und 3 begegnen sich", None, None, "normal", [1, 3]),
        ("Er schwenkt die Fahne", None, None, "normal", []),
    ],
)
def test_german_words_are_read_and_look_alikes_are_not(text, move, size, pace, pictures):
    """Inflected, with the verb before or after its subject, and with ae, oe and ue."""
    assert told(text) == (move, size, pace, pictures)
    assert clauses(text) == [text]


# ── Spanish ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "move", "size", "pace", "pictures"),
    [
        ("La cámara se va acercando poco a poco al rostro de la imagen 2", "push in", None, "slow", [2]),
        ("La camara avanza despacio hacia la ventana", "push in", None, "slow", []),
        ("La cámara se mueve hacia la ventana", "push in", None, "normal", []),
        ("Acercamiento lento al libro", "push in", None, "slow", []),
        ("Se aleja la cámara para mostrar la ciudad", "pull out", None, "normal", []),
        ("El plano se abre y vemos la ciudad", "pull out", None, "normal", []),
        ("Zoom lento hacia el libro de la segunda imagen", "zoom in", None, "slow", [2]),
        ("Zoom hacia atrás, plano general", "zoom out", "wide", "normal", []),
        ("Travelling hacia adelante por el pasillo", "dolly in", None, "normal", []),
        ("Dolly hacia atrás", "dolly out", None, "normal", []),
        ("Paneo rápido de derecha a izquierda", "pan left", None, "fast", []),
        ("La cámara gira lentamente hacia la derecha", "pan right", None, "slow", []),
        ("Una panorámica de la ciudad", "pan right", None, "normal", []),
        ("Barrido rápido a la izquierda", "whip pan left", None, "fast", []),
        ("La cámara se inclina hacia arriba", "tilt up", None, "normal", []),
        ("Paneo hacia abajo, primerísimo primer plano", "tilt down", "close-up", "normal", []),
        ("Mueve la cámara a la izquierda", "truck left", None, "normal", []),
        ("La cámara sigue al hombre de la foto 1", "truck right", None, "normal", [1]),
        ("Un travelling por el mercado", "truck right", None, "normal", []),
        ("La cámara se eleva sobre los tejados", "crane up", None, "normal", []),
        ("La cámara baja hasta la mesa", "crane down", None, "normal", []),
        ("La cámara asciende verticalmente", "pedestal up", None, "normal", []),
        ("La cámara orbita alrededor de la estatua", "orbit", None, "normal", []),
        ("La cámara rodea al caballo por la izquierda", "orbit left", None, "normal", []),
        ("Cámara en mano siguiendo al niño, plano medio", "truck right + handheld", "medium", "normal", []),
        ("La cámara sigue fija", "static", None, "normal", []),
        ("Sin movimiento de cámara: imágenes 1, 2 y 3", "static", None, "normal", [1, 2, 3]),
        ("La cámara se acerca y gira a la izquierda", "push in + pan left", None, "normal", []),
        ("La 2.ª foto, la imagen n.º 4 y la última imagen", None, None, "normal", [2, 4, 7]),
        ("La imagen 1 y 2 perros", None, None, "normal", [1]),
        ("Una mujer con una cámara se acerca a la ventana", None, None, "normal", []),
        ("Él mira a la cámara, gira la cabeza", None, None, "normal", []),
        ("Una mujer que se acerca a la cámara", None, None, "normal", []),
        ("La cámara muestra al niño que corre y gira a la izquierda", None, None, "normal", []),
        ("Él la toma de la mano y sube a la torre", None, None, "normal", []),
        ("El perro entra en el encuadre por la izquierda y gira", None, None, "normal", []),
        ("El pan a la izquierda de la mesa", None, None, "normal", []),
        ("El suelo barrido por el viento, luz suave", None, None, "normal", []),
        ("En primer plano un árbol, al fondo la montaña", None, None, "normal", []),
        ("The man travelling by train looks out", None, None, "normal", []),
    ],
)
def test_spanish_words_are_read_and_look_alikes_are_not(text, move, size, pace, pictures):
    """With the verb before or after its subject, of Spain and of America, with and without accents."""
    assert told(text) == (move, size, pace, pictures)
    assert clauses(text) == [text]


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("Un gato duerme, luego se despierta y después la cámara se aleja", 3),
        ("El gato duerme, entonces corte a la imagen 2, y al final volvemos al gato", 3),
        ("Desde luego el gato salta al sofá dos horas después de comer", 1),
        ("Al final del pasillo, el metal se funde en el horno", 1),
        ("Vuelve a llover y el perro vuelve a casa", 1),
    ],
)
def test_spanish_shots_begin_where_the_words_say_so(prompt, count):
    """Words of sequence and of cuts begin a shot; cats that jump and metal that melts don't."""
    assert len(clauses(prompt)) == count


def test_spanish_cuts_dissolves_and_returns():
    """Corte a cuts, fundido a dissolves, and vuelve a goes back to what shared its words."""
    prompt = "Un viejo sentado, corte al mar de la imagen 2, fundido a la noche de la foto 3. La cámara vuelve al viejo"
    shots = board(prompt, ["", "", ""]).shots
    assert [shot.transition for shot in shots[:3]] == ["start", "cut", "dissolve"]
    assert shots[3].picture == shots[0].picture == 0


# ── Music ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("prompt", "moods"),
    [("平静的湖，夜晚", ["calm", "calm"]), ("孩子们快乐地跳舞", ["happy", "happy"]), ("史詩般的戰鬥", ["epic", "epic"]),
     ("Eine traurige, einsame Frau im Regen", ["sad", "sad", "slow"]), ("快速奔跑", ["fast", "fast"]),
     ("Una mujer triste y solitaria bajo la lluvia", ["sad", "sad", "slow"]), ("Un dragón épico", ["epic", "epic"]),
     ("A dragon", ["epic"])],
)  # fmt: skip
def test_the_music_takes_its_mood_from_words_of_any_language(prompt, moods):
    """The longest word counts: 快乐 is happy and not fast."""
    assert read_moods(prompt) == moods


# ── Files ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("file", sorted(FOLDER.iterdir()), ids=lambda file: file.name)
def test_every_language_file_is_sound(file):
    """It is read without an error, every part and spelling in it is used, and its examples mean what they stand for."""
    text = file.read_text(encoding="utf-8")
    language = read_language(text, file.name)
    assert isinstance(language, Language)
    body = text.partition("[parts]")[2]
    for name in re.findall(r"^(\w+) = '", body.partition("\n[moves]")[0], re.MULTILINE):
        assert f"{{{name}}}" in body, f"the part {name} is used nowhere"
    for pair in re.findall(r"\S=\S+", text.partition('spellings = "')[2].partition("\n\n")[0]):
        assert pair[0] in body, f"{pair} is used nowhere"
    for known, reader in ((MOVES, read_move), (SIZES, read_size), (PACES, read_pace)):
        examples = {name: language.examples[name] for name in known if name != "normal"}
        assert {name: reader(example) for name, example in examples.items()} == {name: name for name in examples}


def test_no_music_word_means_another_thing_in_another_language():
    """Unless a file names it as a lookalike."""
    seen = {}
    for language in languages():
        for mood, word in language.moods:
            if not language.lookalikes.fullmatch(word) and not seen.get(word, language).lookalikes.fullmatch(word):
                assert seen.setdefault(word, language) is language or (mood, word) in seen[word].moods


GERMAN = (FOLDER / "de.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"push in" =', '"push inn" =', "[moves] has the unknown key 'push inn': it takes static, push in"),
        ("spaces = true", "", "the file lacks the key 'spaces'"),
        ("spaces = true", 'spaces = "yes"', "spaces is 'yes': it should be a bool"),
        ("[sizes]", "[sizes]\ntiny = ['x']", "[sizes] has the unknown key 'tiny'"),
        ("'stativ',", "'stativ', '(stativ',", "moves.static"),
        ("'stativ',", "'{stativ}',", "{stativ} is none of [parts]: gap, camera"),
        ("'stativ',", "'{das_stativ}',", "{das_stativ} is none of [parts]: gap, camera"),
        ("'stativ',", "'{Stativ2}',", "{Stativ2} is none of [parts]: gap, camera"),
        ("'stativ',", "'st[ä]tiv',", "'ä' has two spellings, so it can't stand in brackets"),
        ("'stativ',", "'stativ', 'heranfahren',", "'heranfahren' stands under 'static' and under 'push in'"),
        ("left = '(", "left = '({left}|", "{left} is a part of itself"),
        ("numbers = ['1|eins', ", "numbers = [", "pictures.numbers has 6 rows"),
        ('slow = "langsam ', 'slow = "langsam ruhig ', "music: 'ruhig' stands under 'calm' and under 'slow'"),
        ('lookalikes = "', 'lookalikes = "und ', "'und' is a lookalike"),
        ("name = ", "name ", "de.toml: "),
    ],
)  # fmt: skip
def test_a_language_file_that_is_wrong_says_where(old, new, said):
    """Unknown and missing keys, wrong types, no patterns, and words of two meanings, with the file's name."""
    assert old in GERMAN
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        read_language(GERMAN.replace(old, new, 1), "de.toml")
    assert str(error.value).startswith("de.toml: ")


def test_a_storyboard_of_a_chinese_prompt_keeps_its_words():
    """What is read with plain letters is shown as it was written."""
    shots = board("镜头推近，图２！", [""]).shots
    assert {shot.text for shot in shots} == {"镜头推近，图２！"}
    assert replace(shots[0], text="").move == "push in"
