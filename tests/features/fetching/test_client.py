"""Asking politely, and not trusting what comes."""

from __future__ import annotations

import base64
import hashlib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shortcast import __version__
from shortcast.features.archive import checksum, partial_of
from shortcast.features.fetching.client import AbsentError, Client, FetchError, Manners, Validators
from shortcast.features.fetching.secrets import Secrets

TODAY = date(2026, 11, 23)
PLACE, ADDRESS = "www.example.gov/list.csv", "https://www.example.gov/list.csv"
BODY = b"name,day\n" + b"velmoril,2026-11-20\n" * 5000
KEY = "recognisable-key-0123456789"


class Loopback:
    """A client that asks the loopback server."""

    def __init__(self, official: Any, **fields: Any) -> None:
        self.client = Client(today=TODAY, via=official.address, **fields)

    def __enter__(self) -> Client:
        return self.client

    def __exit__(self, *_: object) -> None:
        self.client.close()


def then(*answers: Any) -> Any:
    """Answer each request with the next of several; the last one goes on."""
    left = list(answers)

    def answer(asked: Any) -> Any:
        nearest = left.pop(0) if len(left) > 1 else left[0]
        return nearest(asked) if callable(nearest) else nearest

    return answer


def test_a_file_comes_whole_and_says_who_asked(official: Any, tmp_path: Path) -> None:
    official.serves(PLACE, BODY)
    with Loopback(official, contact="pharmacy@example.org") as client:
        found = client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert found is not None
    assert found.path.read_bytes() == BODY
    assert found.sha256 == checksum(found.path)
    assert not found.simulated
    assert list(tmp_path.iterdir()) == [found.path]
    agent = official.asked[0].headers["user-agent"]
    assert agent == f"shortcast/{__version__} (pharmacy@example.org)"


def test_what_passes_is_tried_again_and_retry_after_is_kept(
    official: Any, answer: Any, serving: Any, tmp_path: Path, waits: list[float]
) -> None:
    official.answers[PLACE] = then(
        answer(status=500),
        answer(status=429, headers={"Retry-After": "7"}),
        answer(status=503, headers={"Retry-After": "Mon, 23 Nov 2026 12:00:20 GMT"}),
        serving(BODY),
    )
    with Loopback(official) as client:
        assert client.download(ADDRESS, tmp_path / "list.csv", most=10**6) is not None
    assert len(waits) == 3
    assert 0 < waits[0] <= 1
    assert waits[1:] == [7, 20]  # the server's clock says 12:00:00


@pytest.mark.parametrize("asked", ["0", "Mon, 23 Nov 2026 11:00:00 GMT"])
def test_who_asks_for_no_wait_is_not_asked_without_one(
    asked: str, official: Any, answer: Any, tmp_path: Path, waits: list[float]
) -> None:
    official.answers[PLACE] = then(answer(status=503, headers={"Retry-After": asked}))
    manners = Manners(tries=4, first_wait=1.0, jitter=0.5)
    with Loopback(official, manners=manners) as client, pytest.raises(FetchError):
        client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert len(waits) == 3
    assert all(wait >= least for wait, least in zip(waits, (1, 2, 4), strict=True))


def test_the_tries_are_numbered(official: Any, answer: Any, tmp_path: Path) -> None:
    official.answers[PLACE] = then(answer(status=500))
    with (
        Loopback(official, manners=Manners(tries=4)) as client,
        pytest.raises(
            FetchError, match=r"www\.example\.gov/list\.csv .* answered with 500, 4 times"
        ),
    ):
        client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert len(official.asked) == 4


def test_nobody_waits_for_an_hour(
    official: Any, answer: Any, tmp_path: Path, waits: list[float]
) -> None:
    official.answers[PLACE] = then(answer(status=429, headers={"Retry-After": "3600"}))
    with Loopback(official) as client, pytest.raises(FetchError, match=r"wait 3,600 seconds"):
        client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert not waits


def test_what_will_not_pass_is_not_tried_again(official: Any, answer: Any, tmp_path: Path) -> None:
    with Loopback(official) as client:
        with pytest.raises(AbsentError, match=r"is not there \(404\)"):
            client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
        official.answers[PLACE] = then(answer(status=403))
        with pytest.raises(FetchError, match=r"refuses us \(403\)"):
            client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert len(official.asked) == 2


