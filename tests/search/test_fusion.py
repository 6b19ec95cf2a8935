import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.core.ids import uuid7
from carrel.search.fusion import Candidate, ranks, recipe, rrf, vote, weights

ranking = st.lists(st.integers(0, 50), unique=True, max_size=20)
rankings = st.lists(ranking, max_size=5)
candidate = st.builds(Candidate, id=st.integers(0, 1_000), words=st.floats(0, 100), vector=st.floats(-1, 1))
candidates = st.lists(candidate, unique_by=lambda one: one.id, max_size=20)
votes = st.floats(0, 1)
scales = st.sampled_from(["minmax", "none"])


def plain_weights(pool, *, w):
    return weights(pool, w=w, scale="none")


fusions = st.sampled_from([recipe, weights, plain_weights])


def order(fused):
    return [one.id for one in fused]


class TestEveryFusionOfScores:
    @settings(deadline=None)
    @given(candidates, votes, fusions)
    def test_shows_shares_that_reproduce_the_order(self, pool, w, fuse):
        fused = fuse(pool, w=w)

        assert all(one.score == one.shares[0] + one.shares[1] for one in fused)
        assert fused == sorted(fused, key=lambda one: (-sum(one.shares), one.id))

    @settings(deadline=None)
    @given(candidates, votes, fusions)
    def test_ranks_every_candidate_once_from_one(self, pool, w, fuse):
        fused = fuse(pool, w=w)

        assert sorted(order(fused)) == sorted(one.id for one in pool)
        assert [one.rank for one in fused] == list(range(1, len(pool) + 1))

    @settings(deadline=None)
    @given(candidates, votes, fusions, st.randoms())
    def test_does_not_depend_on_the_order_of_the_candidates(self, pool, w, fuse, random):
        assert fuse(random.sample(pool, len(pool)), w=w) == fuse(pool, w=w)

    @settings(deadline=None)
    @given(candidates, votes, fusions, st.data())
    def test_never_puts_an_item_below_one_that_it_beats_in_both_legs(self, pool, w, fuse, data):
        places = {one.id: one.rank for one in fuse(pool, w=w)}

        for better in pool:
            for worse in pool:
                if better.words > worse.words and better.vector > worse.vector and better.id < worse.id:
                    assert places[better.id] < places[worse.id]

    @settings(deadline=None)
    @given(candidates, fusions)
    def test_follows_one_leg_alone_when_the_other_has_no_vote(self, pool, fuse):
        by_vector = fuse(pool, w=1)

        assert [one.shares[0] for one in by_vector] == [0] * len(pool)
        assert [one.shares[1] for one in by_vector] == sorted((one.shares[1] for one in by_vector), reverse=True)
        assert [one.shares[1] for one in fuse(pool, w=0)] == [0] * len(pool)

    @pytest.mark.parametrize("w", [-0.1, 1.1, float("nan")])
    @pytest.mark.parametrize("fuse", [recipe, weights])
    def test_refuses_a_vote_outside_of_its_range(self, fuse, w):
        with pytest.raises(ValueError, match="between 0 and 1"):
            fuse([], w=w)


class TestRecipe:
    def test_gives_the_best_words_and_a_perfect_cosine_a_full_share(self):
        best, other = recipe([Candidate("a", words=8, vector=1), Candidate("b", words=4, vector=0.5)], w=0.6)

        assert (best.id, other.id) == ("a", "b")
        assert best.shares == pytest.approx((0.4, 0.6))
        assert other.shares == pytest.approx((0.2, 0.3))

    def test_goes_by_meaning_alone_where_no_word_matches(self):
        fused = recipe([Candidate("a", words=0, vector=0.2), Candidate("b", words=0, vector=0.9)])

        assert order(fused) == ["b", "a"]
        assert all(one.shares[0] == 0 for one in fused)

    def test_lets_words_decide_where_all_cosines_are_alike(self):
        fused = recipe(
            [Candidate("a", words=1, vector=0.641), Candidate("b", words=9, vector=0.64)], w=vote(script_known=False)
        )

        assert order(fused) == ["b", "a"]

    def test_keeps_the_order_of_cosines_below_zero(self):
        fused = recipe([Candidate("a", words=0, vector=-0.4), Candidate("b", words=0, vector=-0.1)])

        assert order(fused) == ["b", "a"]

    def test_orders_equals_by_id(self):
        ids = [uuid7() for _ in range(5)]

        assert order(recipe([Candidate(one, words=1, vector=0.5) for one in reversed(ids)])) == sorted(ids)

    @settings(deadline=None)
    @given(candidates, votes)
    def test_does_not_depend_on_the_scale_of_the_words(self, pool, w):
        doubled = [Candidate(one.id, one.words * 2, one.vector) for one in pool]

        assert recipe(doubled, w=w) == recipe(pool, w=w)


