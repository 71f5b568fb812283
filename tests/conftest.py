"""Writes the stored expectations at the end of a run that asks for it."""

from typing import Any

import harness


def pytest_configure(config: Any) -> None:
    whole = not config.getoption("keyword") and not any("::" in argument for argument in config.args)
    harness.Expectations.fresh = harness.WRITE and whole


def pytest_sessionfinish(session: Any) -> None:
    for expectations in harness.Expectations.all.values():
        if harness.WRITE and expectations.written:
            expectations.save()
