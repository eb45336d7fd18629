"""Formulas compute what is written, from left to right in double precision, and nothing else."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiann.errors import ConfigError
from optimize.space.formula import Condition, Formula, suggest

SIZES = {"H1.E": 500, "H2.E": 100, "Output.E": 10}
VALUES = {"p": 0.3, "q": 7.7, "n": 3}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p", 0.3),
        ("2", 2),
        ("-p", -0.3),
        ("p * sqrt(size(H1.E)) / 2", 0.3 * math.sqrt(500) / 2),
        ("p * (sqrt(size(H1.E)) / sqrt(size(H2.E)))", 0.3 * (math.sqrt(500) / math.sqrt(100))),
        ("p / sqrt(size(H1.E))", 0.3 / math.sqrt(500)),
        ("p * q", 0.3 * 7.7),
        ("int(q)", 7),
        ("int(-q)", -7),
        ("int(p * size(H1.E))", 150),
        ("1 - p - q", (1 - 0.3) - 7.7),
        ("p / q / n", (0.3 / 7.7) / 3),
        ("min(p, q, n)", 0.3),
        ("max(1e-3, p)", 0.3),
        ("  ( p ) ", 0.3),
    ],
)
def test_a_formula_has_the_value_that_it_says(text: str, expected: float) -> None:
    assert Formula.parse(text).evaluate(VALUES, SIZES.__getitem__) == expected


@pytest.mark.parametrize("text", ["int(q)", "int(p * size(H1.E))", "size(H2.E)"])
def test_int_and_size_are_whole_numbers(text: str) -> None:
    assert isinstance(Formula.parse(text).evaluate(VALUES, SIZES.__getitem__), int)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "p *",
        "p ** q",
        "p // q",
        "p % 2",
        "p if q else n",
        "[p]",
        "p.real",
        "p(1)",
        "__import__('os').system('true')",
        "(lambda: 1)()",
        "exec('1')",
        "'text'",
        "True",
        "1j",
        "1e999",
        "p = 1",
        "p; q",
        "sqrt()",
        "sqrt(p, q)",
        "sqrt(x=p)",
        "max(p)",
        "size()",
        "size(1)",
        "size(H1)",
        "size(H1.E.x)",
        "p < q",
        "not p",
        "p and q",
        "f'{p}'",
        "*p",
        "p := 1",
        "(" * 300 + "p" + ")" * 300,
        "p + " * 400 + "p",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Formula.parse(text)


def test_a_mistyped_function_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"found sqr\(\) in 'sqr\(p\)'; did you mean 'sqrt'\?"):
        Formula.parse("sqr(p)")


@pytest.mark.parametrize("text", ["1 / (p - p)", "sqrt(-p)", "int(1e308 * 1e308)"])
def test_arithmetic_without_a_result_is_an_error_that_shows_the_formula(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Formula.parse(text).evaluate(VALUES, SIZES.__getitem__)
    assert repr(text) in str(caught.value)


def test_text_goes_no_further_than_a_formula_of_one_name() -> None:
    assert Formula.parse("p").evaluate({"p": "relu"}, SIZES.__getitem__) == "relu"
    with pytest.raises(ConfigError, match="has no value where p = 'relu'"):
        Formula.parse("p * 2").evaluate({"p": "relu"}, SIZES.__getitem__)


def test_value_and_the_sides_of_the_arrow_are_written_out() -> None:
    formula = Formula.bind("value * sqrt(size(pre)) / size(post)", "rate", post="H1.E", pre="Input.E")
    assert formula.text == "rate * sqrt(size(Input.E)) / size(H1.E)"
    assert formula.names == ("rate",)
    assert formula.sizes == ("Input.E", "H1.E")


def test_a_side_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"found size\(pre\) where there is no presynaptic population"):
        Formula.bind("size(pre)", "rate", post="H1.E", pre="")


numbers = st.floats(min_value=1e-3, max_value=1e3)
expressions = st.recursive(
    st.sampled_from(["p", "q", "2", "0.5", "size(H1.E)"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(" ".join),
        inner.map(lambda text: f"sqrt({text})"),
        st.tuples(inner, inner).map(lambda parts: f"max({parts[0]}, {parts[1]})"),
    ),
    max_leaves=8,
)


@given(expressions, numbers, numbers)
def test_formulas_have_the_bits_of_python(text: str, p: float, q: float) -> None:
    try:
        expected = eval(text.replace("size(H1.E)", "500"), {"sqrt": math.sqrt, "max": max, "p": p, "q": q})
    except (ArithmeticError, ValueError):
        with pytest.raises(ConfigError):
            Formula.parse(text).evaluate({"p": p, "q": q}, SIZES.__getitem__)
    else:
        assert Formula.parse(text).evaluate({"p": p, "q": q}, SIZES.__getitem__) == expected
        # Writing the formula out again does not change it.
        bound = Formula.bind(text, "p", "", "")
        assert bound.evaluate({"p": p, "q": q}, SIZES.__getitem__) == expected


@given(st.text(max_size=40))
def test_no_text_makes_anything_but_a_formula_or_a_user_error(text: str) -> None:
    # Anything else than these two outcomes is a defect.
    with contextlib.suppress(ConfigError):
        assert isinstance(Formula.parse(text), Formula)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("p < q", True), ("p > q", False), ("p <= 0.3", True), ("q >= 2 * n", True), ("n == 3", True), ("n != 3", False)],
)
def test_conditions(text: str, expected: bool) -> None:
    assert Condition.parse(text).holds(VALUES) is expected


@pytest.mark.parametrize("text", ["p", "p < q < n", "p and q", "size(H1.E) > p", "p in q", "p < "])
def test_what_is_no_single_comparison_is_no_condition(text: str) -> None:
    with pytest.raises(ConfigError):
        Condition.parse(text)


def test_suggestions_name_the_nearest_or_all() -> None:
    assert suggest("learnig_rate", ["learning_rate", "size"]) == "did you mean 'learning_rate'?"
    assert suggest("zzz", ["a", "b"]) == "known are: a, b"
    assert suggest("zzz", []) == "none are known"
