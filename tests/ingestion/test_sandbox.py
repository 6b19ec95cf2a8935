import asyncio
import os
import sys
import textwrap
import time

import psutil
import pytest

from carrel.ingestion import extraction
from carrel.ingestion.extraction.errors import (
    ExtractionCrashed,
    ExtractionMemory,
    ExtractionTimeout,
    NoTextFound,
    NotText,
    UnsupportedType,
)
from carrel.ingestion.sandbox import Sandbox

HOSTILE = ("-m", "tests.ingestion.hostile_child")

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def given_document(tmp_path):
    def write(content, name="document.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
async def given_sandbox():
    """Sandboxes whose children do as the document says; each is closed, and then no child may be left."""
    made = []

    def make(**options):
        made.append(Sandbox(program=HOSTILE, **options))
        return made[-1]

    yield make
    for sandbox in made:
        await sandbox.close()
    assert children() == []


# Other tests of this process may keep a server with a reader of its own while these run.
strangers: set[int] = set()


@pytest.fixture(autouse=True)
def _know_strangers():
    strangers.clear()
    strangers.update(child.pid for child in children())


def children():
    readers = [child for child in psutil.Process().children(recursive=True) if is_reader(child)]
    return [reader for reader in readers if reader.pid not in strangers]


def is_reader(process):
    try:
        return "tests.ingestion.hostile_child" in process.cmdline() or "carrel.ingestion.child" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


async def read(sandbox, path, **about):
    return await sandbox.extract(path, **{"filename": path.name, "declared_type": None, **about})


async def until(condition):
    """Look again and again, as processes ring no bell; fail if the condition does not come."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def gone(number):
    """Wait until a process has ended; fail if it will not."""
    await until(lambda: not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE)


class TestAnswers:
    @pytest.mark.parametrize(
        ("content", "name"),
        [
            ("Just a few words, e\u0301, 👩‍👩‍👧‍👦\r\n\x00 and عربي.", "a.txt"),
            ("# Title\n\n## Part\n\ntext\n", "a.md"),
            ("<title>T</title><h1>One</h1><p>words</p><h2>Two</h2>", "a.html"),
            ("مرحبا بالعالم، هذا نص قصير.".encode("cp1256"), "a.txt"),
            ("賃貸借契約は両当事者の間で締結される。".encode("shift_jis"), "a.txt"),
            ("x = 1\n" * 300_000, "a.py"),
        ],
    )
    async def test_are_those_of_reading_without_a_sandbox(self, given_document, given_sandbox, content, name):
        path = given_document(content, name)

        found = await read(given_sandbox(), path)

        assert found == extraction.extract(path.read_bytes(), filename=name, declared_type=None)

    @pytest.mark.parametrize(
        ("content", "expected"),
        [(b"GIF89a words", UnsupportedType), (bytes(range(256)) * 20, NotText), (b" \n ", NoTextFound)],
    )
    async def test_keep_the_problems_of_the_reader_whole(self, given_document, given_sandbox, content, expected):
        path = given_document(content)
        with pytest.raises(expected) as direct:
            extraction.extract(content, filename=path.name, declared_type=None)

        with pytest.raises(expected) as told:
            await read(given_sandbox(), path)

        assert (told.value.detail, told.value.hint) == (direct.value.detail, direct.value.hint)
        assert told.value.facts == direct.value.facts

    async def test_come_for_twenty_calls_at_once_from_two_children(self, given_document, given_sandbox):
        sandbox = given_sandbox(size=2)
        paths = [given_document(f"document number {n}", f"{n}.txt") for n in range(20)]

        found = await asyncio.gather(*(read(sandbox, path) for path in paths))

        assert [one.text for one in found] == [f"document number {n}" for n in range(20)]
        assert len(children()) == 2

    async def test_come_from_the_same_child_until_it_is_replaced(self, given_document, given_sandbox):
        sandbox, path = given_sandbox(recycle=3), given_document("name_itself")

        names = [(await read(sandbox, path)).text for _ in range(6)]

        assert len(set(names[:3])) == len(set(names[3:])) == 1
        assert len(set(names)) == 2

    async def test_are_not_confused_by_what_a_library_prints(self, given_document, given_sandbox):
        sandbox = given_sandbox()

        assert (await read(sandbox, given_document("chatter"))).text == "said nothing"
        assert (await read(sandbox, given_document("fine"))).text == "fine"

    async def test_of_the_real_child_are_the_same(self, given_document):
        sandbox = Sandbox()
        try:
            found = await read(sandbox, given_document("<h1>Real</h1>", "a.html"), declared_type="text/html")
        finally:
            await sandbox.close()

        assert found.headings == (extraction.Heading(0, 1, "Real"),)

    async def test_do_not_come_from_a_file_that_is_not_there(self, tmp_path, given_document, given_sandbox):
        sandbox = given_sandbox()

        with pytest.raises(FileNotFoundError):
            await read(sandbox, tmp_path / "missing")

        assert (await read(sandbox, given_document("fine"))).text == "fine"


class TestDocumentsThatBreakTheirReader:
    @pytest.mark.parametrize(
        ("deed", "options", "expected"),
        [
            ("hang", {"wall": 0.5}, ExtractionTimeout),
            ("ignore_politeness", {"wall": 0.5}, ExtractionTimeout),
            ("spin", {"cpu": 1}, ExtractionTimeout),
            ("hoard", {"memory": 64 * 2**20}, ExtractionMemory),
            ("crash", {}, ExtractionCrashed),
            ("quit_at_once", {}, ExtractionCrashed),
            ("fail", {}, ExtractionCrashed),
            ("talk_nonsense", {}, ExtractionCrashed),
            ("misplace", {}, ExtractionCrashed),
        ],
    )
    async def test_are_refused_and_the_next_one_is_read(self, given_document, given_sandbox, deed, options, expected):
        sandbox = given_sandbox(**options)
        first = (await read(sandbox, given_document("name_itself"))).text

        with pytest.raises(expected) as refused:
            await read(sandbox, given_document(deed))

        assert refused.value.hint
        second = (await read(sandbox, given_document("name_itself"))).text
        assert first != second
        await gone(int(first))

    async def test_are_told_how_long_was_too_long(self, given_document, given_sandbox):
        with pytest.raises(ExtractionTimeout, match=r"took longer than 0\.5 s"):
            await read(given_sandbox(wall=0.5), given_document("hang"))

    async def test_are_told_how_much_work_was_too_much(self, given_document, given_sandbox):
        with pytest.raises(ExtractionTimeout, match="more than 1 s of processor time"):
            await read(given_sandbox(cpu=1), given_document("spin"))

    async def test_too_large_for_the_memory_are_refused_without_a_crash(self, given_document, given_sandbox):
        path = given_document(b"many words here " * 8 * 2**20)

        with pytest.raises(ExtractionMemory, match="more than 64 MiB"):
            await read(given_sandbox(memory=64 * 2**20), path)

    async def test_that_swell_while_they_are_read_are_refused(self, given_document, given_sandbox):
        path = given_document(b"<h1>a</h1>" * 2 * 2**20, "a.html")

        with pytest.raises(ExtractionMemory, match="more than 96 MiB"):
            await read(given_sandbox(memory=96 * 2**20), path)

    @pytest.mark.parametrize("page", [b"<p>" + b"word " * 2**21, b"<a href='" + b"x" * 10 * 2**20 + b"'>a</a> words"])
    async def test_that_exhaust_the_parser_are_not_cut_short_without_a_word(self, given_document, given_sandbox, page):
        with pytest.raises(ExtractionMemory):
            await read(given_sandbox(memory=32 * 2**20), given_document(page, "a.html"))

    async def test_leave_a_reason_without_their_words(self, given_document, given_sandbox):
        with pytest.raises(ExtractionCrashed) as crashed:
            await read(given_sandbox(), given_document("fail"))

        assert str(crashed.value.facts["reason"]).startswith("KeyError at hostile_child.py:")
        assert "secret" not in repr(crashed.value.facts)

    async def test_leave_the_name_of_the_signal(self, given_document, given_sandbox):
        with pytest.raises(ExtractionCrashed) as crashed:
            await read(given_sandbox(), given_document("crash"))

        assert crashed.value.facts == {"reason": "SIGSEGV"}

    async def test_do_not_disturb_others_that_are_read_meanwhile(self, given_document, given_sandbox):
        sandbox = given_sandbox(size=2, wall=5)
        bad, good = given_document("crash", "bad"), given_document("fine", "good")

        answers = await asyncio.gather(
            *(read(sandbox, path) for path in [bad, good, good, bad, good]), return_exceptions=True
        )

        kinds = [type(answer) for answer in answers]
        fine = extraction.Extracted
        assert kinds == [ExtractionCrashed, fine, fine, ExtractionCrashed, fine]


class TestConfinement:
    @pytest.mark.parametrize("deed", ["open_a_file", "open_a_socket"])
    async def test_has_no_files_and_no_network(self, given_document, given_sandbox, deed):
        found = await read(given_sandbox(), given_document(deed))

        assert found.text == "refused: Too many open files"

    async def test_has_tight_limits(self, given_document, given_sandbox):
        found = await read(given_sandbox(), given_document("show_limits"))

        assert found.text == "0 0 0 0"

    @pytest.mark.skipif(os.geteuid() == 0, reason="the kernel does not count the processes of root")
    async def test_cannot_fork(self, given_document, given_sandbox):
        found = await read(given_sandbox(), given_document("fork"))

        assert found.text.startswith("refused")

    async def test_does_not_inherit_our_environment(self, given_document, given_sandbox, monkeypatch):
        monkeypatch.setenv("JWT_SECRET", "do not tell")

        found = await read(given_sandbox(), given_document("show_environment"))

        assert set(found.text.split()) <= {"PYTHONPATH", "PYTHONUTF8", "LC_CTYPE"}


class TestEnd:
    async def test_of_a_call_by_cancelling_kills_its_child(self, given_document, given_sandbox):
        sandbox = given_sandbox()
        await read(sandbox, given_document("fine", "fine"))
        [child] = children()
        call = asyncio.create_task(read(sandbox, given_document("hang")))
        await until(lambda: sandbox._busy)

        call.cancel()

        with pytest.raises(asyncio.CancelledError):
            await call
        await gone(child.pid)
        assert (await read(sandbox, given_document("fine", "fine"))).text == "fine"

    async def test_by_closing_leaves_no_child_and_no_call(self, given_document):
        sandbox = Sandbox(program=HOSTILE)
        call = asyncio.create_task(read(sandbox, given_document("hang")))
        await until(lambda: sandbox._busy)

        await sandbox.close()

        assert children() == []
        with pytest.raises(RuntimeError, match="closed"):
            await call
        with pytest.raises(RuntimeError, match="closed"):
            await read(sandbox, given_document("fine"))
        await sandbox.close()

    async def test_before_the_first_call_needs_no_child(self):
        await Sandbox(program=("-c", "raise SystemExit")).close()

        assert children() == []

    async def test_before_the_first_document_is_an_error_of_ours(self, given_document):
        sandbox = Sandbox(program=("-c", "raise SystemExit(7)"))

        with pytest.raises(RuntimeError, match="did not start"):
            await read(sandbox, given_document("fine"))

        await sandbox.close()

    async def test_of_the_parent_by_kill_leaves_no_child(self, given_document, tmp_path):
        program = textwrap.dedent("""
            import asyncio, sys
            from pathlib import Path
            from carrel.ingestion.sandbox import Sandbox

            async def main():
                sandbox = Sandbox(program=("-m", "tests.ingestion.hostile_child"))
                name, hang = Path(sys.argv[1]), Path(sys.argv[2])
                found = await sandbox.extract(name, filename=None, declared_type=None)
                print(found.text, flush=True)
                await sandbox.extract(hang, filename=None, declared_type=None)

            asyncio.run(main())
        """)
        arguments = [given_document("name_itself", "name"), given_document("spin", "hang")]
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, *map(str, arguments)), stdout=asyncio.subprocess.PIPE, env=environment
        )
        assert parent.stdout is not None
        child = psutil.Process(int(await parent.stdout.readline()))
        await until(lambda: sum(child.cpu_times()[:2]) > 1)  # it is in the middle of the second document

        parent.kill()

        await parent.wait()
        await gone(child.pid)


class TestCost:
    async def test_of_a_small_document_is_small_once_the_child_runs(self, given_document, given_sandbox):
        sandbox, path = given_sandbox(), given_document("The quick brown fox. " * 100)
        await read(sandbox, path)

        took = []
        for _ in range(20):
            began = time.perf_counter()
            await read(sandbox, path)
            took.append(time.perf_counter() - began)

        assert min(took) < 0.05  # half a millisecond on an idle machine
