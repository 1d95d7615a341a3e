"""The command `skhash`: what it prints, its exit status, and an index that survives interruptions."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from skhash import HammingIndex, PerceptualHasher
from skhash.cli import PictureIndex, _picture_index, main
from skhash.cli._options import KINDS as CLI_KINDS
from skhash.perceptual import KINDS

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def run(capsys):
    """Run the command; return its status and what it wrote to both streams."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def names(matches, folder):
    return [os.path.relpath(name, folder) for name, _ in matches]


def test_the_parser_knows_all_kinds():
    assert CLI_KINDS == KINDS  # it does not import them: the help would take a second


def test_duplicates_as_text(photos, run):
    status, out, err = run("duplicates", photos, "-j", 1)
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "group 1: keep the first (most pixels)"
    assert re.fullmatch(rf"  {photos}/more/01\.png  64 x 48, \d+ kB, 0 bits", lines[1])
    assert re.fullmatch(rf"  {photos}/01 small\.png  32 x 24, \d+ kB, \d bits", lines[2])
    assert re.fullmatch(r"1 group; 1 of 41 pictures redundant \(0\.0 MB\), 1 skipped", lines[3])
    assert err == f"skhash: skipped '{photos}/broken.jpg' is not an image file that Pillow can read.\n"


def test_duplicates_as_json_and_as_a_page(photos, run, tmp_path):
    page = tmp_path / "page.html"
    status, out, err = run("duplicates", photos, "--json", "--html", page, "--hasher", "dhash", "--bits", 128)
    assert (status, err) == (0, "")
    contents = json.loads(out)
    assert (contents["hasher"], contents["bits"], contents["max_distance"]) == ("dhash", 128, 8)
    assert [group["keep"] for group in contents["groups"]] == [f"{photos}/more/01.png"]
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image") == 2
    assert "<h1>1 group of nearly equal pictures</h1>" in text


