"""A real site for tests that need one: processes, ports and files of its own."""

from collections.abc import Iterator

import pytest

from marketplace.ops.stack import Stack, clean_environment

# Short enough for a test to see a lease run out, and long enough for a loaded machine.
IMPATIENT = {"JOB_LEASE_SECONDS": "5", "JOB_RERING_SECONDS": "2", "JOB_INLINE_SECONDS": "4"}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One running site for every browser test and the story.

    Mark the tests that use it with ``pytest.mark.xdist_group("stack")``, so that one process runs them all.
    """
    running = Stack(
        tmp_path_factory.mktemp("stack"),
        durable=False,
        environment=IMPATIENT,
        inherited=clean_environment(),
        say=lambda line: None,
    )
    with running:
        yield running
