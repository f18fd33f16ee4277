"""The algorithms, behind one small door: fit, predict, explain, save, load.

A matrix has one row per example and one column per design column, float32, NaN where unknown.
Every estimator answers with a *margin*: a log-odds-like number, any real value, higher means
more likely. Calibration turns margins into probabilities; nothing here claims to be one.

Contributions have one column per design column and one more for the base value; a row of them
sums to its margin. Nothing that is loaded here can execute code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from chatlift.errors import Unavailable
from chatlift.learn.calibration import sigmoid

Matrix = NDArray[np.float32]
Vector = NDArray[np.float64]
Parameters = Mapping[str, float]

EPSILON = 1e-4
"""Shares of a forest are kept this far from 0 and 1, so that their log-odds are finite."""
HELD_LOGISTIC_L2 = 400.0
"""Pull on the coefficients of a correction, in the rows that it outweighs."""
NEWTON_STEPS = 25
PATIENCE = 15
"""Boosting ends after so many rounds without a lower loss on the inner folds."""


class Fitted(Protocol):
    """A fitted algorithm."""

    def margins(self, matrix: Matrix) -> Vector:
        """Return one margin per row."""

    def contributions(self, matrix: Matrix, *, is_exact: bool = True) -> Vector:
        """Return the contribution of every column to the margin, then the base value, per row.

        Parameters
        ----------
        is_exact
            False allows a faster estimate, for what is averaged over many rows.
        """

    def dump(self) -> bytes:
        """Return the content of the artifact's main file."""


class Estimator(Protocol):
    """An algorithm that can be fitted."""

    def fit(
        self,
        matrix: Matrix,
        labels: Vector,
        parameters: Parameters,
        seed: int,
        offset: Vector | None = None,
    ) -> Fitted:
        """Fit on labels from 0 to 1, on one thread.

        Parameters
        ----------
        offset
            Log-odds per row to start from. What is fitted then is the correction to them: its
            margins are to be added to the offset of the rows they are asked for.
        """

    def load(self, content: bytes) -> Fitted:
        """Read what `dump` wrote.

        Raises
        ------
        Unavailable
            If the content is not a model of this kind.
        """


@dataclass(frozen=True)
class FittedBooster:
    """An XGBoost model; `is_share` says that it answers with a share rather than log-odds."""

    booster: Any
    is_share: bool

    def margins(self, matrix: Matrix) -> Vector:
        """Return log-odds per row."""
        found = self.booster.inplace_predict(matrix, predict_type="margin", validate_features=False)
        raw = np.asarray(found, dtype=np.float64)
        if not self.is_share:
            return raw
        return log_odds(raw)

    def contributions(self, matrix: Matrix, *, is_exact: bool = True) -> Vector:
        """Return tree SHAP values in log-odds, then the base value, per row.

        What moves a share is stretched by as much as its log-odds move further from the base's.
        """
        import xgboost as xgb

        found = self.booster.predict(
            xgb.DMatrix(matrix, nthread=1), pred_contribs=True, approx_contribs=not is_exact
        )
        parts = np.asarray(found, dtype=np.float64)
        return share_parts_to_log_odds(parts) if self.is_share else parts

    def dump(self) -> bytes:
        """Return the booster in XGBoost's own binary format."""
        return bytes(self.booster.save_raw("ubj"))


def log_odds(shares: Vector) -> Vector:
    """Return log(share / (1 - share)), finite also at 0 and 1."""
    share = np.clip(shares, EPSILON, 1 - EPSILON)
    return np.asarray(np.log(share / (1 - share)))