def test_a_download_that_breaks_off_goes_on_where_it_stopped(
    official: Any, answer: Any, serving: Any, tmp_path: Path
) -> None:
    whole = serving(BODY)(official.request())
    cut = answer(BODY[:40_000], headers=whole.headers, length=len(BODY))
    official.answers[PLACE] = then(cut, serving(BODY))
    with Loopback(official) as client:
        found = client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert found is not None
    assert found.path.read_bytes() == BODY
    assert official.asked[1].headers["range"] == "bytes=40000-"
    assert official.asked[1].headers["if-range"] == whole.headers["ETag"]


def test_a_killed_run_leaves_what_the_next_one_goes_on_with(
    official: Any, answer: Any, serving: Any, tmp_path: Path
) -> None:
    whole = serving(BODY)(official.request())
    official.answers[PLACE] = then(answer(BODY[:40_000], headers=whole.headers, length=len(BODY)))
    target = tmp_path / "list.csv"
    with Loopback(official, manners=Manners(tries=1)) as client, pytest.raises(FetchError):
        client.download(ADDRESS, target, most=10**6)
    assert partial_of(target).stat().st_size == 40_000
    assert not target.exists()

    official.answers[PLACE] = serving(BODY)
    with Loopback(official) as client:
        client.download(ADDRESS, target, most=10**6)
    assert target.read_bytes() == BODY
    assert official.asked[-1].headers["range"] == "bytes=40000-"


def test_a_file_that_changed_meanwhile_is_not_glued_to_the_old_one(
    official: Any, answer: Any, serving: Any, tmp_path: Path
) -> None:
    newer = BODY.replace(b"velmoril", b"corvanat")
    whole = serving(BODY)(official.request())
    cut = answer(BODY[:40_000], headers=whole.headers, length=len(BODY))
    official.answers[PLACE] = then(cut, serving(newer))
    with Loopback(official) as client:
        found = client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert found is not None
    assert found.path.read_bytes() == newer


def test_without_a_validator_a_broken_download_begins_anew(
    official: Any, answer: Any, tmp_path: Path
) -> None:
    official.answers[PLACE] = then(answer(BODY[:40_000], length=len(BODY)), answer(BODY))
    with Loopback(official) as client:
        found = client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert found is not None
    assert found.path.read_bytes() == BODY
    assert "range" not in official.asked[1].headers


def test_an_unchanged_file_is_not_sent_again(official: Any, serving: Any, tmp_path: Path) -> None:
    official.answers[PLACE] = serving(BODY)
    tag = serving(BODY)(official.request()).headers["ETag"]
    with Loopback(official) as client:
        known = Validators(etag=tag)
        assert client.download(ADDRESS, tmp_path / "list.csv", most=10**6, known=known) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("told", [True, False], ids=["length told", "length not told"])
def test_a_file_that_grows_beyond_what_is_expected_is_broken_off(
    told: bool, official: Any, answer: Any, tmp_path: Path
) -> None:
    official.answers[PLACE] = then(answer(BODY, length=len(BODY) if told else -1))
    with Loopback(official) as client, pytest.raises(FetchError, match=r"at most|longer than"):
        client.download(ADDRESS, tmp_path / "list.csv", most=50_000)
    assert not list(tmp_path.iterdir())
    assert len(official.asked) == 1


def test_a_checksum_that_comes_with_the_file_must_hold(
    official: Any, answer: Any, tmp_path: Path
) -> None:
    def digest(body: bytes) -> dict[str, str]:
        found = base64.b64encode(hashlib.sha256(body).digest()).decode()
        return {"Repr-Digest": f"sha-256=:{found}:"}

    official.answers[PLACE] = then(
        answer(BODY, headers=digest(b"something else")), answer(BODY, headers=digest(BODY))
    )
    with Loopback(official) as client:
        assert client.download(ADDRESS, tmp_path / "list.csv", most=10**6) is not None
    assert len(official.asked) == 2