def test_folder_against_folder(photos, run, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    Image.open(photos / "04.png").resize((90, 80)).save(other / "four.png")
    _, out, _ = run("duplicates", other, "--against", photos, "--json", "--linkage", "complete")
    found = json.loads(out)["groups"]
    assert [[each["name"] for each in group["pictures"]] for group in found] == [
        [f"{other}/four.png", f"{photos}/04.png"]
    ]
    assert main(["duplicates", str(other), "--max-distance", "0", "--json"]) == 0


def test_duplicates_of_an_index_are_those_of_the_folder(photos, run, tmp_path, monkeypatch):
    index, other = tmp_path / "index", tmp_path / "other"
    other.mkdir()
    Image.open(photos / "04.png").resize((90, 80)).save(other / "four.png")
    os.utime(photos / "01 small.png", ns=(1_700_000_000_933_488_500,) * 2)  # `st_mtime` rounds to another microsecond
    expected = run("duplicates", photos, "--json")[1]
    assert run("duplicates", photos, "--json", "--index", index) == (0, expected, "")
    across = run("duplicates", photos, "--json", "--against", other)[1]
    read = []
    monkeypatch.setattr(_picture_index, "encode_pictures", lambda *arguments, **_: read.append(arguments[2]))
    assert run("duplicates", photos, "--json", "--index", index) == (0, expected, "")
    assert run("duplicates", photos, "--json", "--index", index, "--against", other)[1] == across
    assert "four.png" in across
    assert read == []
    page = tmp_path / "page.html"
    assert run("duplicates", photos, "--index", index, "--html", page)[0] == 0
    assert page.read_text(encoding="utf-8").count("data:image") == 2
    monkeypatch.undo()
    assert json.loads(run("duplicates", photos, "--json", "--index", tmp_path / "d", "--hasher", "dhash")[1])["groups"]
    assert json.loads(run("duplicates", photos, "--json", "--index", tmp_path / "d")[1])["hasher"] == "dhash"


def test_errors_are_one_line_and_status_1(photos, run, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.txt").write_text("")
    made = tmp_path / "made"
    run("index", photos, "--out", made)
    for arguments, message in [
        (["duplicates", tmp_path / "no"], "is not a folder; it does not exist"),
        (["duplicates", tmp_path / "none.txt"], "none.txt' is not a folder."),
        (["duplicates", photos, "--against", tmp_path / "no"], "is not a folder"),
        (["duplicates", tmp_path / "empty"], "no image files"),
        (["duplicates", photos, "--strict"], "broken.jpg"),
        (["duplicates", photos, "--strict", "--index", tmp_path / "index"], "--strict does not go with --index"),
        (["duplicates", photos, "--index", photos], "not an index of pictures and not empty"),
        (["duplicates", photos, "--max-distance", -1], "max_distance"),
        (["duplicates", photos, "--html", tmp_path / "no" / "page.html"], "page.html"),
        (["index", tmp_path / "no", "--out", tmp_path / "index"], "is not a folder"),
        (["index", photos, "--out", photos], "not an index of pictures and not empty"),
        (["search", photos / "00.png", "--index", photos], "is not an index of pictures; make one with: skhash index"),
        (["search", photos / "00.png", "--index", photos / "none"], "none' does not exist; make it with: skhash index"),
        (["search", photos / "broken.jpg", "--index", made], "skhash: error: '"),  # no name of an argument in Python
        (["search", photos, "--index", made], "is a folder; expected an image file"),
    ]:
        status, out, err = run(*arguments)
        assert (status, out, err.count("\n")) == (1, "", 1), arguments
        assert err.startswith("skhash: error: ")
        assert "error: X" not in err
        assert message in err


@pytest.mark.parametrize("arguments", [[], ["find"], ["search", "a.png"], ["search", "a", "--index", "b", "-k", "0"]])
def test_wrong_arguments_end_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: skhash" in capsys.readouterr().err


def test_index_and_search(photos, run, tmp_path):
    index = tmp_path / "index"
    status, out, err = run("index", photos, "--out", index)
    assert (status, out) == (0, "41 read, 0 unchanged, 0 removed, 1 skipped\n")
    assert err == f"skhash: skipped '{photos}/broken.jpg' is not an image file that Pillow can read.\n"
    assert run("index", photos, "--out", index)[1] == "0 read, 41 unchanged, 0 removed, 1 skipped\n"
    query = tmp_path / "query.jpg"
    Image.open(photos / "more" / "01.png").save(query, quality=90)
    status, out, err = run("search", query, "--index", index, "-k", 3)
    assert (status, err) == (0, "")
    lines = [line.split("\t") for line in out.splitlines()]
    assert {lines[0][1], lines[1][1]} == {f"{photos}/more/01.png", f"{photos}/01 small.png"}
    distances = [int(line[0]) for line in lines]
    assert distances == sorted(distances)
    found = json.loads(run("search", query, "--index", index, "--json", "-k", 100)[1])
    assert len(found) == 41
    assert [(each["name"], each["distance"]) for each in found[:3]] == [(line[1], int(line[0])) for line in lines]
    assert run("search", photos / "broken.jpg", "--index", index)[0] == 1


def test_the_index_is_that_of_the_hasher(photos, tmp_path):
    index = PictureIndex.create(tmp_path / "index", photos, "dhash", 100)
    index.update()
    codes = HammingIndex.open(tmp_path / "index" / "codes")
    paths = [photos / name for name in codes.ids_]
    expected = HammingIndex().fit(PerceptualHasher("dhash", bits=100).transform(paths))
    np.testing.assert_array_equal(codes.codes_, expected.codes_)


def test_an_update_reads_only_what_is_new_or_changed(photos, run, tmp_path, monkeypatch):
    index = tmp_path / "index"
    run("index", photos, "--out", index)
    read = []
    encode = _picture_index.encode_pictures

    def spy(items, names, rows, hasher, **options):
        read.extend(names[row] for row in rows)
        return encode(items, names, rows, hasher, **options)

    monkeypatch.setattr(_picture_index, "encode_pictures", spy)
    (photos / "02.png").unlink()
    (photos / "more" / "03.png").unlink()
    Image.open(photos / "04.png").rotate(90).save(photos / "06.png")
    os.utime(photos / "08.png", (1, 1))
    Image.open(photos / "00.png").save(photos / "new.png")
    Image.open(photos / "00.png").save(photos / "broken.jpg")  # it is repaired
    (photos / "10.png").write_bytes(b"")  # it is damaged
    status, out, err = run("index", photos, "--out", index)
    assert (status, out) == (0, "4 read, 36 unchanged, 2 removed, 1 skipped\n")
    assert sorted(read) == ["06.png", "08.png", "10.png", "broken.jpg", "new.png"]
    assert "10.png" in err
    codes = HammingIndex.open(index / "codes")
    remaining = {os.path.relpath(path, photos) for path in photos.rglob("*.*g")} - {"10.png"}
    assert set(codes.ids_) == remaining
    expected = PerceptualHasher("phash+dhash", bits=128).transform([photos / name for name in codes.ids_])
    np.testing.assert_array_equal(codes.codes_, HammingIndex().fit(expected).codes_)


def test_an_interruption_keeps_what_was_read(photos, run, tmp_path, monkeypatch):
    index = tmp_path / "index"
    calls = []
    encode = _picture_index.encode_pictures

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(*arguments, **options)

    monkeypatch.setattr(_picture_index, "encode_pictures", interrupted)
    status, out, err = run("index", photos, "--out", index, "-j", 1)
    assert (status, out) == (130, "")
    assert err == "skhash: interrupted: 31 of 42 pictures are in the index; the same command continues\n"
    status, out, _ = run("index", photos, "--out", index, "-j", 1)
    assert (status, out) == (0, "10 read, 31 unchanged, 0 removed, 1 skipped\n")


@pytest.mark.parametrize("failing", ["append_blocks", "write"])
def test_a_crash_at_any_step_of_a_commit_is_repaired(failing, photos, tmp_path, monkeypatch):
    index = PictureIndex.create(tmp_path / "index", photos, "phash", 64)
    if failing == "append_blocks":  # before the codes of the second batch
        monkeypatch.setattr(HammingIndex, "append_blocks", lambda *_: (_ for _ in ()).throw(MemoryError))
    else:  # between the codes of a batch and the lines of its files
        monkeypatch.setattr(_picture_index.os, "fsync", lambda *_: (_ for _ in ()).throw(MemoryError))
        monkeypatch.setattr(_picture_index, "atomic_replace", None)
    with pytest.raises((MemoryError, TypeError)):
        index.update(batch=16)
    monkeypatch.undo()
    lines = tmp_path / "index" / "files.jsonl"
    if lines.exists():
        lines.write_bytes(lines.read_bytes()[:-20])  # the end of a line is lost
    counts = PictureIndex.open(tmp_path / "index").update()
    assert counts["read"] + counts["unchanged"] == 41
    assert counts["read"] > 20
    codes = HammingIndex.open(tmp_path / "index" / "codes")
    assert len(codes) == 41
    HammingIndex.verify(tmp_path / "index" / "codes")
    assert index.update() == {"read": 0, "unchanged": 41, "removed": 0, "skipped": 1}


def test_lost_codes_are_made_again(photos, run, tmp_path):
    index = tmp_path / "index"
    run("index", photos, "--out", index)
    shutil.rmtree(index / "codes")
    assert PictureIndex.open(index).search(photos / "00.png", 3) == []
    assert run("index", photos, "--out", index)[1] == "41 read, 0 unchanged, 0 removed, 1 skipped\n"


def test_an_index_may_lose_all_its_codes(photos, run, tmp_path):
    index = tmp_path / "index"
    run("index", photos, "--out", index)
    for path in photos.rglob("*.png"):
        path.unlink()  # the damaged file stays
    assert run("index", photos, "--out", index)[1] == "0 read, 0 unchanged, 41 removed, 1 skipped\n"
    Image.new("L", (9, 9)).save(tmp_path / "query.png")
    assert run("search", tmp_path / "query.png", "--index", index) == (0, "", "")
    assert json.loads(run("duplicates", photos, "--json", "--index", index)[1])["groups"] == []
    Image.new("L", (9, 9)).save(photos / "new.png")
    assert run("index", photos, "--out", index)[1] == "1 read, 0 unchanged, 0 removed, 1 skipped\n"


def test_settings_that_differ_are_refused(photos, run, tmp_path):
    index = tmp_path / "index"
    run("index", photos, "--out", index, "--hasher", "dhash")
    assert "was made with 'dhash', not 'phash'" in run("index", photos, "--out", index, "--hasher", "phash")[2]
    assert "was made with 64, not 128" in run("index", photos, "--out", index, "--bits", 128)[2]
    assert "is an index of" in run("index", photos / "more", "--out", index)[2]
    settings = json.loads((index / "settings.json").read_text())
    (index / "settings.json").write_text(json.dumps({**settings, "version": 9}))
    assert "has version 9; this release reads version 1" in run("index", photos, "--out", index)[2]


def test_a_folder_that_lost_all_its_pictures_is_an_error(photos, run, tmp_path):
    """A disk that is not mounted does not empty the index."""
    index = tmp_path / "index"
    run("index", photos, "--out", index)
    for path in photos.rglob("*.*g"):
        path.unlink()
    assert run("index", photos, "--out", index)[0] == 1
    assert len(PictureIndex.open(index).codes) == 41
    Image.new("L", (9, 9)).save(photos / "new.png")
    assert run("index", photos, "--out", index)[1] == "1 read, 0 unchanged, 41 removed, 0 skipped\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_valid_text(photos, tmp_path):
    os.rename(photos / "00.png", os.fsencode(photos) + b"/\xff\n.png")
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}

    def command(*arguments):
        code = [sys.executable, "-m", "skhash", *map(str, arguments)]
        return subprocess.run(code, capture_output=True, env=environment, check=True).stdout

    Image.open(os.fsencode(photos) + b"/\xff\n.png").save(tmp_path / "copy.png")
    assert command("index", photos, "--out", tmp_path / "index").startswith(b"41 read")
    lines = command("search", tmp_path / "copy.png", "--index", tmp_path / "index", "-k", 1).splitlines()
    assert lines == [b"0\t" + os.fsencode(photos) + rb"/\xff\n.png"]
    os.rename(photos / "broken.jpg", os.fsencode(photos) + b"/\xfe.jpg")
    page = tmp_path / "page.html"
    contents = json.loads(command("duplicates", photos, "--json", "--max-distance", 127, "--html", page))
    assert os.fsdecode(os.fsencode(photos) + b"/\xff\n.png") in [
        picture["name"] for group in contents["groups"] for picture in group["pictures"]
    ]
    assert r"/\xff\n.png" in page.read_text(encoding="utf-8")
    assert r"/\xfe.jpg: " in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_names_command_no_terminal_and_print_in_any_encoding(encoding, photos):
    for name in ("\x1b[31mred.png", "\u65e5\u672c.png"):
        shutil.copy(photos / "00.png", photos / name)
    out = subprocess.run(
        [sys.executable, "-m", "skhash", "duplicates", photos],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=True,
    ).stdout
    assert rb"\x1b[31mred.png" in out
    assert b"\x1b" not in out
    assert (rb"\u65e5\u672c.png" if encoding == "ascii" else "\u65e5\u672c.png".encode()) in out


def test_two_processes_do_not_update_one_index(photos, run, tmp_path, monkeypatch):
    pytest.importorskip("fcntl")
    index, at_once = tmp_path / "index", []
    encode = _picture_index.encode_pictures

    def meanwhile(*arguments, **options):
        code = [sys.executable, "-m", "skhash", "index", photos, "--out", index]
        at_once.append(subprocess.run(code, capture_output=True, text=True, check=False))
        return encode(*arguments, **options)

    monkeypatch.setattr(_picture_index, "encode_pictures", meanwhile)
    assert run("index", photos, "--out", index, "--jobs", 3)[1] == "41 read, 0 unchanged, 0 removed, 1 skipped\n"
    assert (at_once[0].returncode, at_once[0].stdout) == (1, "")
    assert "is being updated by another process" in at_once[0].stderr
    assert run("index", photos, "--out", index)[1] == "0 read, 41 unchanged, 0 removed, 1 skipped\n"


def test_what_a_killed_process_left_is_removed(photos, run, tmp_path):
    pytest.importorskip("fcntl")
    index = tmp_path / "index"
    index.mkdir()
    (index / "settings.json.0123456789abcdef.tmp").write_bytes(b"{")
    assert run("index", photos, "--out", index)[0] == 0
    (index / "files.jsonl.0123456789abcdef.tmp").write_bytes(b"")
    assert run("index", photos, "--out", index)[0] == 0
    assert sorted(path.name for path in index.iterdir()) == ["codes", "files.jsonl", "settings.json"]


def test_a_file_that_goes_while_the_folder_is_listed_is_left_out(photos, run, tmp_path, monkeypatch):
    pictures = _picture_index.list_pictures
    monkeypatch.setattr(_picture_index, "list_pictures", lambda root: [*pictures(root), f"{root}/gone.png"])
    assert run("index", photos, "--out", tmp_path / "index")[1] == "41 read, 0 unchanged, 0 removed, 1 skipped\n"


def test_progress_is_on_the_standard_error_stream(photos, run, tmp_path):
    _, out, err = run("index", photos, "--out", tmp_path / "index", "--progress")
    assert "42/42" in err
    assert out.count("\n") == 1


def test_a_reader_that_stops_early_is_no_traceback(photos):
    code = f"{sys.executable} -m skhash duplicates {photos} --json | true"
    run = subprocess.run(["bash", "-c", f"set -o pipefail; {code}"], capture_output=True, text=True)
    assert run.stderr == ""
