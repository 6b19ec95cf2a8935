import pytest

from tools.sizes import check


@pytest.fixture
def given_file(tmp_path):
    def write(path, text):
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    return write


def function_of(lines, *, decorators=0):
    head = ["@cached"] * decorators + ["def long():", '    """It is long."""']
    return "\n".join([*head, *["    pass"] * (lines - len(head))]) + "\n"


@pytest.mark.parametrize("folder", ["src", "tests", "bench", "tools"])
def test_a_file_of_501_lines_is_too_long_wherever_it_lies(tmp_path, given_file, folder):
    given_file(f"{folder}/deep/long.py", "x = 1\n" * 501)

    (finding,) = check(tmp_path)

    assert str(finding).startswith(f"{folder}/deep/long.py:501: The file has 501 lines; the cap is 500.")


def test_a_file_of_500_lines_is_fine(tmp_path, given_file):
    given_file("src/full.py", "x = 1\n" * 500)

    assert not list(check(tmp_path))


def test_a_function_of_60_lines_is_fine_and_one_of_61_is_not(tmp_path, given_file):
    given_file("src/fine.py", function_of(60))
    given_file("src/long.py", function_of(61))

    (finding,) = check(tmp_path)

    assert (finding.path, finding.line) == ("src/long.py", 1)


def test_decorators_count_as_part_of_the_function(tmp_path, given_file):
    given_file("src/decorated.py", "x = 1\n" + function_of(61, decorators=2))

    (finding,) = check(tmp_path)

    assert finding.line == 2
    assert "`long` has 61 lines" in finding.sentence


def test_an_async_method_counts_too(tmp_path, given_file):
    body = "\n".join(["        pass"] * 61)
    given_file("src/method.py", f"class Thing:\n    async def run(self):\n{body}\n")

    (finding,) = check(tmp_path)

    assert "`run` has 62 lines" in finding.sentence


@pytest.mark.parametrize("name", ["page.ts", "page.tsx", "page.css"])
def test_a_web_file_may_have_250_lines(tmp_path, given_file, name):
    given_file(f"web/src/long/{name}", "a\n" * 251)
    given_file(f"web/src/fine/{name}", "a\n" * 250)

    (finding,) = check(tmp_path)

    assert finding.path == f"web/src/long/{name}"


def test_other_people_s_files_have_no_cap(tmp_path, given_file):
    given_file("web/node_modules/react/index.ts", "a\n" * 251)
    given_file("sdk/typescript/src/client.ts", "a\n" * 251)
    given_file("docs/example.py", "x = 1\n" * 501)

    assert not list(check(tmp_path))
