"""What the reading process imports, and when."""

import subprocess
import sys

PARSERS = "pypdf pypdfium2 lxml.etree charset_normalizer"


def run(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()


def test_the_process_that_only_sends_documents_loads_no_parser():
    loaded = run(f"import sys, carrel.ingestion.service; print(*(set({PARSERS.split()!r}) & set(sys.modules)))")

    assert loaded == []


def test_the_process_that_reads_documents_imports_nothing_while_it_reads():
    program = """
import sys
from carrel.ingestion.child import _import_everything
from tests.ingestion.test_corpus import CORPUS
cases = [make(words) for make, words in CORPUS]
for name in [name for name in sys.modules if name.split(".")[0] in ("pypdf", "lxml", "email", "csv", "PIL")]:
    del sys.modules[name]
finders = list(sys.meta_path)
_import_everything()
known = set(sys.modules)
sys.meta_path[:] = finders
from carrel.ingestion.extraction import extract
for case in cases:
    extract(case.data, filename=case.name, declared_type=None)
print(*(set(sys.modules) - known))
"""
    assert run(program) == []
