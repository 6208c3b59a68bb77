"""The published ways to send people to groups by memberships, which ours is measured beside, with their knobs.

Each takes memberships as a sparse matrix people x groups of ones, and the rows that are asked about, and gives their
scores for all groups. ALS and item-kNN are those of `implicit`; EASE and RP3beta are a few lines each.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from implicit.utils import ParameterWarning
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Memberships = Any
"""A `scipy.sparse.csr_matrix`, people x groups; scipy tells its types to nobody."""
Model = Callable[[Memberships, Places], Floats]

_SEED = 42


def by_items(similar: Callable[[Memberships], Any]) -> Model:
    """Score by the sum over a person's groups of how similar they are to each."""

    def scores(x: Memberships, asked: Places) -> Floats:
        made: Floats = np.asarray(x[asked] @ similar(x))
        return made

    return scores


def popularity(x: Memberships, asked: Places) -> Floats:
    return np.tile(_sizes(x), (len(asked), 1))


def item_knn(neighbours: int) -> Model:
    """Deshpande and Karypis, ACM TOIS 2004: cosine, of each group the nearest so many."""

    def similar(x: Memberships) -> Floats:
        model = CosineRecommender(K=neighbours + 1)  # each is its own nearest
        with warnings.catch_warnings():  # it warns of what it has made itself
            warnings.simplefilter("ignore", ParameterWarning)
            model.fit(x, show_progress=False)
        return _no_self(model.similarity.toarray())

    return by_items(similar)


def rp3beta(alpha: float, beta: float) -> Model:
    """Paudel et al., ACM TiiS 2016: three steps of a random walk, the groups' popularity damped."""

    def similar(x: Memberships) -> Floats:
        people = sparse.diags(1 / np.maximum(np.asarray(x.sum(axis=1)).ravel(), 1)) @ x
        groups = (x @ sparse.diags(1 / _sizes(x))).T
        walks = (groups.power(alpha) @ people.power(alpha)).toarray()
        damped: Floats = _no_self(walks) / _sizes(x) ** beta
        return damped

    return by_items(similar)


def ease(strength: float) -> Model:
    """Steck, WWW 2019: ridge regression of each group on all others, in closed form."""

    def similar(x: Memberships) -> Floats:
        inverse = np.linalg.inv((x.T @ x).toarray() + strength * np.eye(x.shape[1]))
        return _no_self(-inverse / np.diag(inverse))

    return by_items(similar)


def als(factors: int, alpha: float, strength: float) -> Model:
    """Hu, Koren and Volinsky, ICDM 2008: people and groups as factors, a membership believed `alpha` times more."""

    def scores(x: Memberships, asked: Places) -> Floats:
        with threadpool_limits(1, "blas"):  # implicit has threads of its own, and warns of two kinds
            model = AlternatingLeastSquares(factors, strength, alpha, random_state=_SEED)
            model.fit(x, show_progress=False)
        made: Floats = np.asarray(model.user_factors[asked] @ model.item_factors.T, dtype=float)
        return made

    return scores


RIVALS: dict[str, dict[str, Model]] = {
    "popularity": {"": popularity},
    "item-kNN": {f"k {k}": item_knn(k) for k in (20, 50, 100, 200)},
    "RP3beta": {f"alpha {a}, beta {b}": rp3beta(a, b) for a in (0.5, 0.8, 1.0, 1.2) for b in (0.0, 0.2, 0.4, 0.6)},
    "EASE": {f"lambda {s}": ease(s) for s in (3, 10, 30, 100, 300, 1000)},
    "ALS": {
        f"{f} factors, alpha {a}, lambda {s}": als(f, a, s)
        for f in (32, 64, 128)
        for a in (2, 10, 40)
        for s in (0.01, 1, 10)
    },
}


def _sizes(x: Memberships) -> Floats:
    sizes: Floats = np.array(x.sum(axis=0), dtype=float).ravel()
    return np.maximum(sizes, 1)


def _no_self(similar: Any) -> Floats:
    made: Floats = np.array(similar, dtype=float)
    np.fill_diagonal(made, 0.0)
    return made
