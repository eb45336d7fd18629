"""Every mistake is one line: the file, the line, the key as written, what was found and what would be right."""

# ruff: noqa: E501 - a case of a table stands on one line

from pathlib import Path

import pytest

from eiann.config import NetworkConfig
from eiann.config.validation import did_you_mean
from eiann.errors import ConfigError

LAYERS = "layer_config:\n  Input: {E: {size: 4}}\n  Output:\n    E: {size: 2}\n"
PROJECTIONS = "projection_config: {Output: {E: {Input: {E: {}}}}}\n"
COMPACT = "layers:\n  Input: {E: 4}\n  Output: {E: 2, I: 1}\n"


def nested_population(text: str) -> str:
    return f"layer_config:\n  Input: {{E: {{size: 4}}}}\n  Output:\n    E:\n      {text}\n{PROJECTIONS}"


def nested_projection(text: str) -> str:
    return f"{LAYERS}projection_config:\n  Output:\n    E:\n      Input:\n        E: {{{text}}}\n"


P, Q = "layer_config.Output.E", "projection_config.Output.E.Input.E"
CASES = [
    # the nested form
    (nested_population("sise: 3"), f"5: {P}.sise: unknown key; did you mean 'size'?"),
    (nested_population("zzz: 3"), f"5: {P}.zzz: unknown key; there are: size, activation,"),
    (nested_population("size: -3"), f"5: {P}.size: found -3; a number above 0 would be right"),
    (nested_population("size: 2.5"), f"5: {P}.size: found 2.5; a whole number would be right"),
    (nested_population("size: '2'"), f"5: {P}.size: found '2'; a whole number would be right"),
    (nested_population("size: true"), f"5: {P}.size: found true; a whole number would be right"),
    (nested_population("tau: fast"), f"5: {P}.tau: found 'fast'; a number would be right"),
    (nested_population("tau: .inf"), f"5: {P}.tau: found inf; a finite number would be right"),
    (nested_population("include_bias: 1"), f"5: {P}.include_bias: found 1; true or false would be right"),
    (nested_population("activation: 3"), f"5: {P}.activation: found 3; text would be right"),
    (nested_population("activation_kwargs: {a: [.nan]}"), f"5: {P}.activation_kwargs.a[0]: found nan; a finite number"),
    (nested_population("bias: uniform(0,1)"), f"5: {P}.bias: the nested form has no key 'bias'; write include_bias,"),
    (nested_population("bias_bounds: [null, null]"), f"5: {P}.bias_bounds: found [null, null], which bounds nothing"),
    (nested_population("bias_bounds: [1, 0]"), f"5: {P}.bias_bounds: found [1.0, 0.0]; the lower bound comes first"),
    (nested_population("bias_bounds: 3"), f"5: {P}.bias_bounds: found 3; [low, high] would be right"),
    (nested_population("custom_update: f"), f"5: {P}.custom_update: this key has no effect; leave it out"),
    (nested_population("population_type: Conv3D"), f"5: {P}.population_type: found 'Conv3D'; one of these would be right: 'default'"),
    (nested_projection("learning_rul: X"), f"9: {Q}.learning_rul: unknown key; did you mean 'learning_rule'?"),
    (nested_projection("direction: up"), f"9: {Q}.direction: found 'up'; one of these would be right: 'forward', 'F', 'recurrent' or 'R'"),
    (nested_projection("compartment: soma1"), f"9: {Q}.compartment: found 'soma1'; one of these would be right: 'soma' or 'dend'"),
    (nested_projection("weight_init_args: [1]"), f"9: {Q}.weight_init_args: these are arguments of an initializer, but"),
    (nested_projection("weight_init: x_, weight_init_args: [1, a]"), f"9: {Q}.weight_init_args[1]: found 'a'; a number would be right"),
    (nested_projection("weight_init: x_, weight_init_args: {a: 1}"), f"9: {Q}.weight_init_args: found a mapping; x_ takes a list"),
    (nested_projection("weight_init: x_, weight_init_args: 3"), f"9: {Q}.weight_init_args: found 3; a list would be right"),
    (nested_projection("weight_constraint: x, weight_constraint_kwargs: null"), f"9: {Q}.weight_constraint_kwargs: found null; the param"),
    (nested_projection("learning_rule_kwargs: [1]"), f"9: {Q}.learning_rule_kwargs: found [1]; a mapping of keys to values"),
    (nested_projection("weight_bounds: [null, null]"), f"9: {Q}.weight_bounds: found [null, null], which bounds nothing"),
    (LAYERS + PROJECTIONS + "training_kwargs:\n  seed: 42\n", "7: training_kwargs.seed: a network has no seed; leave it out and give"),
    (LAYERS + PROJECTIONS + "training_kwargs:\n  forward_steps: 0\n", "7: training_kwargs.forward_steps: found 0; a number above 0"),
    (LAYERS + PROJECTIONS + "training_kwarg:\n  tau: 1\n", "6: training_kwarg: unknown key; did you mean 'training_kwargs'?"),
    (LAYERS, "1: projection_config: is missing"),
    (LAYERS + "projection_config: {Output: {E: {Inputs: {E: {}}}}}\n", "5: projection_config.Output.E.Inputs: there is no layer 'Inputs'; did you mean 'Input'?"),
    (LAYERS + "projection_config: {Output: {I: {Input: {E: {}}}}}\n", "5: projection_config.Output.I: layer 'Output' has no population 'I'; there are: E"),
    (LAYERS.replace("Output", "Out_put") + PROJECTIONS, "3: layer_config.Out_put: found 'Out_put'; the name of a layer has letters and digits only: a-z, A-Z, 0-9"),
    (LAYERS.replace("    E:", "    E.1:") + PROJECTIONS, "4: layer_config.Output.E.1: found 'E.1'; the name of a population has"),
    (LAYERS + "  OutputE: {E: {size: 1}}\n  Out: {putEE: {size: 1}}\n" + PROJECTIONS, "6: layer_config.Out.putEE: its full name 'OutputEE' is also that of OutputE.E"),
    ("layer_config: 3\n" + PROJECTIONS, "1: layer_config: found 3; a mapping of keys to values would be right"),
    ("- 1\n", "1: found [1]; a mapping with layers and projections would be right"),
    ("", " the file is empty; a mapping with layers and projections would be right"),
    ("{}\n", "1: found nothing; a network has layers and projections"),
    # the dotted form
    (LAYERS + "projection_config:\n  Output.E:\n    Input.E: {sise: 1}\n", "7: projection_config.Output.E.Input.E.sise: unknown key"),
    (LAYERS + "projection_config:\n  Output.E:\n    Input: {}\n", "7: projection_config.Output.E.Input: found the key 'Input'; 'Layer.Population' would be right"),
    (LAYERS + "projection_config:\n  Output.E: {}\n  H1: {}\n", "7: projection_config.H1: this key has no dot, but 'Output.E' has;"),
    (LAYERS + "projection_config:\n  Output.E: {Input.E: {type: Exc, weight_bounds: [null, 0]}}\n", "6: projection_config.Output.E.Input.E.type: found 'Exc', but"),
    (LAYERS.replace("2}", "2, bias: uniform}") + "projection_config: {Output.E: {Input.E: {}}}\n", "4: layer_config.Output.E.bias: found 'uniform'; an init"),
    (LAYERS.replace("2}", "2, bias: 'f(a)'}") + "projection_config: {Output.E: {Input.E: {}}}\n", "4: layer_config.Output.E.bias: found 'f(a)'; an init"),
    # the compact form
    (COMPACT + "projektions: {}\n", "4: projektions: unknown key; did you mean 'projections'?"),
    (COMPACT + "layer_config: {}\n", "4: layer_config: this key belongs to the nested form, 'layers' to the compact form"),
    ("cells: {E: excitatory}\n", "1: there are no layers; name them"),
    ("layers: {Input: {E: 4}, Output: }\n", "1: layers.Output: the layer has no population; give it one"),
    ("layers:\n  Input: {E: 4}\n  H_1: {E: 4}\n", "3: layers.H_1: found 'H_1'; the name of a layer has letters and digits only: a-z, A-Z, 0-9"),
    ("layers:\n  Input: {E: 4}\n  H1:\n    E_1: 4\n", "4: layers.H1.E_1: found 'E_1'; the name of a population has letters"),
    ("extends: good.yaml\nlayers:\n  H1: {E: 4, I: 3}\n  H_1: {E: 2}\n", "4: layers.H_1: found 'H_1'; the name of a layer"),
    ("layers:\n  Input: {E: 4}\n  hidden: {E: 3}\n", "3: layers.hidden: 'hidden' has a meaning of its own in selectors"),
    ("layers:\n  Input: {E: 4}\n  Output:\n    E: [4]\n", "4: layers.Output.E: found [4]; clauses such as"),
    ("layers:\n  Input: {E: 4}\n  Output:\n    E: 4, aktivation relu\n", "4: layers.Output.E.aktivation: unknown word 'aktivation'; did you mean 'activation'?"),
    ("layers:\n  Input: {E: 4}\n  Output: {E: 64.5}\n", "3: layers.Output.E: found 64.5; a whole number would be right"),
    ("layers:\n  Input: {E: 4}\n  Output:\n    E: 64, Tau 2\n", "4: layers.Output.E.Tau: unknown word 'Tau'; did you mean 'tau'?"),
    ("layers:\n  Input: {E: 4}\n  Output:\n    E: size few\n", "4: layers.Output.E.size: found 'few'; a whole number would be right"),
    ("layers:\n  Input: {E: 4}\n  Output:\n    E: {size: 4, cell: X}\n", "4: layers.Output.E.cell: found 'X'; a cell type is E, I or none"),
    ("layers:\n  Input: {E: 4}\n  Output:\n    E: {size: 4, excitatory: 3}\n", "4: layers.Output.E.excitatory: found 3 behind 'excitatory', which takes no"),
    (COMPACT + "cells:\n  Soma: inhibitory\n", "5: cells.Soma: there is no population 'Soma'; there are: E, I"),
    (COMPACT + "cells:\n  hidden.E: excitatory\n", "5: cells.hidden.E: no population matches"),
    (COMPACT + "cells:\n  below.E: excitatory\n", "5: cells.below.E: 'below' has a meaning only behind the arrow"),
    (COMPACT + "projections:\n  Output.E: init 1\n", "5: projections.Output.E: found 'Output.E'; 'POST <- PRE' would be right"),
    (COMPACT + "projections:\n  Outptu.E <- Input.E: init 1\n", "5: projections.'Outptu.E <- Input.E': there is no layer 'Outptu'; did you mean 'Output'?"),
    (COMPACT + "projections:\n  E <- Input.I:\n", "5: projections.'E <- Input.I': layer 'Input' has no population 'I'; there are: E"),
    (COMPACT + "projections:\n  E <- above.E:\n", "5: projections.'E <- above.E': no pair of populations matches"),
    (COMPACT + "projections:\n  E <- any.E: init 1\n", "5: projections.'E <- any.E': no projection made so far matches"),
    (COMPACT + "projections:\n  E <- below.E: remove\n", "5: projections.'E <- below.E': no projection made so far matches"),
    (COMPACT + "projections:\n  E <- below.E: rul X\n", "5: projections.'E <- below.E'.rul: unknown word 'rul'; did you mean 'rule'?"),
    (COMPACT + "projections:\n  E <- below.E: learning_rule X\n", "5: projections.'E <- below.E'.learning_rule: unknown word 'learning_rule'; in this form it is 'rule'"),
    (COMPACT + "projections:\n  E <- below.E: dendrite\n", "5: projections.'E <- below.E'.dendrite: unknown word 'dendrite'; in this form it is 'dend'"),
    (COMPACT + "projections:\n  E <- below.E: {compartment: dendrite}\n", "5: projections.'E <- below.E'.compartment: found 'dendrite'; 'dend' would be right"),
    (COMPACT + "projections:\n  E <- below.E: 3\n", "5: projections.'E <- below.E': found 3; a word would be right, such as 'init 3'"),
    (COMPACT + "projections:\n  E <- below.E: 0.5\n", "5: projections.'E <- below.E': found 0.5; a word would be right, such as 'init 0.5'"),
    (COMPACT + "projections:\n  E <- below.E: dend 3\n", "5: projections.'E <- below.E'.dend: found 3 behind 'dend', which takes no value"),
    (COMPACT + "projections:\n  E <- below.E: rule\n", "5: projections.'E <- below.E'.rule: 'rule' needs a value"),
    (COMPACT + "projections:\n  E <- below.E: rule X(1)\n", "5: projections.'E <- below.E'.rule: found the argument 1 of 'X'; arguments here have names"),
    (COMPACT + "projections:\n  E <- below.E: rule.a 1\n", "5: projections.'E <- below.E'.rule.a: found 'rule.a', but there is no rule to change; name one: rule NAME (of Output.E <- Input.E)"),
    (COMPACT + "projections:\n  E <- below.E: phase.a 1\n", "5: projections.'E <- below.E'.phase.a: found 'phase.a'; 'phase' has no arguments"),
    (COMPACT + "projections:\n  E <- below.E: phase C\n", "5: projections.'E <- below.E'.phase: found 'C'; one of these would be right: 'forward', 'F'"),
    (COMPACT + "projections:\n  E <- below.E: bounds [none, none]\n", "5: projections.'E <- below.E'.bounds: found [null, null], which bounds"),
    (COMPACT + "projections:\n  E <- below.E: init x_(1, a=2)\n", "5: projections.'E <- below.E'.init: found positional and named arguments of 'x_'"),
    (COMPACT + "projections:\n  E <- below.E: init x_(true)\n", "5: projections.'E <- below.E'.init[0]: found true; a number would be right"),
    (COMPACT + "projections:\n  E <- below.E: init.scale 2\n", "5: projections.'E <- below.E'.init.scale: found 'init.scale', but the initializer has no named"),
    (COMPACT + "projections:\n  E <- below.E: [1]\n", "5: projections.'E <- below.E': found [1]; clauses such as"),
    (COMPACT + "training:\n  taw: 3\n", "5: training.taw: unknown word 'taw'; did you mean 'tau'?"),
    (COMPACT + "training:\n  device: gpu\n", "5: training.device: found 'gpu'; cpu, cuda or cuda:N would be right"),
    (COMPACT + "training:\n  device: cuda:one\n", "5: training.device: found 'cuda:one'; cpu, cuda or cuda:N would be right"),
    (COMPACT + "training:\n  seed: 3\n", "5: training.seed: a network has no seed"),
    (COMPACT + "training: 3\n", "4: training: found 3; a mapping would be right: settings such as 'tau: 3'"),
    (COMPACT + "order: random\n", "4: order: found 'random'; by_layer or as_written would be right"),
    (COMPACT + "about: [1]\n", "4: about: found [1]; text would be right"),
    (COMPACT + "extends: no.yaml\n", "4: extends: found 'no.yaml', but there is no file"),
    (COMPACT + "extends: 3\n", "4: extends: found 3; the path of a network file would be right"),
    (COMPACT + "extends: net.yaml\n", "4: extends: 'net.yaml' extends this file in turn"),
    ("extends: nested.yaml\n", "1: extends: found 'nested.yaml', which is not in the compact form"),
    ("extends: good.yaml\nlayers: {H1: remove}\n", "2: layers.H1: there is no layer 'H1' to remove; there are: Input, Output"),
    ("extends: good.yaml\nlayers: {Output: {X: remove}}\n", "2: layers.Output.X: there is no population 'X' to remove; there are: E, I"),
    (COMPACT + '"*.E <- E": 3\n', "4: '*.E <- E': unknown key"),
    ("layers: {Input: {E: 4, E: 5}}\n", "1: layers.Input.E: the key is given twice, first on line 1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), CASES)
def test_a_mistake_is_one_line_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(text)
    (tmp_path / "nested.yaml").write_text(LAYERS + PROJECTIONS)
    (tmp_path / "good.yaml").write_text(COMPACT)
    with pytest.raises(ConfigError) as error:
        NetworkConfig.from_yaml(path)
    found = str(error.value)
    assert "\n" not in found
    assert found.startswith(f"{path}:{message}"), found


def test_a_mistake_in_a_base_is_located_in_the_base(tmp_path: Path) -> None:
    base, path = tmp_path / "base.yaml", tmp_path / "net.yaml"
    base.write_text(COMPACT + "projections:\n  E <- below.E:\n    bounds: [2, 1]\n")
    path.write_text("extends: base.yaml\nlayers: {Output: {E: 3}}\n")
    with pytest.raises(ConfigError, match="the lower bound comes first") as error:
        NetworkConfig.from_yaml(path)
    assert str(error.value).startswith(f"{base}:6: projections.'E <- below.E'.bounds: ")


def test_an_error_found_in_the_network_has_its_key_as_written(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("about: one layer\nlayers: {Input: {E: 2}}\n")
    found = NetworkConfig.from_yaml(path).placed(ConfigError("found 1 layer", ("layer_config",)))
    assert str(found) == f"{path}:2: layers: found 1 layer"


def test_the_word_that_differs_in_case_only_is_meant() -> None:
    assert did_you_mean("BP_like_2e", ["BP_like_2L", "BP_like_2E"]) == "did you mean 'BP_like_2E'?"


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml: there is no such file"):
        NetworkConfig.from_yaml(tmp_path / "no.yaml")


def test_data_from_python_has_no_place_but_its_key() -> None:
    with pytest.raises(ConfigError) as error:
        NetworkConfig.from_dict({"layers": {"Input": {"E": 2}, "Output": {"E": object()}}})
    assert (
        str(error.value)
        == "layers.Output.E: found an object of type object; text, numbers, lists and mappings would be right"
    )
    with pytest.raises(ConfigError, match="only a file can extend another"):
        NetworkConfig.from_dict({"extends": "x.yaml"})
