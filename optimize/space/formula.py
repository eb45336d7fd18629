"""Arithmetic that a space file may contain: read once, evaluated often, never run as Python.

A formula knows numbers, names of parameters, ``+ - * /``, parentheses, ``sqrt``, ``int`` (cuts towards zero), ``min``,
``max`` and ``size(Layer.Population)``. It is evaluated in double precision, in the order written, from left to right,
so that the same formula gives the same bits everywhere. A condition compares two formulas.
"""

from __future__ import annotations

import ast
import difflib
import math
import operator
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from eiann.errors import ConfigError

Number = int | float
Value = int | float | str | bool
Sizes = Callable[[str], int]
_Node = Callable[[Mapping[str, Value], Sizes], Number]
_Root = Callable[[Mapping[str, Value], Sizes], Value]

_OPERATORS: Final[dict[type[ast.operator], tuple[str, Callable[[Number, Number], Number]]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
}
_COMPARISONS: Final[dict[type[ast.cmpop], tuple[str, Callable[[Number, Number], bool]]]] = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
}
_FUNCTIONS: Final[dict[str, tuple[int | None, Callable[..., Number]]]] = {
    "sqrt": (1, math.sqrt),
    "int": (1, math.trunc),
    "min": (None, min),
    "max": (None, max),
}
OWN_VALUE: Final = "value"
_GRAMMAR: Final = (
    "a formula has names, numbers, + - * /, parentheses, sqrt(), int(), min(), max(), size(Layer.Population)"
)
# Far above any formula that a person writes; keeps a hostile file from exhausting the parser's stack.
_MAX_LENGTH: Final = 1000


def suggest(word: str, known: Iterable[str]) -> str:
    """Name the nearest known word, or list them all where none is near; for the end of an error message.

    Example:
        >>> suggest("H_learnig_rate", ["H_learning_rate", "H_I_size"])
        "did you mean 'H_learning_rate'?"
    """
    choices = list(known)
    near = [name for name in choices if name.lower() == word.lower()]
    near = near or difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    shown = ", ".join(choices[:12]) + (", ..." if len(choices) > 12 else "")
    return f"known are: {shown}" if choices else "none are known"


@dataclass(frozen=True)
class Formula:
    """One arithmetic expression over parameters and population sizes.

    Attributes:
        text: what the user wrote.
        names: parameters that it mentions, in order of first mention.
        sizes: populations whose size it asks for, in order of first mention.

    Example:
        >>> formula = Formula.parse("value * sqrt(size(H1.E)) / 2")
        >>> formula.names, formula.sizes
        (('value',), ('H1.E',))
        >>> formula.evaluate({"value": 3.0}, {"H1.E": 16}.__getitem__)
        6.0
    """

    text: str
    names: tuple[str, ...]
    sizes: tuple[str, ...]
    _run: _Root = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Formula:
        """Read a formula; ``ConfigError`` says which part of it is not one."""
        return cls.from_node(_parse(text), text.strip())

    @classmethod
    def bind(cls, text: str, value: str, post: str, pre: str) -> Formula:
        """Read a formula with ``value``, ``size(post)`` and ``size(pre)`` written out as what they mean here.

        Example:
            >>> Formula.bind("value * sqrt(size(pre)) / 2", "scale", post="H1.DendI", pre="H1.E").text
            'scale * sqrt(size(H1.E)) / 2'
        """
        tree = _WriteOut(value, {"post": post, "pre": pre}).visit(_parse(text))
        return cls.from_node(tree, ast.unparse(tree))

    @classmethod
    def from_node(cls, node: ast.expr, text: str) -> Formula:
        """A formula from a part of a syntax tree; ``text`` is repeated in errors."""
        names: dict[str, None] = {}
        sizes: dict[str, None] = {}
        run = _compile(node, text, names, sizes)
        if isinstance(node, ast.Name):
            # A formula of one name hands on whatever it is, also text.
            name = node.id
            return cls(text, tuple(names), tuple(sizes), lambda values, _size: values[name])
        return cls(text, tuple(names), tuple(sizes), run)

    def evaluate(self, values: Mapping[str, Value], size: Sizes) -> Value:
        """Compute the number; ``size`` maps ``"Layer.Population"`` to its number of units.

        A formula that is only a name gives that value as it is, text included.

        Raises:
            ConfigError: the arithmetic has no result, such as a division by zero or the root of a negative number.
        """
        try:
            return self._run(values, size)
        except (ArithmeticError, ValueError, TypeError) as error:
            used = ", ".join(f"{name} = {values[name]!r}" for name in self.names if name in values)
            raise ConfigError(f"{self.text!r} has no value where {used or 'evaluated'}: {error}") from error


