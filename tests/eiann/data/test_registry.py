"""Data sets are found by name; wrong names, options and values are one line that says what would be right."""

import pytest

from eiann.data import DataSets, load, names, option_names, register, registry, spiral
from eiann.errors import ConfigError


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.LOADERS, "_entries", dict(registry.LOADERS))


def test_the_data_sets_that_come_with_the_package() -> None:
    assert {"spiral", "digits", "mnist", "fashion_mnist", "cifar10", "features"} <= set(names())
    assert "points_per_arm" in option_names("spiral")


def test_a_registered_loader_gets_its_options_checked_and_converted() -> None:
    seen = []

    @register("mine")
    def mine(*, count: int, exact: bool = False) -> DataSets:
        seen.append((count, exact))
        return spiral(points_per_arm=count)

    load("mine", count="20", exact="true")
    assert seen == [(20, True)]
    assert mine(count=20).train.inputs.shape == (56, 2)  # the decorated function itself stays as it was


def test_a_name_can_be_taken_only_once() -> None:
    def other() -> DataSets:
        return spiral()

    with pytest.raises(ValueError, match="the data set 'spiral' is registered already"):
        register("spiral")(other)


def test_a_loader_with_positional_arguments_is_refused() -> None:
    def loader(count: int) -> DataSets:
        return spiral(points_per_arm=count)

    with pytest.raises(ValueError, match="keyword-only"):
        register("positional")(loader)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sprial", {}, r"data: found 'sprial'; no data set has that name; did you mean 'spiral'\?"),
        ("zzz", {}, "data: found 'zzz'; no data set has that name; there are: cifar10, digits, "),
        ("spiral", {"zzz": 1}, r"data\.spiral\.zzz: found an unknown option; there are: protocol, points_per_arm, "),
        ("spiral", {"noize": 1}, r"data\.spiral\.noize: found an unknown option; did you mean 'noise'\?"),
        ("spiral", {"noise": -1}, r"data\.spiral\.noise: found -1; .*greater than or equal to 0"),
        ("spiral", {"noise": float("nan")}, r"data\.spiral\.noise: found nan; .*finite"),
        ("spiral", {"protocol": "fair"}, r"data\.spiral\.protocol: found 'fair'; .*'reference' or 'separate'"),
        ("spiral", {"points_per_arm": "many"}, r"data\.spiral\.points_per_arm: found 'many'; .*integer"),
        ("digits", {"flatten": "perhaps"}, r"data\.digits\.flatten: found 'perhaps'; .*boolean"),
        ("mnist", {"train_size": 0}, r"data\.mnist\.train_size: found 0; "),
        ("features", {}, r"data\.features\.file: found no value; this option is required"),
    ],
)
def test_wrong_use_is_one_line(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        load(name, **options)
    assert "\n" not in str(error.value)
