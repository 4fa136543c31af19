"""One suite for the bucket and its in-memory fake: the guarantees on which commits and state depend."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from google.auth.credentials import Credentials
from google.auth.exceptions import RefreshError
from google.cloud.storage.client import Client

from infra.endpoints import Endpoints
from services.secops_forwarder.folder_bucket import FolderBucket
from shared.contracts.interfaces import Bucket
from shared.contracts.outcomes import Misconfigured, Retryable
from shared.contracts.stored_objects import crc32c_of
from shared.gcp.storage import StorageBucket, storage_client
from tests.support.memory import MemoryBucket

Name = Callable[[str], str]


@pytest.fixture(params=["memory", "folder", "emulator"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    """Return the fake, a folder, or the adapter on the Cloud Storage emulator."""
    if request.param == "memory":
        return MemoryBucket()
    if request.param == "folder":
        return FolderBucket(tmp_path / "bucket")
    endpoints: Endpoints = request.getfixturevalue("emulators")
    return StorageBucket(endpoints.bucket, storage_client(endpoints.project, endpoints.storage))


@pytest.fixture
def name() -> Name:
    """Return a function that makes names for this test."""
    prefix = uuid4().hex
    return lambda name: f"{prefix}/{name}"


def test_what_is_not_there_reads_as_none(bucket: Bucket, name: Name) -> None:
    """A missing object reads as None, which is not an error."""
    assert bucket.read(name("nothing")) is None


@pytest.mark.parametrize("size", [0, 1, 4 * 1024 * 1024, 9 * 1024 * 1024 + 1])
def test_an_object_is_read_in_pieces(bucket: Bucket, name: Name, size: int) -> None:
    """The pieces are the object, whatever its size; of a missing object there are none."""
    content = os.urandom(size)
    assert bucket.create(name("large"), content)
    assert b"".join(bucket.pieces(name("large"))) == content
    assert list(bucket.pieces(name("nothing"))) == []


def test_an_address_leads_back_to_its_name(bucket: Bucket, name: Name) -> None:
    """An object is found by the address from uri(); an address in another bucket is not a name of this one."""
    assert bucket.name_of(bucket.uri(name("a/b.json"))) == name("a/b.json")
    assert bucket.read(bucket.name_of(f"gs://elsewhere/{name('a/b.json')}")) is None


def test_a_listing_goes_on_from_a_name(bucket: Bucket, name: Name) -> None:
    """Objects are listed in order from a given name on, each with its time of writing."""
    before = datetime.now(UTC) - timedelta(minutes=1)
    for number in (3, 1, 2):
        assert bucket.create(name(f"{number}.json"), b"{}")
    found = list(bucket.listed(name(""), name("2.json")))
    assert [one.name for one in found] == [name("2.json"), name("3.json")]
    assert all(before < one.created < before + timedelta(minutes=2) for one in found)
    known = [one.crc32c for one in found if one.crc32c]
    assert known == ([] if isinstance(bucket, FolderBucket) else [crc32c_of(b"{}")] * 2)
    assert bucket.next_name(name(""), name("11.json")) == name("2.json")
    assert bucket.next_name(name(""), name("4")) is None
    assert bucket.next_name(name("nowhere/"), "") is None


def test_of_two_creations_the_first_stays(bucket: Bucket, name: Name) -> None:
    """The second creation of an object returns False and changes nothing."""
    assert bucket.create(name("a.json"), b"first")
    assert not bucket.create(name("a.json"), b"second")
    stored = bucket.read(name("a.json"))
    assert stored
    assert stored.data == b"first"
    assert stored.generation > 0


def test_a_replacement_needs_the_generation_that_was_read(bucket: Bucket, name: Name) -> None:
    """A writer that read before another's replacement cannot overwrite it."""
    assert bucket.replace(name("s.json"), b"1", 0)
    read = bucket.read(name("s.json"))
    assert read
    assert bucket.replace(name("s.json"), b"2", read.generation)
    assert not bucket.replace(name("s.json"), b"3", read.generation)
    after = bucket.read(name("s.json"))
    assert after
    assert after.data == b"2"
    assert after.generation != read.generation


