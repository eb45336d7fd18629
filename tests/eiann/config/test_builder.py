"""The builder says in Python what a file says in YAML."""

# ruff: noqa: E501 - a case of a table stands on one line

from collections.abc import Callable

import pytest

from eiann.config import NetworkBuilder, NetworkConfig
from eiann.errors import ConfigError


def test_a_network_built_equals_the_file() -> None:
    builder = NetworkBuilder()
    builder.population("Input.E", 4).type("Exc")
    builder.population("H1.E", 3).type("Exc").activation("polynomial", n=2).tau(2).bias(
        "X", learning_rate=0.1
    ).bias_init("fill_", 0.5)
    builder.population("H1.SomaI", 2).type("Inh").bias().bias_bounds(0, None)
    builder.population("Output.E", 2).type("Exc")
    builder.connect("E <- below.E").rule("Backprop", learning_rate=0.1).init("half_kaiming", 2)
    builder.connect("E <- SomaI").constraint("c", scale=2).phase("backward").dend()
    builder.connect("H1.SomaI <- E").direction("forward").bounds(0, 3).fixed().soma()
    config = (
        builder.training(tau=3, learning_rate=0.1).optimizer("SGD", momentum=0.9).criterion("CrossEntropyLoss").build()
    )
    file = NetworkConfig.from_dict({
        "cells": {"E": "excitatory", "SomaI": "inhibitory"},
        "layers": {
            "Input": {"E": 4},
            "H1": {"E": "3, activation polynomial(n=2), tau 2, bias X(learning_rate=0.1), bias_init fill_(0.5)", "SomaI": "2, bias constant, bias_bounds [0, none]"},
            "Output": {"E": 2},
        },
        "projections": {
            "E <- below.E": "rule Backprop(learning_rate=0.1), init 2",
            "E <- SomaI": "init 1, constraint c(scale=2), phase B, dend",
            "H1.SomaI <- E": "init 1, forward, bounds [0, 3]",
        },
        "training": {"tau": 3, "learning_rate": 0.1, "optimizer": "SGD(momentum=0.9)", "criterion": "CrossEntropyLoss"},
    })  # fmt: skip
    assert config.resolved() == file.resolved()


def test_the_type_of_a_population_is_for_its_outgoing_weights() -> None:
    builder = NetworkBuilder()
    builder.population("Input.E", 4).type("Exc", init_scale=2)
    builder.population("Output.E", 4).type("Inh")
    builder.connect("Output.E <- Input.E")
    builder.connect("Output.E <- Output.E").type("Exc", init_scale=3)
    pres = builder.build().projection_config["Output"]["E"]
    into, back = pres["Input"]["E"], pres["Output"]["E"]
    assert (into.weight_bounds, into.weight_init, into.weight_init_args) == ((0, None), "half_kaiming", (2,))
    assert (back.weight_bounds, back.weight_init, back.weight_init_args) == ((0, None), "half_kaiming", (3,))


def test_images() -> None:
    builder = NetworkBuilder(order="as_written")
    builder.population("Input.E").image(channels=3, image_dim=8)
    builder.population("C.E").image(type="Conv2D", channels=2, kernel_size=3, image_source="Input.E")
    builder.population("C.P").image(type="MaxPool2D", source="C.E")
    builder.population("Output.E", 2)
    builder.connect("Output.E <- C.P")
    builder.connect("C.E <- Input.E").convolution(stride=2)
    config = builder.build()
    assert config.resolved()["order"]["projections"] == ["Output.E <- C.P", "C.E <- Input.E"]
    assert config.projection_config["C"]["E"]["Input"]["E"].stride == 2
    assert config.layer_config["C"]["P"].source == "C.E"


def two_layers() -> NetworkBuilder:
    builder = NetworkBuilder()
    builder.population("Input.E", 4)
    builder.population("Output.E", 4)
    return builder


def built_after(step: Callable[[NetworkBuilder], object]) -> NetworkConfig:
    builder = two_layers()
    step(builder)
    return builder.build()


MISTAKES: list[tuple[Callable[[NetworkBuilder], object], str]] = [
    (lambda builder: builder.population("Output.E", 4), "layers.Output.E: there is a population 'Output.E' already"),
    (lambda builder: builder.population("Output", 4), "'Layer.Population' would be right"),
    (lambda builder: builder.population("H1.I", -4), "layers.H1.I.size: found -4; a number above 0 would be right"),
    (lambda builder: builder.connect("E <- below.I"), "there is no population 'I'"),
    (lambda builder: builder.connect("E <- below.E").rule("X", a=object()), "rule: found an object of type object"),
    (lambda builder: builder.connect("E <- below.E").bounds(None, None), "found [null, null], which bounds nothing"),
    (
        lambda builder: builder.connect("E <- below.E").bounds(2, 1),
        "projections.'E <- below.E'.bounds: found [2.0, 1.0]; the lower bound",
    ),
    (lambda builder: builder.training(tau=-1), "training.tau: found -1; a number above 0 would be right"),
]


@pytest.mark.parametrize(("step", "message"), MISTAKES)
def test_a_mistake_is_one_line(step: Callable[[NetworkBuilder], object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        built_after(step)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
