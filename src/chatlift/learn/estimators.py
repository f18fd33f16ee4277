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
from chatlift.learn.curves import Curves, lines_and_bends

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
MOST_FREEDOM = 10.0
"""A coefficient's penalty is at least the common one divided by this."""


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
        directions: Sequence[int] = (),
    ) -> Fitted:
        """Fit on labels from 0 to 1, on one thread.

        Parameters
        ----------
        offset
            Log-odds per row to start from. What is fitted then is the correction to them: its
            margins are to be added to the offset of the rows they are asked for.
        directions
            Per column +1, -1 or 0: how trees may move along it; empty: as they like.
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


def held_to(directions: Sequence[int]) -> dict[str, str]:
    """Return the setting that holds trees to the directions.

    Examples
    --------
    >>> held_to([1, 0, -1])
    {'monotone_constraints': '(1,0,-1)'}
    >>> held_to([0, 0])
    {}
    """
    if not any(directions):
        return {}
    return {"monotone_constraints": f"({','.join(str(one) for one in directions)})"}


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
        directions: Sequence[int] = (),
    ) -> FittedBooster:
        """Fit `trees` rounds."""
        import xgboost as xgb

        chosen = self._chosen(parameters, is_held=offset is not None)
        booster = xgb.train(
            self._settings(chosen, seed) | held_to(directions),
            Part(matrix=matrix, labels=labels, offset=offset).as_data(),
            num_boost_round=int(chosen["trees"]),
        )
        return FittedBooster(booster, is_share=False)

    def side_by_side(
        self,
        trains: Sequence[Part],
        judges: Sequence[Part],
        parameters: Parameters,
        seed: int,
        directions: Sequence[int] = (),
    ) -> tuple[list[FittedBooster], int]:
        """Fit one booster per training part, and say how many rounds serve them best.

        Judged by the log loss over all judging parts together, each on the booster of the same
        place. They grow round by round, at most `trees`, until `PATIENCE` rounds bring nothing.
        """
        chosen = self._chosen(parameters, is_held=trains[0].offset is not None)
        settings = self._settings(chosen, seed) | {"eval_metric": "logloss"}
        settings |= held_to(directions)
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
        directions: Sequence[int] = (),
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
        settings |= held_to(directions)
        data = Part(matrix=matrix, labels=labels, offset=offset).as_data()
        return FittedBooster(xgb.train(settings, data, num_boost_round=1), is_share=offset is None)

    def load(self, content: bytes) -> FittedBooster:
        """Read a forest, of shares or of corrections."""
        booster = _load_booster(content)
        objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
        return FittedBooster(booster, is_share=objective != self.held["objective"])


@dataclass(frozen=True)
class FittedLogistic:
    """A sum of one curve per design column, in log-odds.

    `unknown` has one entry per design column: what it counts where the value is unknown.
    """

    curves: Curves
    unknown: Vector
    intercept: float

    @classmethod
    def of_lines(
        cls, mean: Vector, scale: Vector, weights: Vector, intercept: float
    ) -> FittedLogistic:
        """Return a straight line per column: weight x (value - mean) / scale, limited to +-5.

        Parameters
        ----------
        weights
            One per column, then one per column for where its value is unknown.

        Raises
        ------
        ValueError
            If the arrays do not belong to the same columns.
        """
        if mean.shape != scale.shape or weights.shape != (2 * len(mean),):
            raise ValueError((mean.shape, scale.shape, weights.shape))
        slopes, unknown = np.split(weights, 2)
        ends = np.array([-5.0, 5.0])
        knots = mean[:, None] + scale[:, None] * ends
        return cls(Curves(knots=knots, levels=slopes[:, None] * ends), unknown, intercept)

    def margins(self, matrix: Matrix) -> Vector:
        """Return log-odds per row."""
        # Summed row by row, so that a single row gives the very same bits as a batch.
        return np.asarray(self.contributions(matrix).sum(axis=1))

    def contributions(self, matrix: Matrix, *, is_exact: bool = True) -> Vector:  # noqa: ARG002
        """Return the height of each column's curve, then the intercept."""
        by_column = self.curves.of(matrix) + np.isnan(matrix) * self.unknown
        base = np.full((len(matrix), 1), self.intercept)
        return np.hstack([by_column, base])

    def dump(self) -> bytes:
        """Return the arrays as JSON."""
        knots, levels = self.curves.to_lists()
        return json.dumps(
            {
                "kind": "additive_logistic",
                "knots": knots,
                "levels": levels,
                "unknown": self.unknown.tolist(),
                "intercept": self.intercept,
            },
            allow_nan=False,
        ).encode("utf-8")


