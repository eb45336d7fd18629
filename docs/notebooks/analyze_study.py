# %% [markdown]
# # Looking at a study
#
# A study is a folder; its tables are pandas tables. This notebook runs a small search of the simplest model, a
# perceptron on the spiral, and asks it the usual questions. Put the name of a study of your own into `STUDY` to ask the
# same of that.
# %%
# %matplotlib inline
import sys  # noqa: F401

import matplotlib.pyplot as plt

import optimize
from optimize import analysis

STUDY = "studies/perceptron"
# %% [markdown]
# The search: 60 settings, each on three seeds, 1,400 training steps. In a terminal this is `eiann optimize ...`.
# %%
options = "--trials 60 --instances 3 --steps 1400 --name perceptron"
# !{sys.executable} -m optimize.cli optimize spiral/perceptron {options} | tail -n 12
# %%
study = optimize.Study.open(STUDY)
trials, instances = study.trials(), study.instances()
objectives = list(study.spec.evaluation.objectives)
parameters = study.spec.search_space.searched
study.best(5)
# %% [markdown]
# ## How the search went
# %%
history = analysis.front_history(trials, objectives)
history.tail()
# %%
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.plot(trials["number"], trials["features.accuracy"], "o", color="#999999", label="trial")
axes.plot(trials["number"], trials["features.accuracy"].cummax(), color="#0072B2", label="best so far")
axes.set(xlabel="trial", ylabel="accuracy (%)")
_ = axes.legend()
# %% [markdown]
# ## Is the first place sure?
#
# Three seeds are few. Resampling them shows how often each trial would have come out first.
# %%
analysis.ranking_confidence(instances, "features.accuracy", maximize=True).head()
# %% [markdown]
# ## Which parameters matter
#
# Importance is the share of the variance of an objective that a parameter accounts for, over the whole space; the
# slopes say what happens around the best trial.
# %%
analysis.parameter_importance(trials, parameters, "objectives.loss")
# %%
best = int(study.best(1).iloc[0]["number"])
analysis.local_slopes(trials, parameters, best, ["features.accuracy", "features.loss"])
# %% [markdown]
# ## Are there several ways to be good?
#
# Distance of every trial from the best one, against how much worse it is: one funnel means one good region.
# %%
apart = analysis.distance_and_error(trials, parameters, "objectives.loss")
figure, axes = plt.subplots(figsize=(4.5, 3), layout="constrained")
axes.plot(apart["distance"], apart["objectives.loss"], "o", color="#D55E00", alpha=0.6)
_ = axes.set(xlabel="distance from the best trial", ylabel="loss")