def test_a_server_of_another_day_is_not_believed(official: Any, tmp_path: Path) -> None:
    official.serves(PLACE, BODY)
    official.today = TODAY - timedelta(days=3)
    with (
        Loopback(official) as client,
        pytest.raises(FetchError, match=r"says that it is 2026-11-20"),
    ):
        client.download(ADDRESS, tmp_path / "list.csv", most=10**6)


def test_an_old_copy_from_a_cache_that_says_so_is_believed(official: Any, tmp_path: Path) -> None:
    official.serves(PLACE, BODY, Age=str(3 * 86_400))
    official.today = TODAY - timedelta(days=3)
    with Loopback(official) as client:
        assert client.download(ADDRESS, tmp_path / "list.csv", most=10**6) is not None


def test_a_redirect_is_followed_and_takes_no_key_along(
    official: Any, answer: Any, tmp_path: Path
) -> None:
    official.answers[PLACE] = then(
        answer(status=302, headers={"Location": "https://files.example.com/list.csv"})
    )
    official.serves("files.example.com/list.csv", BODY)
    headers = {"Authorization-Key": KEY, "Authorization": f"Bearer {KEY}"}
    with Loopback(official) as client:
        client.download(ADDRESS, tmp_path / "list.csv", most=10**6, headers=headers)
    assert official.asked[0].headers["authorization-key"] == KEY
    assert KEY not in str(official.asked[1].headers)


@pytest.mark.parametrize("to", ["http://www.example.gov/list.csv", "file:///etc/passwd"])
def test_a_redirect_to_anything_but_https_is_not_followed(
    to: str, official: Any, answer: Any, tmp_path: Path
) -> None:
    official.answers[PLACE] = then(answer(status=302, headers={"Location": to}))
    with Loopback(official) as client, pytest.raises(FetchError, match="do not follow"):
        client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert len(official.asked) == 1


def test_a_circle_of_redirects_ends(official: Any, answer: Any, tmp_path: Path) -> None:
    official.answers[PLACE] = then(answer(status=302, headers={"Location": ADDRESS}))
    with Loopback(official) as client, pytest.raises(FetchError, match="without end"):
        client.download(ADDRESS, tmp_path / "list.csv", most=10**6)


def test_an_answer_that_repeats_the_key_is_not_kept(
    official: Any, answer: Any, tmp_path: Path
) -> None:
    # Across the border of two chunks, too.
    echo = b"x" * ((1 << 16) - 5) + KEY.encode() + b"x" * 10
    official.answers[PLACE] = then(answer(echo))
    with (
        Loopback(official, secrets=Secrets([KEY])) as client,
        pytest.raises(FetchError, match="repeats the key") as caught,
    ):
        client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert not list(tmp_path.iterdir())
    assert KEY not in str(caught.value)


def test_html_in_place_of_json_is_tried_again(official: Any, answer: Any) -> None:
    official.answers[PLACE] = then(answer(b"<html>Sorry</html>"), answer(b'{"a": 1}'))
    with Loopback(official) as client:
        assert client.page(ADDRESS).content == {"a": 1}


def test_the_next_page_is_an_official_address(official: Any, answer: Any) -> None:
    link = {"Link": f'<{ADDRESS}?search_after=1%2C2>; rel="next"'}
    official.answers[PLACE] = then(answer(b"{}", headers=link))
    with Loopback(official) as client:
        assert client.page(ADDRESS).following == f"{ADDRESS}?search_after=1%2C2"


def test_a_next_page_on_another_host_is_not_asked(official: Any, answer: Any) -> None:
    link = {"Link": '<https://elsewhere.example.net/next.json>; rel="next"'}
    official.answers[PLACE] = then(answer(b"{}", headers=link))
    with Loopback(official) as client, pytest.raises(FetchError, match="another host"):
        client.page(ADDRESS, headers={"Authorization": f"Basic {KEY}"})


def test_only_a_mirror_may_say_that_records_are_made_up(official: Any, tmp_path: Path) -> None:
    official.serves(PLACE, BODY, **{"X-Shortcast-Data": "simulated"})
    with Loopback(official) as client:
        found = client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert found is not None
    assert found.simulated


