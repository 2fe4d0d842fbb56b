"""The fixture `grid`: a running project for all tests of a file. CONF of the file: options of its server."""

import tempfile

import pytest

from grid import Grid


@pytest.fixture(scope="module")
def grid(request):
    with tempfile.TemporaryDirectory(prefix="dugnad-it-") as folder:
        with Grid(folder, **getattr(request.module, "CONF", {})) as running:
            yield running


def pytest_configure(config):
    config.addinivalue_line("markers", "changes_something: a test of test_bad_input.py that also does something right")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    running = getattr(item, "funcargs", {}).get("grid")
    if report.failed and running is not None:
        report.sections += running.logs()
