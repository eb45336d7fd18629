"""The little language of the compact form."""

# ruff: noqa: E501 - a case of a table stands on one line

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiann.config.clauses import Call, Value, format_value, parse_clauses, parse_value
from eiann.config.places import Place
from eiann.errors import ConfigError

VALUES = [
    ("2", 2), ("1e-3", 0.001), ("true", True), ("none", None), ("null", None), ("'none'", "none"), ("H1.E.Input.E", "H1.E.Input.E"),
    ("[0, none]", [0, None]), ("[]", []), ("[[1, 2], 3]", [[1, 2], 3]), ("'it''s'", "it's"), ('"a, b"', "a, b"),
    ("f()", Call("f")), ("f(1, -2.5)", Call("f", (1, -2.5))), ("f(a=1, b=[1, x])", Call("f", (), {"a": 1, "b": [1, "x"]})),
    (" f( 1 ,a = true ) ", Call("f", (1,), {"a": True})), ("cuda:0", "cuda:0"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_values(text: str, value: object) -> None:
    assert parse_value(text, Place()) == value


def test_a_line_is_a_list_of_clauses() -> None:
    found = parse_clauses("128, tau 2, dend, rule X(a=1, b=2), rule.a 3", Place(None, ("p",)))
    assert [(clause.word, clause.value, clause.bare) for clause in found] == [
        ("", 128, False),
        ("tau", 2, False),
        ("dend", None, True),
        ("rule", Call("X", (), {"a": 1, "b": 2}), False),
        ("rule.a", 3, False),
    ]
    assert found[4].place.path == ("p", "rule", "a")


REFUSED = [
    ("dend soma x", "'x' stands where a comma should be"),
    ("init 2,", "the end stands where a word should be"),
    (", init 2", "',' stands where a word should be"),
    ("init (2)", "'(' stands where a value should be"),
    ("rule X(a=1, 2)", "'2' stands where an argument 'name=value' should be"),
    ("rule X(a=1, a=2)", "the argument 'a' is given twice"),
    ("rule X(", "the end stands where a value should be"),
    ("rule X(a=1", "the end stands where ',' should be"),
    ("rule X(Y(1))", "'Y' stands with arguments where a plain value should be"),
    ("a=b", "'=' stands where a value should be"),
    ("rule 'X", "a quotation mark without its partner"),
    ("1.5", "'1.5' stands where a word should be"),
    ("x " + "[" * 5000, "lists nested more than 20 deep"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_no_clause_says_what_stands_where(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_clauses(text, Place(None, ("projections", "E <- E")))
    assert str(error.value).startswith("projections.'E <- E': found ")
    assert str(error.value).endswith(message)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


@given(plain | st.builds(Call, names, st.just(()), st.dictionaries(names, plain, max_size=3)))
def test_what_is_written_reads_the_same(value: Value) -> None:
    text = format_value(value)
    assert text is not None
    if not isinstance(value, Call) or value.kwargs:
        assert parse_value(text, Place()) == value
    else:
        assert parse_value(f"{text}()", Place()) == value


def test_what_has_no_words_is_not_written() -> None:
    assert format_value({"a": 1}) is None
    assert format_value([1, {"a": 1}]) is None
    assert format_value(Call("f", (), {"a b": 1})) is None


@given(st.text(alphabet="ab1. ,()[]='\"-ü_", max_size=30))
def test_any_text_is_clauses_or_one_line(text: str) -> None:
    message = ""
    try:
        parse_clauses(text, Place())
    except ConfigError as error:
        message = str(error)
    assert "\n" not in message
