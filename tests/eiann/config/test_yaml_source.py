"""YAML is read safely, means what it looks like, and every key knows its line."""

# ruff: noqa: E501 - a case of a table stands on one line

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiann.config.yaml_source import load_yaml, parse_scalar, parse_yaml
from eiann.errors import ConfigError

SCALARS = [
    ("1e-3", 0.001), ("1.0e-3", 0.001), ("-2E5", -200000.0), (".5", 0.5), ("3.", 3.0), ("7", 7), ("1_000", 1000), ("0x1f", 31),
    ("true", True), ("No", False), ("on", True), ("", None), ("~", None), ("null", None),
    ("010", "010"), ("12:30", "12:30"), ("2024-01-01", "2024-01-01"), ("1e", "1e"), ("H1.E", "H1.E"), (".", "."), ("none", "none"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_a_scalar_means_what_it_looks_like(text: str, value: object) -> None:
    found = parse_yaml(f"key: {text}\n")[0]
    assert found == {"key": value}
    assert type(parse_scalar(text)) is type(value)


def test_quoted_text_stays_text() -> None:
    assert parse_yaml("a: '1'\nb: \"true\"\nc: |\n  12\nd: !!str 5\n")[0] == {
        "a": "1",
        "b": "true",
        "c": "12\n",
        "d": "5",
    }


def test_keys_are_text_whatever_they_look_like() -> None:
    assert parse_yaml("1: a\non: b\nnull: c\n1e-3: d\n")[0] == {"1": "a", "on": "b", "null": "c", "1e-3": "d"}


def test_the_tuple_tag_of_the_reference_is_a_list() -> None:
    assert parse_yaml("a: !!python/tuple\n- 0\n- null\nb: !!python/tuple [1, 2]\n")[0] == {"a": [0, None], "b": [1, 2]}


def test_anchors_are_copied_and_merged() -> None:
    text = "a: &x {p: 1, q: [2]}\nb: *x\nc:\n  r: 4\n  <<: *x\n  p: 3\n"
    data = parse_yaml(text)[0]
    assert isinstance(data, dict)
    assert data["b"] == data["a"]
    assert data["b"] is not data["a"]
    assert data["c"] == {"p": 3, "q": [2], "r": 4}


def test_every_key_knows_its_line() -> None:
    source = parse_yaml("a:\n  b: 1\n  c:\n  - 5\n  - {d: 6}\ne: &x\n  f: 1\ng: *x\n", "net.yaml")[1]
    lines = {
        ("a",): 1, ("a", "b"): 2, ("a", "c"): 3, ("a", "c", 0): 4, ("a", "c", 1, "d"): 5, ("g",): 8,
    }  # fmt: skip
    for path, line in lines.items():
        assert source.location(path) == f"net.yaml:{line}"
    assert source.location(("a", "c", 1, "nothing", 3)) == "net.yaml:5"
    assert source.location(("g", "f")) == "net.yaml:8"


REFUSED = [
    ("a: 1\nb: 2\na: 3", "n:3: a: the key is given twice, first on line 1"),
    ("a:\n  b: 1\n  b: 2", "n:3: a.b: the key is given twice, first on line 2"),
    (
        "a: !!python/object/apply:os.system [ls]",
        "n:1: a: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not",
    ),
    ("a: !thing x", "n:1: a: the tag '!thing' is not accepted"),
    ("a: !!int x", "n:1: a: found 'x', which is no int"),
    ("*.E: 1", "n:1: not valid YAML"),
    ("a: *b", "n:1: a: the alias *b has no anchor above it; text that begins with * wants quotes"),
    ("a: &b [*b]", "n:1: a[0]: the alias *b has no anchor"),
    ("[1]: 2", "n:1: a key is text"),
    ("a: 1\n---\nb: 2", "n:2: found a second document"),
    ("a: [", "n:2: not valid YAML"),
    ("a:\n\t- b", "n:2: not valid YAML: found a tab; indent with spaces"),
    ("a:\n  b: 1\n\tc: 2", "n:3: not valid YAML: found a tab; indent with spaces"),
    (
        "a: {E <- E: init[3]}",
        "n:1: not valid YAML: while parsing a flow mapping: did not find expected ',' or '}'; inside",
    ),
    ("a: b: c", "n:1: not valid YAML"),
    ("a:\n  <<: 3", "n:2: a.<<: << merges mappings"),
    ("\0", "n: not valid YAML"),
    ("[" * 5000, "n:1: nested more than 100 deep"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_no_plain_data_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_yaml(text, "n")
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_aliases_cannot_blow_up() -> None:
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match="more than 200000 values"):
        parse_yaml("\n".join(lines))
    deep = ["a0: &a0 [1]", *(f"a{n}: &a{n} {'[' * 60}*a{n - 1}{']' * 60}" for n in range(1, 50))]
    with pytest.raises(ConfigError, match="nested more than 100 deep"):
        parse_yaml("\n".join(deep))


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00x\x80")
    for path, message in (
        (tmp_path / "no.yaml", "no such file"),
        (tmp_path, "folder"),
        (tmp_path / "binary.yaml", "UTF-8"),
    ):
        with pytest.raises(ConfigError, match=message) as error:
            load_yaml(path)
        assert str(error.value).startswith(str(path))


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    data, source = load_yaml(path)
    assert data == {"a": 1, "b": 2}
    assert source.location(("b",)) == f"{path}:2"


@given(st.text())
def test_any_text_is_data_or_one_line(text: str) -> None:
    message = ""
    try:
        parse_yaml(text)
    except ConfigError as error:
        message = str(error)
    assert "\n" not in message