def share_parts_to_log_odds(parts: Vector) -> Vector:
    """Return contributions to a share, the base value last, as contributions to its log-odds.

    Examples
    --------
    >>> share_parts_to_log_odds(np.array([[0.2, 0.0, 0.5], [0.0, 0.0, 0.5]])).round(3).tolist()
    [[0.847, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    base, moved = parts[:, -1], parts[:, :-1].sum(axis=1)
    base_odds = log_odds(base)
    is_moved = np.abs(moved) > EPSILON
    slope = 1 / np.maximum(base * (1 - base), EPSILON)
    stretch = np.where(
        is_moved, (log_odds(base + moved) - base_odds) / np.where(is_moved, moved, 1.0), slope
    )
    return np.column_stack([parts[:, :-1] * stretch[:, None], base_odds])


def _load_booster(content: bytes) -> Any:
    import xgboost as xgb

    try:
        _check_whole(content)
        booster = xgb.Booster({"nthread": 1})
        booster.load_model(bytearray(content))
    except (ValueError, xgb.core.XGBoostError) as error:
        raise Unavailable(
            "The model file is no XGBoost model in UBJ format. It is damaged or was made by "
            "another program; roll back to the version before or train again."
        ) from error
    return booster


def _check_whole(content: bytes) -> None:
    """Refuse what is cut off: XGBoost ends the whole process on half a file (seen in a test)."""
    if not (content.startswith(b"{L") and content.endswith(b"}")):
        raise ValueError("not a whole UBJ object")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows to fit on or to judge by."""

    matrix: Matrix
    labels: Vector
    offset: Vector | None = None
    """Log-odds per row to start from; None: none."""

    def as_data(self) -> Any:
        """Return the rows as XGBoost reads them."""
        import xgboost as xgb

        data = xgb.DMatrix(self.matrix, label=self.labels, nthread=1)
        if self.offset is not None:
            data.set_base_margin(self.offset)
        return data


@dataclass(frozen=True)
class _Growing:
    """A booster that grows round by round beside the rows it is judged on."""

    booster: Any
    train: Any
    judge: Any

    @classmethod
    def of(cls, train: Part, judge: Part, settings: Mapping[str, Any]) -> _Growing:
        import xgboost as xgb

        parts = [train.as_data(), judge.as_data()]
        return cls(xgb.Booster(dict(settings), parts), *parts)

    def grow(self, number: int) -> float:
        """Add one round; return the loss on the judging rows."""
        self.booster.update(self.train, number)
        return float(self.booster.eval(self.judge).rpartition(":")[2])


class XGBoostRegression:
    """Boosted trees on the outcome from 0 to 1 with cross-entropy, so that it is a chance.

    Each round grows several trees, each on its own sample of columns and rows, and takes their
    mean: one tree a round makes the ranking of a small table depend on the seed.
    """

    common: ClassVar[dict[str, Any]] = {
        "objective": "reg:logistic",
        "tree_method": "hist",
        "max_bin": 32,
        "nthread": 1,
        "verbosity": 0,
        # Boosters that grow in turn on one thread share a generator otherwise.
        "seed_per_iteration": True,
    }
    fallback: ClassVar[dict[str, float]] = {
        "trees": 100,
        "trees_per_round": 6,
        "max_depth": 3,
        "learning_rate": 0.15,
        "min_child_weight": 1.0,
        "l2": 1.0,
        "column_share": 0.25,
        "row_share": 0.8,
    }
    held: ClassVar[dict[str, float]] = {
        "base_score": 0.5,
        "trees_per_round": 3,
        "max_depth": 2,
        "learning_rate": 0.1,
        "min_child_weight": 3.0,
        "l2": 10.0,
    }
    """What holds a correction close to its offset; nothing but the offset is its base."""

    def fit(
        self,
        matrix: Matrix,
        labels: Vector,
        parameters: Parameters,
        seed: int,
        offset: Vector | None = None,
    ) -> FittedBooster:
        """Fit `trees` rounds."""
        import xgboost as xgb

        chosen = self._chosen(parameters, is_held=offset is not None)
        booster = xgb.train(
            self._settings(chosen, seed),
            Part(matrix=matrix, labels=labels, offset=offset).as_data(),
            num_boost_round=int(chosen["trees"]),
        )
        return FittedBooster(booster, is_share=False)

    def side_by_side(
        self, trains: Sequence[Part], judges: Sequence[Part], parameters: Parameters, seed: int
    ) -> tuple[list[FittedBooster], int]:
        """Fit one booster per training part, and say how many rounds serve them best.

        Judged by the log loss over all judging parts together, each on the booster of the same
        place. They grow round by round, at most `trees`, until `PATIENCE` rounds bring nothing.
        """
        chosen = self._chosen(parameters, is_held=trains[0].offset is not None)
        settings = self._settings(chosen, seed) | {"eval_metric": "logloss"}
        growing = [_Growing.of(*pair, settings) for pair in zip(trains, judges, strict=True)]
        sizes = [len(judge.labels) for judge in judges]
        losses: list[float] = []
        for number in range(int(chosen["trees"])):
            losses.append(float(np.average([one.grow(number) for one in growing], weights=sizes)))
            if number - int(np.argmin(losses)) >= PATIENCE:
                break
        rounds = int(np.argmin(losses)) + 1
        return [FittedBooster(one.booster[:rounds], is_share=False) for one in growing], rounds

    def load(self, content: bytes) -> FittedBooster:
        """Read a booster."""
        return FittedBooster(_load_booster(content), is_share=False)

    def _chosen(self, parameters: Parameters, *, is_held: bool) -> dict[str, float]:
        return self.fallback | dict(parameters) | (self.held if is_held else {})

    def _settings(self, chosen: Parameters, seed: int) -> dict[str, Any]:
        return self.common | {
            "num_parallel_tree": int(chosen["trees_per_round"]),
            "max_depth": int(chosen["max_depth"]),
            "eta": chosen["learning_rate"],
            "min_child_weight": chosen["min_child_weight"],
            "lambda": chosen["l2"],
            "colsample_bytree": chosen["column_share"],
            "subsample": chosen["row_share"],
            "seed": seed,
            **({"base_score": chosen["base_score"]} if "base_score" in chosen else {}),
        }


