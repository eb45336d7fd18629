# %% [markdown]
# # The spiral task
#
# Four arms of a spiral in the plane, one class each: a small task that a linear classifier cannot solve. This
# notebook trains two of the published models at their optimized parameters, a few replicas of each, and looks at what
# they learned.
# %%
# %matplotlib inline
import torch

import eiann
from eiann import plots
from optimize import SearchSpace

MODELS = ["spiral/dale_backprop", "spiral/dendritic_target_propagation"]
REPLICAS = 3
data = eiann.data.load("spiral", protocol="separate")
# %% [markdown]
# A search space holds a network and the published optimum of its parameters. `apply` puts the one into the other.
# %%
configs = {}
for name in MODELS:
    space = SearchSpace.load(name)
    configs[name] = space.apply(space.starting_points["optimized"].params)

plots.architecture(configs[MODELS[1]], title="Dendritic target propagation")
# %% [markdown]
# Each replica has its own initial weights and its own order of samples. All replicas are trained as one batch.
# %%
networks, histories = {}, {}
for name, config in configs.items():
    network = eiann.Network(config, seeds=[100 + i for i in range(REPLICAS)])
    history = eiann.train(
        network,
        data.train,
        data_seeds=[200 + i for i in range(REPLICAS)],
        steps=5600,
        validation=data.validation,
        val_interval=(0, -1, 280),
    )
    networks[name], histories[name] = network, history
    print(f"{name}: {history.val_accuracy[:, -1].tolist()} % by executor {history.executor}")

plots.learning_curves(histories, chance=25.0)
# %% [markdown]
# Which class the first replica of each model answers at every point of the plane:
# %%
for network in networks.values():
    figure = plots.decision_map(lambda inputs, network=network: eiann.predict(network, inputs), data.test, replicas=[0])
    display(figure)  # noqa: F821
# %% [markdown]
# Test points were never used, neither for training nor for choosing parameters. Where a replica stays at 25, 50 or 75
# %, one or more of its output units have fallen silent; that is what the search in `examples/` is about.
# %%
for name, network in networks.items():
    result = eiann.evaluate(network, data.test)
    outputs = eiann.predict(network, data.test.inputs)
    silent = (outputs.amax(dim=1) == 0).sum(dim=1)
    print(f"{name}: accuracy {[round(v, 1) for v in result.accuracy.tolist()]}, silent outputs {silent.tolist()}")
# %% [markdown]
# Weights keep the sign of their presynaptic cell:
# %%
state = networks[MODELS[0]].state_dict()
excitatory = {name: value for name, value in state.items() if name.endswith("E.weight")}
assert all(torch.all(value >= 0) for value in excitatory.values())
plots.weight_histograms(state)
