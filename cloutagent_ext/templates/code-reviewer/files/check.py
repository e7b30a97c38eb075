"""Runs the tests of shop, names what fails, and prints the counts as its last line, as JSON."""

import json
import sys
import unittest

sys.dont_write_bytecode = True


class Quiet(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.names = []

    def startTest(self, test):
        super().startTest(test)
        self.names.append(test.id())


result = Quiet()
unittest.defaultTestLoader.discover("shop", top_level_dir=".").run(result)
wrong = {test.id().rpartition(".")[2]: trace for test, trace in result.failures + result.errors}
for name, trace in wrong.items():
    print(f"{name}: {trace.strip().splitlines()[-1]}")
print(
    json.dumps(
        {
            "run": result.testsRun,
            "failed": len(wrong),
            "passed": result.testsRun - len(wrong),
            "names": ", ".join(name.removeprefix("test_").replace("_", " ") for name in wrong) or "none",
            "verdict": "all tests pass" if not wrong else "some tests fail",
        }
    )
)
