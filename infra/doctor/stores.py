"""Checks of bucket, dataset and tables, and of Cloud Storage's response to the write that commits a minute."""

from collections.abc import Iterator, Mapping
from functools import partial

from infra.doctor.google_rest import Denied, GoogleRest, NotThere, PreconditionNotMet, listed
from infra.doctor.identities import create, remove
from infra.doctor.project import Project
from infra.doctor.scratch import Scratch
from shared.feeds.definition import find_feed
from shared.operations.doctor.check import Check, Finding, failed, passed, passed_unless, unknown
from shared.streams.definition import look_up
from shared.warehouse.tables import LEDGER, Table, feed_tables

_TYPES: Mapping[str, str] = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}


def store_checks(project: Project, scratch: Scratch) -> Iterator[Check]:
    """Yield the checks of bucket and dataset; one creates an object, which `scratch` removes."""
    yield Check(
        name="location",
        relies_on="bucket and dataset are in one location, so that load jobs can read the bucket",
        look=partial(_location, project),
        meaning="every load job is refused, and no minute reaches BigQuery",
        remedy="recreate the one without data in the other's location (variable `location`)",
    )
    yield Check(
        name="tables",
        relies_on="every table and view exists, with the columns, partitions and clusters that the code declares",
        look=partial(_tables, project),
        meaning="loads and merges of the feed fail until the tables are as declared",
        remedy="run the job `provision` (gcloud run jobs execute provision --wait)",
        local=True,
    )
    yield Check(
        name="create existing object",
        relies_on="an object that exists is refused, with 412 or 403, to a service that may only create",
        look=partial(_create_existing, project, scratch),
        meaning="of two downloads of one minute the later one would replace the landing of the other",
        remedy="report it to the project; until then run one instance of the downloader",
    )


def _location(project: Project) -> Finding:
    bucket = str(project.google.get(f"storage.googleapis.com/storage/v1/b/{project.bucket}")["location"]).upper()
    dataset = str(project.google.get(_dataset(project))["location"]).upper()
    seen = f"bucket in {bucket}, dataset in {dataset}"
    # cloud.google.com/bigquery/docs/batch-loading-data: a dataset in the US loads from anywhere, one in the EU from the
    # regions of the EU, any other from its own region.
    inside_eu = (
        dataset == "EU" and bucket.startswith(("EU", "EUROPE-")) and bucket not in ("EUROPE-WEST2", "EUROPE-WEST6")
    )
    return passed(seen) if dataset in (bucket, "US") or inside_eu else failed(seen)


def _dataset(project: Project) -> str:
    return f"bigquery.googleapis.com/bigquery/v2/projects/{project.id}/datasets/{project.dataset}"


def _tables(project: Project) -> Finding:
    declared = [LEDGER, *(table for feed in project.feeds for table in feed_tables(find_feed(feed)))]
    views = ["minute_status", *(name for feed in project.feeds for name in (feed, f"{feed}_current"))]
    problems = [text for table in declared for text in _table_problems(project, table)]
    problems += [f"view {name} does not exist" for name in views if _read(project, name) is None]
    return passed_unless(problems, f"{len(declared)} tables and {len(views)} views are as declared")


def _read(project: Project, table: str) -> Mapping[str, object] | None:
    try:
        return project.google.get(f"{_dataset(project)}/tables/{table}")
    except NotThere:
        return None


def _table_problems(project: Project, table: Table) -> Iterator[str]:
    found = _read(project, table.name)
    if found is None:
        yield f"table {table.name} does not exist"
        return
    columns = {look_up(one, "name"): look_up(one, "type") for one in listed(found, "schema.fields")}
    for column in table.columns:
        # The API writes types by their legacy names.
        wanted = _TYPES.get(column.type, column.type)
        if columns.get(column.name) not in (wanted, column.type):
            yield f"{table.name}.{column.name} is {columns.get(column.name) or 'missing'}, not {column.type}"
    if table.partition and look_up(found, "timePartitioning.field") != table.partition.column:
        yield f"{table.name} is not partitioned by {table.partition.column}"
    if tuple(map(str, listed(found, "clustering.fields"))) != table.cluster:
        yield f"{table.name} is not clustered by {', '.join(table.cluster) or 'nothing'}"


def _create_existing(project: Project, scratch: Scratch) -> Finding:
    if not project.feeds:
        return unknown("no feed is switched on")
    account = project.account("loader")
    caller = project.access_as(account)
    name = f"{project.feeds[0]}/{scratch.name}"
    scratch.remove_later(
        f"gs://{project.bucket}/{name}",
        lambda: remove(project.access_as(project.account("downloader")), project.bucket, name),
    )
    return _created_twice(caller, project.bucket, name)


def _created_twice(caller: GoogleRest, bucket: str, name: str) -> Finding:
    create(caller, bucket, name)
    try:
        create(caller, bucket, name)
    except PreconditionNotMet:
        return passed("412, as documented for ifGenerationMatch=0")
    except Denied:
        return passed("403 instead of 412, which the services take for it")
    return failed("the second write of the same object was accepted")
