"""Load jobs as in BigQuery, where the emulator is laxer: ids are never reused. Also injects faults."""

from collections.abc import Callable, Mapping
from functools import wraps
from threading import Lock
from typing import Any

from bqemulator.api.routes import jobs
from bqemulator.domain.errors import AlreadyExistsError, DomainError, NotFoundError
from fastapi import Request
from pydantic import TypeAdapter

from infra.local.faults.rules import FaultBook
from infra.local.job_faults import CONTROL, LIMIT, Rule


class RateLimitError(DomainError):
    """The rate limit of table changes or calls was exceeded."""

    http_status = 403
    bq_reason = "rateLimitExceeded"
    grpc_status_name = "RESOURCE_EXHAUSTED"


def keep_the_rules_of_load_jobs() -> None:
    """Make the emulator refuse used ids and inject faults; call this before its application is created."""
    book: FaultBook[Rule] = FaultBook()
    replace_endpoint(jobs.insert_job, _insert(jobs.insert_job, book, _Taken()))
    replace_endpoint(jobs.get_job, _get(jobs.get_job, book))
    read = TypeAdapter(list[Rule]).validate_json

    async def put(request: Request) -> list[Mapping[str, object]]:
        book.replace(read(await request.body()))
        return show()

    def show() -> list[Mapping[str, object]]:
        return [{**rule.model_dump(exclude_defaults=True), "fired": fired} for rule, fired in book.fired()]

    jobs.router.add_api_route(CONTROL, show, methods=["GET"])
    jobs.router.add_api_route(CONTROL, put, methods=["PUT"])


class _Taken:
    """Ids of jobs that are running; those that have ended are in the emulator's catalog."""

    def __init__(self) -> None:
        self._ids: set[tuple[str, str]] = set()
        self._lock = Lock()

    def take(self, key: tuple[str, str], *, ended: bool) -> None:
        """Reserve an id; raise AlreadyExistsError if it was used before."""
        with self._lock:
            if ended or key in self._ids:
                raise AlreadyExistsError(f"Already Exists: Job {key[0]}:{key[1]}")
            self._ids.add(key)

    def leave(self, key: tuple[str, str]) -> None:
        """Release the id of a job that has ended."""
        with self._lock:
            self._ids.discard(key)


_Endpoint = Callable[..., Any]


def _insert(insert: _Endpoint, book: FaultBook[Rule], taken: _Taken) -> _Endpoint:
    @wraps(insert)
    async def insert_job(**asked: Any) -> Any:
        body = await asked["request"].json()
        job_id, config = body.get("jobReference", {}).get("jobId"), body.get("configuration", {})
        if not job_id or "load" not in config:
            return await insert(**asked)
        if book.first(["refused"]):
            raise RateLimitError(LIMIT)
        key, catalog = (asked["project_id"], job_id), asked["ctx"].catalog
        taken.take(key, ended=catalog.get_job(*key) is not None)
        try:
            return _limited(key, config, asked["ctx"]) if book.first(["limited"]) else await insert(**asked)
        finally:
            taken.leave(key)

    return insert_job


def _limited(key: tuple[str, str], config: dict[str, Any], ctx: Any) -> Any:
    project_id, job_id = key
    job = jobs._failed_job_meta(  # noqa: SLF001 (what the endpoint does with a failed load)
        project_id=project_id,
        job_id=job_id,
        job_type="LOAD",
        config=config,
        error_result={"reason": RateLimitError.bq_reason, "message": LIMIT},
        now=ctx.clock.now(),
    )
    ctx.catalog.upsert_job(job)
    return jobs._build_job_response(project_id, job_id, job, config)  # noqa: SLF001 (as above)


def _get(get: _Endpoint, book: FaultBook[Rule]) -> _Endpoint:
    @wraps(get)
    def get_job(**asked: Any) -> Any:
        answer = get(**asked)
        if "load" in answer["configuration"] and book.first(["unseen"]):
            raise NotFoundError(f"Not found: Job {asked['project_id']}:{asked['job_id']}")
        return answer

    return get_job


def replace_endpoint(endpoint: _Endpoint, by: _Endpoint) -> None:
    """Make a route of the emulator's jobs call another function."""
    [route] = [route for route in jobs.router.routes if getattr(route, "endpoint", None) is endpoint]
    route.endpoint = by  # type: ignore[attr-defined]
