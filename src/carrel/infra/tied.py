"""`python -m carrel.infra.tied PARENT MODULE ARGUMENT...`: runs a module in a process that never outlives its parent.

The bond is made before the module is imported. That takes seconds on a busy machine, in which a parent may die.
"""

import runpy
import sys

from carrel.infra.processes import die_with

if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