@dataclass(frozen=True)
class Condition:
    """Two formulas compared, such as ``low_rate < high_rate`` or ``dynamics_residuals > 0``.

    Example:
        >>> Condition.parse("a < 2 * b").holds({"a": 1.0, "b": 0.4})
        False
    """

    text: str
    names: tuple[str, ...]
    _left: Formula = field(repr=False, compare=False)
    _right: Formula = field(repr=False, compare=False)
    _compare: Callable[[Number, Number], bool] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition of exactly one comparison."""
        node = _parse(text)
        if not isinstance(node, ast.Compare) or len(node.ops) != 1 or type(node.ops[0]) not in _COMPARISONS:
            raise ConfigError(f"found {text!r}; a condition compares two formulas once, such as 'a < b'")
        left = Formula.from_node(node.left, text)
        right = Formula.from_node(node.comparators[0], text)
        if left.sizes or right.sizes:
            raise ConfigError(f"found size() in {text!r}; a condition only mentions names and numbers")
        names = tuple(dict.fromkeys(left.names + right.names))
        return cls(text.strip(), names, left, right, _COMPARISONS[type(node.ops[0])][1])

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether the comparison is true for these numbers. NaN makes every comparison but ``!=`` false."""
        left, right = self._left.evaluate(values, _no_sizes), self._right.evaluate(values, _no_sizes)
        return self._compare(cast("Number", left), cast("Number", right))

    def violation(self, values: Mapping[str, Value]) -> float:
        """How far the two sides are on the wrong side of each other; 0 or less where the comparison holds.

        Example:
            >>> Condition.parse("loss <= 0.5").violation({"loss": 0.75})
            0.25
        """
        left, right = self._left.evaluate(values, _no_sizes), self._right.evaluate(values, _no_sizes)
        distance = float(cast("Number", left)) - float(cast("Number", right))
        if self.holds(values):
            return -abs(distance)
        # At the bound of a strict comparison the distance is 0, which would pass for satisfied.
        return max(abs(distance), sys.float_info.min)


class _WriteOut(ast.NodeTransformer):
    """Replaces ``value`` and ``size(pre)`` by the concrete parameter and population that they mean."""

    def __init__(self, value: str, sides: Mapping[str, str]) -> None:
        self._value = value
        self._sides = sides

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(id=self._value, ctx=node.ctx) if node.id == OWN_VALUE else node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        match node:
            case ast.Call(func=ast.Name(id="size"), args=[ast.Name(id="pre" | "post" as side)]):
                layer, dot, population = self._sides[side].partition(".")
                if not dot:
                    raise ConfigError(f"found size({side}) where there is no {side}synaptic population")
                node.args = [ast.Attribute(value=ast.Name(id=layer, ctx=ast.Load()), attr=population, ctx=ast.Load())]
                return node
            case _:
                node.args = [self.visit(argument) for argument in node.args]
                return node


def _number(value: Value) -> Number:
    if isinstance(value, str):
        # Python would repeat the text instead: "ab" * 2.
        raise TypeError("text is no number")
    return value


def _no_sizes(population: str) -> int:
    raise ConfigError(f"size({population}) is not available here")


def _parse(text: str) -> ast.expr:
    if len(text) > _MAX_LENGTH:
        raise ConfigError(f"found {len(text)} characters; a formula has at most {_MAX_LENGTH}")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"cannot read {text!r}; {_GRAMMAR}") from error


def _compile(node: ast.expr, text: str, names: dict[str, None], sizes: dict[str, None]) -> _Node:
    """Turn a syntax tree into nested closures, refusing every node that a formula does not know."""
    match node:
        case ast.Constant(value=bool() | complex() | str() | bytes() | None):
            pass
        case ast.Constant(value=int() | float() as number) if math.isfinite(number):
            return lambda _values, _size: number
        case ast.Name(id=name):
            names[name] = None
            return lambda values, _size: _number(values[name])
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _compile(operand, text, names, sizes)
            return lambda values, size: -inner(values, size)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            compute = _OPERATORS[type(op)][1]
            first = _compile(left, text, names, sizes)
            second = _compile(right, text, names, sizes)
            return lambda values, size: compute(first(values, size), second(values, size))
        case ast.Call(func=ast.Name(id="size"), args=[argument], keywords=[]):
            population = _population(argument, text)
            sizes[population] = None
            return lambda _values, size: size(population)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _compile_call(name, arguments, text, names, sizes)
        case _:
            pass
    raise ConfigError(f"found {ast.unparse(node)!r} in {text!r}; {_GRAMMAR}")


def _compile_call(
    name: str, arguments: list[ast.expr], text: str, names: dict[str, None], sizes: dict[str, None]
) -> _Node:
    if name not in _FUNCTIONS:
        raise ConfigError(f"found {name}() in {text!r}; {suggest(name, [*_FUNCTIONS, 'size'])}")
    count, function = _FUNCTIONS[name]
    wanted = "exactly 1 argument" if count else "2 arguments or more"
    if (count and len(arguments) != count) or (not count and len(arguments) < 2):
        raise ConfigError(f"found {name}() with {len(arguments)} arguments in {text!r}; it takes {wanted}")
    inner = [_compile(argument, text, names, sizes) for argument in arguments]
    if count:
        only = inner[0]
        return lambda values, size: function(only(values, size))
    return lambda values, size: function(*[argument(values, size) for argument in inner])


def _population(node: ast.expr, text: str) -> str:
    match node:
        case ast.Attribute(value=ast.Name(id=layer), attr=population):
            return f"{layer}.{population}"
        case _:
            raise ConfigError(
                f"found size({ast.unparse(node)}) in {text!r}; size() takes Layer.Population, pre or post"
            )