class XGBoostForest:
    """A random forest: all trees grown side by side; a leaf answers its share of ones.

    With an offset, a leaf answers one Newton step of the log loss from it, drawn towards zero: a
    forest of corrections.
    """

    held: ClassVar[dict[str, Any]] = {"objective": "reg:logistic", "lambda": 10.0}
    """What makes a forest of corrections."""

    def fit(
        self,
        matrix: Matrix,
        labels: Vector,
        parameters: Parameters,
        seed: int,
        offset: Vector | None = None,
    ) -> FittedBooster:
        """Fit one round of `trees` parallel trees on squared error, which for 0/1 is Gini."""
        import xgboost as xgb

        settings = {
            "objective": "reg:squarederror",
            "tree_method": "hist",
            "max_bin": 32,
            "base_score": 0.5,
            "eta": 1.0,
            "lambda": 0.0,
            "num_parallel_tree": int(parameters["trees"]),
            "max_depth": int(parameters["max_depth"]),
            "min_child_weight": parameters["leaf_rows"],
            "colsample_bynode": parameters["column_share"],
            "subsample": parameters["row_share"],
            "nthread": 1,
            "verbosity": 0,
            "seed": seed,
        }
        if offset is not None:
            # The weight of a row in the log loss is at most a quarter.
            settings |= self.held | {"min_child_weight": parameters["leaf_rows"] / 4}
        data = Part(matrix=matrix, labels=labels, offset=offset).as_data()
        return FittedBooster(xgb.train(settings, data, num_boost_round=1), is_share=offset is None)

    def load(self, content: bytes) -> FittedBooster:
        """Read a forest, of shares or of corrections."""
        booster = _load_booster(content)
        objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
        return FittedBooster(booster, is_share=objective != self.held["objective"])


@dataclass(frozen=True)
class FittedLogistic:
    """A linear model on standardised columns; an unknown value counts as the mean.

    `mean`, `scale` and `weights` have one entry per design column, then one per column's
    "is unknown" indicator.
    """

    mean: Vector
    scale: Vector
    weights: Vector
    intercept: float

    def margins(self, matrix: Matrix) -> Vector:
        """Return log-odds per row."""
        # Summed row by row, so that a single row gives the very same bits as a batch.
        return np.asarray(self.contributions(matrix).sum(axis=1))

    def contributions(self, matrix: Matrix, *, is_exact: bool = True) -> Vector:  # noqa: ARG002
        """Return coefficient x standardised value per column, then the intercept."""
        parts = standardised(matrix, self.mean, self.scale) * self.weights
        columns = matrix.shape[1]
        by_column = parts[:, :columns] + parts[:, columns:]
        base = np.full((len(matrix), 1), self.intercept)
        return np.hstack([by_column, base])

    def dump(self) -> bytes:
        """Return the arrays as JSON."""
        return json.dumps(
            {
                "kind": "logistic",
                "mean": self.mean.tolist(),
                "scale": self.scale.tolist(),
                "weights": self.weights.tolist(),
                "intercept": self.intercept,
            }
        ).encode("utf-8")


