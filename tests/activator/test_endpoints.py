"""Replicas: proving, doubting, leaving."""

import asyncio
from dataclasses import replace

from activator.replicas import PodFacts
from activator.targets import RevisionKey
from api import kinds
from tests.activator.world import Replica, World, eventually, serving, world
from wire.address import Address


async def test_a_replica_is_used_when_its_probe_is_answered_and_not_before() -> None:
    async with world() as it:
        it.revision()
        it.route(("app-1", 100))
        replica = it.replicas["p1"] = Replica(it.folder / "p1")
        replica.ready = None
        await replica.start()
        it.pod("p1")
        await eventually(lambda: replica.probes == 1)
        client = await it.connect()
        client.send()
        await eventually(lambda: it.now().queued == 1)
        assert not replica.calls
        replica.ready = 200
        assert (await client.answer()).status == 200
        assert replica.probes == 1  # no polling
        assert len(replica.connections) == 1  # the probe's connection carries the request
        client.leave()


async def test_a_refused_or_failed_probe_is_sent_again() -> None:
    async with world(probe_back_off_s=0.001, probe_back_off_max_s=0.01) as it:
        it.revision()
        it.pod("p1")  # nothing listens
        await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)
        replica = it.replicas["p1"] = Replica(it.folder / "p1")
        replica.ready = 503
        await replica.start()
        await eventually(lambda: replica.probes > 2)
        assert it.now().ready_replicas == 0
        replica.ready = 200
        await it.ready()


async def test_an_unanswered_probe_is_given_up_and_sent_again() -> None:
    async with world(probe_s=0.02, probe_back_off_s=0.001) as it:
        it.revision()
        replica = it.replicas["p1"] = Replica(it.folder / "p1")
        replica.ready = None
        await replica.start()
        it.pod("p1")
        await eventually(lambda: replica.probes > 1)
        replica.ready = 200
        await it.ready()


async def test_other_servers_are_ready_when_they_accept() -> None:
    async with world() as it:
        it.revision()
        await it.replica(image="some/app:1")
        await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)
        await it.ready()
        assert it.replicas["p1"].probes == 0


async def test_a_predictor_whose_idle_connection_ends_is_probed_before_its_next_request() -> None:
    async with serving(probe_back_off_s=0.001) as (it, replica, client):
        await client.call()
        await replica.stop()
        await eventually(lambda: it.now().ready_replicas == 0)
        client.send()
        await eventually(lambda: it.now().queued == 1)
        await replica.start()
        assert (await client.answer()).status == 200


