"""One server for the whole run, and a migrated database of its own for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.postgres.cluster import Cluster, running_cluster

from guestpass.storage import migrate


class Databases:
    """Makes migrated databases by copying one."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._made = 0
        cluster.create("migrated")
        migrate.upgrade(cluster.url("migrated"))

    def make(self, *, template: str = "migrated") -> str:
        """The name of a new database."""
        self._made += 1
        name = f"test_{self._made}"
        self.cluster.create(name, template=template)
        return name


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[Databases]:
    with running_cluster() as cluster:
        yield Databases(cluster)


@pytest.fixture
def postgres_database(postgres_databases: Databases) -> Iterator[str]:
    name = postgres_databases.make()
    yield name
    postgres_databases.cluster.drop(name)


@pytest.fixture
def postgres_url(postgres_databases: Databases, postgres_database: str) -> str:
    return postgres_databases.cluster.url(postgres_database)