def standardised(matrix: Matrix, mean: Vector, scale: Vector) -> Vector:
    """Return columns at mean 0 and spread 1, limited to +-5, then the unknown indicators."""
    unknown = np.isnan(matrix)
    filled = np.where(unknown, mean, matrix.astype(np.float64))
    return np.hstack([np.clip((filled - mean) / scale, -5, 5), unknown.astype(np.float64)])


class Logistic:
    """Logistic regression with an L2 pull, the same for every standardised column."""

    def fit(
        self,
        matrix: Matrix,
        labels: Vector,
        parameters: Parameters,
        seed: int,
        offset: Vector | None = None,
    ) -> FittedLogistic:
        """Fit by scikit-learn's LBFGS; a correction to an offset by Newton steps."""
        from sklearn.linear_model import LogisticRegression

        mean, scale = _centre(matrix)
        if offset is not None:
            columns = standardised(matrix, mean, scale)
            *weights, intercept = _ridge_from(offset, columns, labels, HELD_LOGISTIC_L2)
            return FittedLogistic(mean, scale, np.asarray(weights), intercept)
        model = LogisticRegression(
            C=1.0 / parameters.get("l2", 10.0), max_iter=300, random_state=seed
        )
        model.fit(standardised(matrix, mean, scale), labels.astype(np.int64))
        return FittedLogistic(
            mean=mean,
            scale=scale,
            weights=np.asarray(model.coef_[0], dtype=np.float64),
            intercept=float(model.intercept_[0]),
        )

    def load(self, content: bytes) -> FittedLogistic:
        """Read the arrays."""
        try:
            found = json.loads(content)
            arrays = [np.asarray(found[key], dtype=np.float64) for key in ("mean", "scale")]
            weights = np.asarray(found["weights"], dtype=np.float64)
            return FittedLogistic(arrays[0], arrays[1], weights, float(found["intercept"]))
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable(
                "The model file holds no logistic model. It is damaged or was made by another "
                "program; roll back to the version before or train again."
            ) from error


def _ridge_from(offset: Vector, columns: Vector, labels: Vector, l2: float) -> list[float]:
    """Return the weights, then the intercept, of the ridge regression that corrects an offset."""
    design = np.hstack([columns, np.ones((len(columns), 1))])
    pull = np.full(design.shape[1], l2)
    pull[-1] = 1e-6  # The intercept is free.
    weights = np.zeros(design.shape[1])
    for _ in range(NEWTON_STEPS):
        probability = sigmoid(offset + design @ weights)
        gradient = design.T @ (labels - probability) - pull * weights
        spread = (probability * (1 - probability))[:, None]
        step = np.linalg.solve(design.T @ (design * spread) + np.diag(pull), gradient)
        weights += step
        if np.abs(step).max() < 1e-6:
            break
    return [float(weight) for weight in weights]


def _centre(matrix: Matrix) -> tuple[Vector, Vector]:
    """Return mean and spread of each column over its known values; 0 and 1 where none is."""
    known = ~np.isnan(matrix)
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, matrix, 0.0).astype(np.float64)
    mean = filled.sum(axis=0) / count
    spread = np.sqrt((np.where(known, filled - mean, 0.0) ** 2).sum(axis=0) / count)
    return mean, np.where(spread > 1e-12, spread, 1.0)


ESTIMATORS: Mapping[str, Estimator] = MappingProxyType(
    {
        "xgboost_regression": XGBoostRegression(),
        "xgboost_forest": XGBoostForest(),
        "logistic": Logistic(),
    }
)
"""The algorithms by the name that specs and manifests use."""
