"""The three models as data: cutoffs, labels, hyperparameters, targets and words."""
