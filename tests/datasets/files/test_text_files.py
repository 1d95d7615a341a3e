import pytest

from skhash.datasets.files._text_files import digits_to_matrix, read_columns, read_lines


def test_lines(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes("\ufeffcafé\r\n\r\nb \n\n \n".encode())
    assert read_lines(path) == ["café", "", "b "]


def test_columns(tmp_path):
    path = tmp_path / "x.csv"
    long = " ".join(["0123456789abcdef"] * 20000)
    path.write_text(f"id,url,images\n a,u,b c\nd,,{long}\n")
    assert read_columns(path, ["images", "id"]) == [(2, ["b c", "a"]), (3, [long, "d"])]


def test_damaged_columns(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("id,images\na,b\nc\n")
    with pytest.raises(ValueError, match=r"x.csv, line 3: expected 2 fields, got 1"):
        read_columns(path, ["id"])
    with pytest.raises(ValueError, match=r"x.csv has the columns \['id', 'images'\]; expected \['id', 'Usage'\]"):
        read_columns(path, ["id", "Usage"])
    path.write_text("")
    with pytest.raises(ValueError, match=r"x.csv has the columns \[\]; expected \['id'\]"):
        read_columns(path, ["id"])


def test_matrix():
    assert digits_to_matrix(["010", "111"], 3).tolist() == [[0, 1, 0], [1, 1, 1]]