async def test_a_replica_said_to_be_down_is_probed_before_its_next_request() -> None:
    """It had no connection of ours that could have told."""
    async with serving() as (it, replica, client):
        replica.ready = None  # as a socket without a process: it takes the probe, and is silent
        it.cluster.put(
            kinds.PODS,
            "p1",
            metadata={
                "labels": {"serving.knative.dev/revision": "app-1"},
                "annotations": {"relight.dev/endpoint": f"unix:{it.folder / 'p1'}"},
            },
            spec={"containers": [{"image": "relight/predictor"}]},
            status={"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
        )
        await eventually(lambda: it.now().ready_replicas == 0)
        client.send()
        await eventually(lambda: it.now().queued == 1)
        replica.ready = 200
        assert (await client.answer()).status == 200


async def test_a_pod_being_deleted_gets_nothing_new_and_finishes_what_runs() -> None:
    async with serving() as (it, replica, client):
        replica.auto = False
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        it.pod("p1", deletionTimestamp="2026-01-01T00:00:00Z")
        await eventually(lambda: it.now().pods == 0)
        other = await it.connect()
        other.send()
        await eventually(lambda: it.now().queued == 1)
        released = asyncio.get_running_loop().create_future()

        async def release() -> None:
            await it.activator.release("default", "p1")
            released.set_result(None)

        async with asyncio.TaskGroup() as group:
            group.create_task(release())
            for _ in range(20):
                await asyncio.sleep(0)
            assert not released.done()
            replica.calls[0].answer(b"last")
            assert (await client.answer()).body == b"last"
            await released
        await eventually(lambda: not replica.connections)
        assert len(replica.calls) == 1
        other.leave()


async def test_releasing_stops_new_requests_before_the_pod_is_seen_to_leave() -> None:
    async with serving() as (it, replica, client):
        await client.call()
        await it.activator.release("default", "p1")
        await eventually(lambda: not replica.connections)
        client.send()
        await eventually(lambda: it.now().queued == 1)
        it.pod("p1")  # an event from before it was deleted
        await it.replica("p2")
        assert (await client.answer()).status == 200
        assert len(replica.calls) == 1


async def test_releasing_what_is_unknown_or_idle_returns() -> None:
    async with serving() as (it, _, _):
        await it.activator.release("default", "nobody")
        await it.activator.release("default", "p1")
        await it.activator.release("default", "p1")
        it.cluster.remove(kinds.PODS, "p1")
        await eventually(
            lambda: not it.activator._endpoints._released.get(("default", "p1"), False)
        )


async def test_a_replica_at_a_new_address_is_a_new_replica() -> None:
    async with serving() as (it, old, client):
        new = it.replicas["p9"] = Replica(it.folder / "p9")
        await new.start()
        it.cluster.put(
            kinds.PODS,
            "p1",
            metadata={
                "labels": {"serving.knative.dev/revision": "app-1"},
                "annotations": {"relight.dev/endpoint": f"unix:{it.folder / 'p9'}"},
            },
            spec={"containers": [{"image": "relight/predictor"}]},
        )
        await eventually(lambda: new.probes == 1)
        await it.ready()
        assert (await client.call()).status == 200
        assert len(new.calls) == 1
        assert not old.calls


async def test_slots_survive_doubt() -> None:
    """A replica that is doubted and proven again still has what runs on it."""
    async with world() as it:
        it.revision(containerConcurrency=1)
        it.route(("app-1", 100))
        replica = await it.replica()
        await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)
        await it.ready()
        replica.auto = False
        first, second = await it.connect(), await it.connect()
        first.send("/first")
        await eventually(lambda: len(replica.calls) == 1)
        it.activator._endpoints.of(("default", "app-1"))[0].suspect()
        assert it.now().ready_replicas == 0
        await it.ready()
        second.send("/second")
        await eventually(lambda: it.now().queued == 1)
        assert len(replica.calls) == 1
        replica.calls[0].answer(b"")
        await eventually(lambda: len(replica.calls) == 2)
        first.leave()
        second.leave()


async def test_unused_connections_are_closed() -> None:
    async with serving(upstream_idle_s=0.01, report_period_s=0.02) as (it, replica, client):
        await client.call()
        await eventually(lambda: not replica.connections)
        await eventually(lambda: not it.activator._reporter._active)
        assert it.now().ready_replicas == 1
        assert (await client.call()).status == 200


async def test_a_replica_that_another_activator_names_is_used_before_its_pod_is_seen() -> None:
    async with world() as it:
        it.revision()
        endpoints = it.activator._endpoints
        await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)
        facts = _facts(it)
        guest = endpoints.introduce(facts)
        assert guest.is_leaving
        assert endpoints.introduce(facts) is guest
        await it.replica("p1")
        await it.ready()
        assert endpoints.of(facts.revision) == [guest]
        assert endpoints.introduce(facts) is guest
        assert not guest.is_leaving


async def test_a_guest_that_was_named_wrongly_is_not_the_replica_of_its_pod() -> None:
    async with world() as it:
        it.revision()
        endpoints = it.activator._endpoints
        await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)
        guest = endpoints.introduce(replace(_facts(it), is_predictor=False))
        await it.replica("p1")
        await it.ready()
        (found,) = endpoints.of(guest.facts.revision)
        assert found is not guest
        assert found.facts.is_predictor


async def test_a_guest_whose_pod_never_turns_up_goes_with_its_last_request() -> None:
    async with world() as it:
        endpoints = it.activator._endpoints
        guest = endpoints.introduce(_facts(it))
        guest.running += 1
        for number in range(300):
            endpoints.introduce(_facts(it, f"q{number}"))
        assert len(endpoints._guests) == 257
        assert endpoints.introduce(_facts(it)) is guest
        guest.running -= 1
        guest.drained()
        assert endpoints.introduce(_facts(it)) is not guest


def _facts(it: World, name: str = "p1") -> PodFacts:
    return PodFacts(
        pod=("default", name),
        revision=RevisionKey("default", "app-1"),
        address=Address.parse(f"unix:{it.folder / name}"),
        is_predictor=True,
        is_h2c=False,
        is_leaving=False,
    )
