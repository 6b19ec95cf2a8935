import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from carrel.core.errors import Problem
from carrel.entry.cli.progress import PAUSE, lines
from carrel.entry.cli.screen import plain, problems_in_words


@given(st.text(st.characters()))
def test_nothing_that_steers_a_terminal_is_left(text):
    assert len(plain(text)) == len(text)
    assert all(character.isprintable() or character in "\n\t" or ord(character) > 0x9F for character in plain(text))
    plain(text).encode()


def test_a_problem_becomes_two_lines_and_an_exit_status(capsys):
    with pytest.raises(typer.Exit) as ended, problems_in_words():
        raise Problem("The [bold]lamp[/] is :fire: out.", hint="Light it.")

    assert ended.value.exit_code == 1
    assert capsys.readouterr().out == ""


def test_lines_come_at_the_end_and_at_most_now_and_then():
    time, said = [0.0], list[str]()
    advance = lines("Sent", 100, said.append, clock=lambda: time[0])

    for _ in range(100):
        time[0] += PAUSE / 10
        advance()

    assert len(said) == 10
    assert said[-1] == "Sent 100 of 100"
