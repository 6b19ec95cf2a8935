from carrel.core.errors import Problem
from carrel.infra.db.errors import DatabaseUnavailable
from carrel.jobs.failure import assess


class NoText(Problem):
    code, title, status = "no-text-for-this-test", "No text", 422


def test_a_problem_of_the_callers_making_is_final():
    failure = assess(NoText("The document holds no text."))

    assert failure.is_final
    assert (failure.code, failure.detail) == ("no-text-for-this-test", "The document holds no text.")


def test_a_problem_of_our_own_may_pass():
    failure = assess(DatabaseUnavailable("The database does not answer."))

    assert not failure.is_final
    assert failure.code == "database-unavailable"


def test_a_bug_shows_nothing_of_itself():
    failure = assess(KeyError("the secret text of a document"))

    assert not failure.is_final
    assert failure.code == "internal-error"
    assert "secret" not in failure.detail
