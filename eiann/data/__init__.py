"""Data sets: inputs and one-hot targets in three parts, loaded by name.

Importing this package registers the data sets that come with it: ``spiral``, ``digits``, ``mnist``, ``fashion_mnist``,
``cifar10`` and ``features``.
"""

from eiann.data.cifar10 import cifar10
from eiann.data.dataset import Dataset, DataSets, one_hot
from eiann.data.digits import digits
from eiann.data.features import features
from eiann.data.files import FOLDER_VARIABLE, MissingDataError
from eiann.data.mnist import fashion_mnist, mnist
from eiann.data.order import sample_order
from eiann.data.registry import load, names, option_names, register
from eiann.data.spiral import spiral, spiral_points

__all__ = [
    "FOLDER_VARIABLE",
    "DataSets",
    "Dataset",
    "MissingDataError",
    "cifar10",
    "digits",
    "fashion_mnist",
    "features",
    "load",
    "mnist",
    "names",
    "one_hot",
    "option_names",
    "register",
    "sample_order",
    "spiral",
    "spiral_points",
]
