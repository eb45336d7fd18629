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

DATA = "digits"  # or "mnist"
SIDE = {"digits": 8, "mnist": 28}[DATA]
data = eiann.data.load(DATA)
# %% [markdown]
# A network of excitatory and inhibitory cells whose hidden layer learns with dendritic target propagation. It is
# written in the compact form; every word is explained in "Network files".
# %%
config = eiann.NetworkConfig.from_dict(
    {
        "cells": {
            "E": "excitatory, activation relu",
            "SomaI": "inhibitory, activation relu",
            "DendI": "inhibitory, activation relu",
        },
        "layers": {
            "Input": {"E": SIDE * SIDE},
            "H1": {"E": 100, "SomaI": 20, "DendI": 20},
            "Output": {"E": 10, "SomaI": 10},
        },
        "projections": {
            "E <- below.E": "rule BP_like_2E(learning_rate=0.05, relu_gate=true), init 1",
            "E <- SomaI": "init 1",
            "SomaI <- below.E": "init 0.5",
            "SomaI <- E": "init 0.5",
            "E <- DendI": "rule DendriticLoss_6(sign=-1, learning_rate=0.05), init 1, dend, phase B",
            "E <- above.E": "constraint clone_weight(source=reverse, transpose=true, scale=0.5), dend, phase B",
            "DendI <- E": "rule Hebb_WeightNorm(sign=1, learning_rate=0.05, forward_only=true), "
            "constraint normalize_weight(scale=4)",
        },
        "training": {"tau": 3, "forward_steps": 15, "backward_steps": 0},
    }
)
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
