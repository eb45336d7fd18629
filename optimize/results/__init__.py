"""pandas tables of a study: trials, instances, front, best."""

from optimize.dominance import nondominated
from optimize.results.ranking import (
    best_trials,
    complete_trials,
    feasible_trials,
    none_best,
    pareto_front,
    pareto_ranks,
)
from optimize.results.tables import TableName, check_table_path, instances_table, trials_table, write_table

__all__ = [
    "TableName",
    "best_trials",
    "check_table_path",
    "complete_trials",
    "feasible_trials",
    "instances_table",
    "nondominated",
    "none_best",
    "pareto_front",
    "pareto_ranks",
    "trials_table",
    "write_table",
]