def test_a_host_that_does_not_answer_is_asked_no_more_in_this_run(tmp_path: Path) -> None:
    # Nothing listens on the port of a server that is gone.
    client = Client(today=TODAY, via="http://127.0.0.1:9", manners=Manners(tries=2))
    with pytest.raises(FetchError, match="cannot be read"):
        client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    with pytest.raises(FetchError, match="did not answer earlier in this run"):
        client.page("https://www.example.gov/other.json")
    client.close()


def test_one_slow_address_keeps_no_other_of_its_host_from_being_asked(
    official: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    official.serves(PLACE, BODY)
    ask = httpx2.HTTPTransport.handle_request

    def slow(transport: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
        if "slow" in request.url.path:
            raise httpx2.ReadTimeout("timed out", request=request)
        return ask(transport, request)

    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", slow)
    with Loopback(official, manners=Manners(tries=2)) as client:
        with pytest.raises(FetchError, match=r"slow\.csv .* cannot be read .* 2 times"):
            client.download("https://www.example.gov/slow.csv", tmp_path / "slow", most=10**6)
        assert client.download(ADDRESS, tmp_path / "list.csv", most=10**6) is not None


def test_requests_to_a_public_host_keep_their_distance() -> None:
    clock = [100.0]
    client = Client(
        today=TODAY,
        per_minute=30,
        now=lambda: clock[0],
        sleep=lambda seconds: clock.__setitem__(0, clock[0] + seconds),
    )
    for moment in (100.0, 102.0, 104.0):
        client._keep_pace(ADDRESS)
        assert clock[0] == moment
    client._keep_pace("https://other.example.gov/")
    assert clock[0] == 104.0
    client.close()


def test_keys_go_to_a_mirror_by_https_or_on_this_machine_only(official: Any) -> None:
    official.serves_json(PLACE, {})
    with Loopback(official) as client:
        client.page(ADDRESS, headers={"Authorization-Key": KEY})
    assert official.asked[-1].headers["authorization-key"] == KEY
    for via, sends in (("http://mirror.example.org", False), ("https://mirror.example.org", True)):
        client = Client(today=TODAY, via=via)
        assert client._sends_keys is sends
        client.close()


# --- Parts of a file -----------------------------------------------------------------------------


def in_parts(answer: Any, body: bytes, *, most: int = 25_000, **changes: str) -> Any:
    """Break off after 40,000 bytes, and hand out at most so many at once from there."""
    own = {"ETag": '"v1"', "Last-Modified": "Sun, 22 Nov 2026 00:00:00 GMT"}

    def part(asked: Any) -> Any:
        if "range" not in asked.headers:
            return answer(BODY[:40_000], headers=own, length=len(BODY))
        start = int(asked.headers["range"][6:-1])
        end = min(start + most, len(body))
        span = {"Content-Range": f"bytes {start}-{end - 1}/{len(body)}"}
        return answer(body[start:end], 206, {**own, **span, **changes})

    return part


def test_a_part_that_is_shorter_than_asked_for_is_not_the_whole(
    official: Any, answer: Any, tmp_path: Path
) -> None:
    official.answers[PLACE] = in_parts(answer, BODY)
    with Loopback(official, manners=Manners(tries=2, first_wait=0)) as client:
        found = client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert found is not None
    assert found.path.read_bytes() == BODY
    assert found.validators == Validators('"v1"', "Sun, 22 Nov 2026 00:00:00 GMT")
    begun = [asked.headers.get("range") for asked in official.asked]
    assert begun == [None, "bytes=40000-", "bytes=65000-", "bytes=90000-"]


@pytest.mark.parametrize(
    "changes",
    [
        {"ETag": '"v2"'},
        {"Last-Modified": "Mon, 23 Nov 2026 00:00:00 GMT"},
        {"Content-Range": f"bytes 39999-{len(BODY) - 1}/{len(BODY)}"},
        {"Content-Range": f"bytes 40000-{len(BODY) - 1}/*"},
        {"Content-Range": "lines 1-2/3"},
    ],
    ids=["another tag", "another date", "another start", "no total", "no span"],
)
def test_a_part_of_another_file_is_glued_to_none(
    changes: dict[str, str], official: Any, answer: Any, serving: Any, tmp_path: Path
) -> None:
    newer = BODY.replace(b"velmoril", b"corvanat")
    parts = in_parts(answer, newer, most=10**6, **changes)
    official.answers[PLACE] = then(parts, parts, serving(newer))
    with Loopback(official) as client:
        found = client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert found is not None
    assert found.path.read_bytes() == newer
    assert found.validators.etag == serving(newer)(official.request()).headers["ETag"]
    assert "range" not in official.asked[-1].headers


def test_an_answer_without_a_length_is_not_known_by_its_tag(
    official: Any, answer: Any, tmp_path: Path
) -> None:
    """It may have been cut, and then would be taken for the whole as long as it stays."""
    official.answers[PLACE] = then(answer(BODY[:50_000], headers={"ETag": '"v1"'}, length=-1))
    with Loopback(official) as client:
        found = client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    assert found is not None
    assert found.validators == Validators()


def cut_off(tells: list[str]) -> Client:
    """A client whose machine has no network; it notes the hosts that it tries."""

    def no_network(request: httpx2.Request) -> httpx2.Response:
        tells.append(request.url.host)
        raise httpx2.ConnectError("Name or service not known")

    client = Client(today=TODAY, manners=Manners(tries=3, first_wait=0, jitter=0))
    client.sleep = lambda _: None
    client._http = httpx2.Client(transport=httpx2.MockTransport(no_network))
    return client


def test_without_a_network_one_host_is_waited_for_and_then_no_other(tmp_path: Path) -> None:
    tried: list[str] = []
    client = cut_off(tried)
    assert not client.is_cut_off
    for number, said in enumerate(
        [
            "Name or service not known), 3 times; try again later",
            "Name or service not known); try again later",
            "Name or service not known); try again later",
            "Nothing has answered in this run, so https://www.host-3.gov/list.csv was not asked",
        ]
    ):
        address = f"https://www.host-{number}.gov/list.csv"
        with pytest.raises(FetchError) as raised:
            client.download(address, tmp_path / "list.csv", most=10**6)
        assert said in str(raised.value)
    client.close()
    assert client.is_cut_off
    assert [tried.count(f"www.host-{number}.gov") for number in range(4)] == [3, 1, 1, 0]


def test_hosts_of_one_body_that_are_down_are_no_lost_network(tmp_path: Path) -> None:
    tried: list[str] = []
    client = cut_off(tried)
    for name in ("www", "api", "download", "accessdata"):
        with pytest.raises(FetchError, match="Name or service not known"):
            client.download(f"https://{name}.fda.gov/x", tmp_path / "list.csv", most=10**6)
    client.close()
    assert len(tried) == 6
    assert not client.is_cut_off


def test_a_host_that_answers_is_tried_as_often_as_ever_beside_one_that_is_silent(
    official: Any, answer: Any, tmp_path: Path
) -> None:
    official.answers[PLACE] = then(answer(status=503), answer(BODY))
    with Loopback(official) as client:
        client._down.add("www.example.org")
        assert client.download(ADDRESS, tmp_path / "list.csv", most=10**6) is not None


def test_one_silent_host_among_others_that_answer_is_no_lost_network(
    official: Any, tmp_path: Path
) -> None:
    official.serves(PLACE, BODY)
    with Loopback(official) as client:
        client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
        client._down.add("www.example.org")
        assert not client.is_cut_off


def test_a_failure_names_the_mirror_that_was_asked_and_not_its_password(
    official: Any, tmp_path: Path
) -> None:
    via = official.address.replace("://", "://me:secret@")
    client = Client(today=TODAY, via=via)
    with pytest.raises(AbsentError) as raised:
        client.download(ADDRESS, tmp_path / "list.csv", most=10**6)
    client.close()
    down = Client(today=TODAY, via="http://me:secret@127.0.0.1:9", manners=Manners(tries=1))
    down._down.add("127.0.0.1:9")
    with pytest.raises(FetchError) as silent:
        down.page("https://www.example.gov/other.json")
    down.close()
    assert "127.0.0.1:9 did not answer earlier" in str(silent.value)
    assert "secret" not in str(silent.value)
    host = official.address.partition("://")[2]
    assert str(raised.value).startswith(f"{ADDRESS} by way of {host} is not there (404)")