class Logistic:
    """Logistic regression on a line and a bend per column, and on whether its value is unknown.

    All three have an L2 penalty, weaker where a first fit found much; see `curves` for their scale.
    Parameters: `l2`, the penalty's strength, and `bend`, the freedom of the bends as a share of
    that of the lines; with 0 every curve only rises or only falls.
    """

    fallback: ClassVar[dict[str, float]] = {"l2": 200.0, "bend": 0.3}

    def fit(
        self,
        matrix: Matrix,
        labels: Vector,
        parameters: Parameters,
        seed: int,
        offset: Vector | None = None,
        directions: Sequence[int] = (),
    ) -> FittedLogistic:
        """Fit by Newton's method, which needs no random numbers: the seed changes nothing.

        Curves may turn, so that directions change nothing either.
        """
        del seed, directions
        chosen = self.fallback | dict(parameters)
        lines, bends = lines_and_bends(matrix)
        bends = bends.with_levels(bends.levels * chosen["bend"])
        parts = [lines.of(matrix), bends.of(matrix), np.isnan(matrix).astype(np.float64)]
        basis = np.hstack(parts)
        weights, intercept = (
            _adaptive_ridge(basis, labels, chosen["l2"])
            if offset is None
            else _ridge_from(offset, basis, labels, HELD_LOGISTIC_L2)
        )
        line, bend, unknown = np.split(weights, 3)
        levels = lines.levels * line[:, None] + bends.levels * bend[:, None]
        return FittedLogistic(lines.with_levels(levels), unknown, intercept)

    def load(self, content: bytes) -> FittedLogistic:
        """Read the arrays; those of versions before the curves are straight lines."""
        try:
            return _logistic_of(json.loads(content))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unavailable(
                "The model file holds no logistic model. It is damaged or was made by another "
                "program; roll back to the version before or train again."
            ) from error


def _ridge_from(offset: Vector, basis: Vector, labels: Vector, l2: float) -> tuple[Vector, float]:
    """Return the coefficients and the intercept of the ridge regression that corrects an offset."""
    design = np.hstack([basis, np.ones((len(basis), 1))])
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
    return weights[:-1], float(weights[-1])


def _adaptive_ridge(basis: Vector, labels: Vector, l2: float) -> tuple[Vector, float]:
    """Return the coefficients and the intercept of a second fit that the first one guides.

    A column whose coefficient came out large the first time is penalised less the second time, up
    to `MOST_FREEDOM` times, and one that came out small up to twice as much. A penalty that suits
    a hundred weak columns otherwise smothers the two or three that carry all (adaptive ridge:
    Frommlet and Nuel 2016).
    """
    weights, intercept = _ridge(basis, labels, l2)
    if not weights.any():
        return weights, intercept
    typical = np.mean(weights[weights != 0] ** 2)
    freedom = np.sqrt(np.minimum((weights**2 / typical + 1) / 2, MOST_FREEDOM))
    weights, intercept = _ridge(basis * freedom, labels, l2)
    return weights * freedom, intercept


def _ridge(basis: Vector, labels: Vector, l2: float) -> tuple[Vector, float]:
    """Return the coefficients and the intercept, which alone has no penalty."""
    from sklearn.linear_model import LogisticRegression

    moves = np.ptp(basis, axis=0) > 0
    weights = np.zeros(basis.shape[1])
    if not moves.any():
        odds = labels.sum() / (1 - labels).sum()
        return weights, float(np.log(odds))
    model = LogisticRegression(C=1.0 / l2, solver="newton-cholesky", max_iter=100)
    model.fit(basis[:, moves], labels.astype(np.int64))
    weights[moves] = model.coef_[0]
    return weights, float(model.intercept_[0])


def _logistic_of(content: Mapping[str, Any]) -> FittedLogistic:
    """Return what a model file says; it has curves, or mean, scale and weights."""
    intercept = float(content["intercept"])
    if "knots" not in content:
        mean, scale, weights = (
            np.asarray(content[key], dtype=np.float64) for key in ("mean", "scale", "weights")
        )
        found = FittedLogistic.of_lines(mean, scale, weights, intercept)
    else:
        knots, levels = (
            [np.asarray(one, dtype=np.float64) for one in content[key]]
            for key in ("knots", "levels")
        )
        unknown = np.asarray(content["unknown"], dtype=np.float64)
        found = FittedLogistic(Curves.of_lists(knots, levels), unknown, intercept)
    if (
        found.unknown.shape != (len(found.curves.knots),)
        or not np.isfinite([*found.unknown, intercept]).all()
    ):
        raise ValueError(found.unknown.shape)
    return found


ESTIMATORS: Mapping[str, Estimator] = MappingProxyType(
    {
        "xgboost_regression": XGBoostRegression(),
        "xgboost_forest": XGBoostForest(),
        "logistic": Logistic(),
    }
)
"""The algorithms by the name that specs and manifests use."""
