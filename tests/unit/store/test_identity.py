from hypothesis import given
from hypothesis import strategies as st

from chatlift.store.identity import MASK, Identity

ANA = Identity(
    ids=frozenset({"crm-0042", "17"}),
    phones=frozenset({"+34 600 111 222"}),
    names=frozenset({"Ana Inventada"}),
)


def test_a_person_is_found_by_id_phone_or_name_in_any_spelling() -> None:
    for told in ("chat with ana inventada.txt", "id crm-0042,", "0034-600-111-222", "(ID: 17)"):
        assert ANA.is_named_in(f"so {told} it was"), told


def test_others_are_left_alone() -> None:
    for told in ("crm-00421", "346001112223", "on 17 May", "Anabel Inventada", ""):
        assert not ANA.is_named_in(told), told
        assert ANA.masked(told) == told


def test_nested_values_are_masked_where_they_name_the_person_only() -> None:
    told = {"messages": {"file_name": "Ana Inventada.txt", "read": 3}, "ids": ["17", "18"]}
    assert ANA.is_named_in(told)
    masked = ANA.masked(told)
    assert masked == {"messages": {"file_name": f"{MASK}.txt", "read": 3}, "ids": [MASK, "18"]}


def test_somebody_saved_as_one_of_our_words_takes_no_key_of_ours() -> None:
    saved = Identity(names=frozenset({"Messages"}))
    told = {"messages": {"file_name": "shop.csv"}}
    assert not saved.is_named_in(told)
    assert saved.masked(told) == told
    assert saved.masked({"Messages": {"messages": "Messages"}}) == {MASK: {"messages": MASK}}


def test_nobody_is_named_in_nothing() -> None:
    assert not Identity().is_named_in("anything at all")


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_was_masked_names_nobody(before: str, after: str) -> None:
    told = f"{before} crm-0042 +34600111222 {after}"
    assert not ANA.is_named_in(ANA.masked(told).replace(MASK, ""))


def test_a_number_counts_only_where_others_wrote_it() -> None:
    assert not ANA.is_named_in({"accepted": 17})
    assert ANA.is_named_in({"sender": {"id": 17}}, in_numbers=True)
    assert not ANA.is_named_in({"private": True, "id": 18}, in_numbers=True)


def test_the_depth_of_a_value_does_not_matter() -> None:
    deep: object = "Ana Inventada"
    for _ in range(5_000):
        deep = [deep]
    assert ANA.is_named_in(deep)
