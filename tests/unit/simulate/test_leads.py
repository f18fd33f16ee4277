import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chatlift.simulate.leads import exactly, shift_to_total


@given(
    st.lists(st.floats(-8, 8), min_size=1, max_size=60),
    st.data(),
)
def test_exactly_the_wanted_number_is_chosen_whatever_the_chances(log_odds, data):
    total = data.draw(st.integers(0, len(log_odds)))
    values = np.array(log_odds)
    chances = 1 / (1 + np.exp(-(values + shift_to_total(values, total))))
    chosen = exactly(chances, np.random.default_rng(data.draw(st.integers(0, 99))))
    assert chosen.sum() == total


def test_each_entry_is_chosen_with_its_own_probability():
    chances = np.array([0.9, 0.05, 0.3, 0.75, 0.5, 0.5])  # sums to 3
    rng = np.random.default_rng(4)
    share = np.mean([exactly(chances, rng) for _ in range(4000)], axis=0)
    # Four standard errors of a share of 4,000: 4 * sqrt(0.25 / 4000) = 0.032.
    assert np.abs(share - chances).max() < 0.032