class TestWeights:
    @settings(deadline=None)
    @given(candidates, votes)
    def test_stretched_scores_lie_between_nothing_and_their_vote(self, pool, w):
        for one in weights(pool, w=w):
            assert 0 <= one.shares[0] <= 1 - w
            assert 0 <= one.shares[1] <= w

    def test_stretching_uses_the_whole_range_of_both_legs(self):
        fused = weights([Candidate("a", words=3, vector=0.6), Candidate("b", words=5, vector=0.5)], w=0.25)

        assert [(one.id, one.shares) for one in fused] == [("b", (0.75, 0)), ("a", (0, 0.25))]

    def test_plain_scores_are_only_weighted(self):
        (fused,) = weights([Candidate("a", words=3, vector=0.5)], w=0.5, scale="none")

        assert fused.shares == (1.5, 0.25)


class TestRrf:
    @settings(deadline=None)
    @given(rankings)
    def test_every_item_appears_exactly_once(self, rankings):
        assert sorted(order(rrf(rankings))) == sorted({item for ranking in rankings for item in ranking})

    @settings(deadline=None)
    @given(rankings, st.randoms())
    def test_the_order_of_the_rankings_does_not_matter(self, rankings, random):
        shuffled = random.sample(rankings, len(rankings))

        scores = {one.id: one.score for one in rrf(rankings)}
        assert {one.id: one.score for one in rrf(shuffled)} == pytest.approx(scores)

    @settings(deadline=None)
    @given(ranking)
    def test_one_ranking_comes_back_unchanged(self, ranking):
        assert order(rrf([ranking])) == ranking

    @settings(deadline=None)
    @given(rankings, ranking.filter(bool))
    def test_one_more_vote_never_lowers_a_score(self, rankings, vote):
        before, after = ({one.id: one.score for one in rrf(votes)} for votes in (rankings, [*rankings, vote]))

        assert all(after[item] >= before[item] for item in before)

    @settings(deadline=None)
    @given(rankings)
    def test_shares_reproduce_score_and_order(self, rankings):
        fused = rrf(rankings)

        assert all(one.score == sum(one.shares) and len(one.shares) == len(rankings) for one in fused)
        assert fused == sorted(fused, key=lambda one: (-sum(one.shares), one.id))

    def test_counts_ranks_from_one_and_a_repeated_item_at_its_first_place(self):
        fused = rrf([["a", "b", "a"], ["b"]], k=60)

        assert [(one.id, one.shares) for one in fused] == [("b", (1 / 62, 1 / 61)), ("a", (1 / 61, 0))]

    def test_refuses_a_negative_constant(self):
        with pytest.raises(ValueError, match="not negative"):
            rrf([["a"]], k=-1)


class TestRanks:
    @settings(deadline=None)
    @given(st.dictionaries(st.integers(), st.floats(0, 1), max_size=10))
    def test_go_from_one_to_the_number_of_items_best_first_then_by_id(self, scores):
        found = ranks(scores)

        assert sorted(found, key=found.__getitem__) == sorted(scores, key=lambda item: (-scores[item], item))
        assert sorted(found.values()) == list(range(1, len(scores) + 1))


def test_vectors_have_little_say_in_a_script_that_the_model_does_not_know():
    assert (vote(script_known=True), vote(script_known=False)) == (0.6, 0.1)
