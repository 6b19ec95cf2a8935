import pytest

from tools.house_text import check_text

# Put together from parts, because these very lines are checked as well.
MACHINE = ["/" + "work/main/Makefile", "cd /" + "root/.cache", "'/" + "home/ada/carrel'", "(/" + "Users/ada/carrel)"]
REGISTRY = ["https://" + "pypi" + ".org/simple", "files." + "pythonhosted" + ".org", "registry." + "npmjs" + ".org"]
PROMISE = ["# TO" + "DO: later", "FIX" + "ME", "(TO" + "DO)"]
FINE = [
    "/var/lib/carrel",
    "https://example.com/" + "work/item",
    "see ../" + "root/file",
    "{base}/" + "home/",
    "docs.python.org",
    "not" + "pypi" + ".org",
    "mas" + "TO" + "DO" + "n",
    "to" + "do list",
]


@pytest.mark.parametrize("line", [*MACHINE, *REGISTRY, *PROMISE])
@pytest.mark.parametrize("name", ["docs/page.md", "deploy/Dockerfile", "src/carrel/core/ids.py", "package-lock.json"])
def test_is_found_in_any_file(tmp_path, name, line):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(f"first line\n{line}\n", encoding="utf-8")

    (finding,) = check_text(tmp_path)

    assert (finding.path, finding.line) == (name, 2)


@pytest.mark.parametrize("line", FINE)
def test_is_fine(tmp_path, line):
    (tmp_path / "page.md").write_text(f"{line}\n", encoding="utf-8")

    assert list(check_text(tmp_path)) == []


def test_a_binary_file_is_left_alone(tmp_path):
    (tmp_path / "image.png").write_bytes(b"\x89PNG\xff" + PROMISE[0].encode())

    assert list(check_text(tmp_path)) == []