def test_a_streamed_object_is_there_once_its_block_has_ended(bucket: Bucket, name: Name) -> None:
    """Parts of any size become one object; the name exists only at the end."""
    pieces = [b"x", b"", b"y" * 300_000, b"z" * 5_000_000]
    with bucket.writing(name("data.gz"), "application/gzip") as writer:
        for piece in pieces:
            writer.write(piece)
        assert bucket.read(name("data.gz")) is None
    stored = bucket.read(name("data.gz"))
    assert stored
    assert stored.data == b"".join(pieces)


@pytest.mark.parametrize("size", [0, 10, 9_000_000])
def test_an_exception_while_streaming_leaves_nothing(bucket: Bucket, name: Name, size: int) -> None:
    """A small or half-uploaded object does not remain, and the exception is raised unchanged."""

    def half() -> None:
        with bucket.writing(name("half.gz"), "application/gzip") as writer:
            writer.write(b"x" * size)
            raise Retryable("the source broke")

    with pytest.raises(Retryable, match="the source broke"):
        half()
    assert bucket.read(name("half.gz")) is None


def test_an_empty_stream_is_an_empty_object(bucket: Bucket, name: Name) -> None:
    """A stream without bytes becomes an empty object."""
    with bucket.writing(name("empty"), "application/gzip"):
        pass
    stored = bucket.read(name("empty"))
    assert stored
    assert stored.data == b""


def test_deleting_twice_is_deleting_once(bucket: Bucket, name: Name) -> None:
    """Deleting a missing object does nothing."""
    bucket.create(name("gone"), b"x")
    bucket.delete(name("gone"))
    bucket.delete(name("gone"))
    assert bucket.read(name("gone")) is None


def test_names_may_hold_what_feeds_and_streams_need(bucket: Bucket, name: Name) -> None:
    """Slashes, dots and dashes in a name are kept, in the object and in its address."""
    deep = name("domains/2026/11/21/1410-0a1b.rejects.ndjson")
    assert bucket.create(deep, b"x")
    assert bucket.uri(deep) == f"{bucket.uri('')}{deep}"
    assert f"/{bucket.name}/" in bucket.uri(deep)


def test_names_are_listed_by_prefix_in_order(bucket: Bucket, name: Name) -> None:
    """Only names with the prefix are listed, in order of name."""
    for each in ("dead/b", "dead/a", "other"):
        bucket.create(name(each), b"x")
    assert list(bucket.names(name("dead/"))) == [name("dead/a"), name("dead/b")]
    assert list(bucket.names(name("nothing/"))) == []


def test_a_missing_bucket_is_a_clear_error(emulators: Endpoints) -> None:
    """Reading and writing without a bucket raise an error that names the bucket."""
    missing = StorageBucket("no-such-bucket", storage_client(emulators.project, emulators.storage))
    with pytest.raises(Misconfigured, match="bucket 'no-such-bucket' is missing"):
        missing.create("a", b"x")


def test_storage_that_does_not_answer_is_retryable_in_time() -> None:
    """An unreachable address is retryable, and the client gives up at its time limit."""
    unreachable = StorageBucket("b", storage_client("p", "http://127.0.0.1:9"), retry_seconds=0.5)
    with pytest.raises(Retryable, match="Cloud Storage failed"):
        unreachable.read("a")


class Revoked(Credentials):
    """Credentials whose token cannot be renewed."""

    def refresh(self, request: object) -> None:
        """Fail as the credentials of a deleted service account do."""
        raise RefreshError("the account is gone")  # type: ignore[no-untyped-call]


def test_credentials_that_are_refused_are_the_clouds_bad_state() -> None:
    """Refused credentials raise a one-line error, as they do with BigQuery."""
    client = Client(project="p", credentials=Revoked())  # type: ignore[no-untyped-call]
    with pytest.raises(Retryable, match="Cloud Storage failed: the account is gone"):
        StorageBucket("b", client).read("a")


def test_a_folder_keeps_to_itself(tmp_path: Path) -> None:
    """A name cannot lead out of the folder, and a path that cannot be a folder is named in the error."""
    with pytest.raises(Misconfigured, match="leads out of"):
        FolderBucket(tmp_path / "bucket").read("../elsewhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(Misconfigured, match="cannot be a folder"):
        FolderBucket(tmp_path / "file")
