import pytest

from busjax.data.curation import read_list
from busjax.errors import UserError

LETTER = """ID;Filename;Objection;Annotation
{1&318};{benign (1)&benign (318)};;text
2;benign (2);;
3;benign (3);axilla;
{269&648};{benign (269)&normal (1)};multiclass;
"""


@pytest.fixture
def write(tmp_path):
    def to_file(text):
        path = tmp_path / "list.csv"
        path.write_bytes(text.encode())
        return path

    return to_file


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_kept_images(write, bom, line_end):
    path = write(bom + line_end.join(["class;id", "benign;20", "normal;133"]))
    curation = read_list(path)
    assert curation.keep == {"benign (20)", "normal (133)"}
    assert curation.groups == {}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_letter(write, bom, line_end):
    curation = read_list(write(bom + LETTER.replace("\n", line_end)))
    assert curation.keep == {"benign (1)", "benign (2)"}
    assert curation.groups == {
        "benign (1)": "benign (1)",
        "benign (318)": "benign (1)",
        "benign (2)": "benign (2)",
        "benign (3)": "benign (3)",
        "benign (269)": "benign (269)",
        "normal (1)": "benign (269)",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no curation list"),
        ("image,group\na,b\n", "its first line is 'image,group', expected 'class;id' or 'ID;"),
        ("class;id\nbenign;twenty\n", r"'benign \(twenty\)', which names no image"),
        ("class;id\nbenign\n", "'benign', which names no image"),
        ("class;id\ncyst;1\n", r"'cyst \(1\)', which names no image"),
        ("ID;Filename;Objection;Annotation\n1;benign (1)\n", "expected 4 cells"),
        ("ID;Filename;Objection;Annotation\n1;picture 1;;\n", "'picture 1', which names no image"),
        (LETTER + "4;benign (318);;\n", r"has 'benign \(318\)' twice"),
    ],
)
def test_defects(write, text, message):
    with pytest.raises(UserError, match=message):
        read_list(write(text))


def test_unreadable(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_list(tmp_path / "absent.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        read_list(tmp_path / "binary.csv")
