# %% [markdown]
# # Handwritten digits
#
# The 8 x 8 digits that come with scikit-learn need no download. The same notebook runs on MNIST where its files are
# present: change `DATA`.
# %%
# %matplotlib inline
import numpy as np

import eiann
from eiann import metrics, plots
from eiann.training.evaluation import activities
from optimize import SearchSpace

DATA = "digits"  # or "mnist"
SIDE = {"digits": 8, "mnist": 28}[DATA]
data = eiann.data.load(DATA)
# %% [markdown]
# A network of excitatory and inhibitory cells whose hidden layers learn with dendritic target propagation, at the
# settings published for MNIST. For the small images only the number of inputs differs.
# %%
space = SearchSpace.load("mnist/dendritic_target_propagation")
settings = space.apply(space.starting_points["optimized"].params).to_dict()
settings["layer_config"]["Input"]["E"]["size"] = SIDE * SIDE
config = eiann.NetworkConfig.from_dict(settings)
plots.architecture(config)
# %%
network = eiann.Network(config, seeds=[1, 2, 3])
history = eiann.train(
    network, data.train, data_seeds=[11, 12, 13], epochs=3, validation=data.validation, val_interval=(0, -1, 100)
)
print(eiann.evaluate(network, data.test).accuracy)
plots.learning_curves(history, chance=10.0)
# %% [markdown]
# ## What the hidden cells represent
#
# Activities of all hidden E cells for all test images, and what is usually asked of them: how sparse is the answer to
# an image, how selective is a cell, how alike are the answers to images of one class.
# %%
hidden = next(p for p in network.architecture.populations if (p.layer, p.name) == ("H1", "E"))
name = f"activity:{hidden.index}"
activity = np.concatenate([part[name][0] for _, part in activities(network, data.test.inputs, [name])])
labels = data.test.labels.numpy()
print(f"sparsity {metrics.sparsity(activity).mean():.2f}, selectivity {metrics.selectivity(activity).mean():.2f}")
plots.similarity_matrices({"H1.E": metrics.pattern_similarity(activity, labels)})
# %%
fields = network.state_dict()["module_dict.H1E_InputE.weight"][0].numpy()
structure = metrics.field_structure(fields, (SIDE, SIDE))
print(f"structure of the fields (Moran's I): {np.nanmean(structure):.2f}")
plots.receptive_fields(fields[:24], (SIDE, SIDE))
