from api.kinds import DEPLOYMENTS, PODS
from tests.embedded.machine import FAHRENHEIT, Machine, container_status, deployment, running


async def serving(machine: Machine) -> list[str]:
    return [p["metadata"]["name"] for p in await machine.pods() if container_status(p).get("ready")]


async def until_serving(machine: Machine, count: int) -> list[str]:
    async def is_so() -> bool:
        return len(await serving(machine)) == count

    await machine.until(is_so)
    return await serving(machine)


async def test_replicas_come_and_go_with_the_scale() -> None:
    async with running() as machine:
        await machine.client.create(DEPLOYMENTS, deployment(2))

        async def count_is(wanted: int) -> bool:
            status = (await machine.client.get(DEPLOYMENTS, "default", "d")).get("status") or {}
            ready = status.get("readyReplicas", 0)
            return ready == wanted == len(await machine.pods())

        await machine.until(lambda: count_is(2))
        for wanted in (3, 0, 1):
            await machine.client.patch(
                DEPLOYMENTS, "default", "d", {"spec": {"replicas": wanted}}, subresource="scale"
            )
            await machine.until(lambda wanted=wanted: count_is(wanted))


async def test_a_pod_that_someone_deletes_is_replaced() -> None:
    async with running() as machine:
        await machine.client.create(DEPLOYMENTS, deployment(1))
        (before,) = await until_serving(machine, 1)
        await machine.client.delete(PODS, "default", before)

        async def another_serves() -> bool:
            found = await serving(machine)
            return bool(found) and before not in found

        await machine.until(another_serves)


async def test_pods_go_with_their_deployment() -> None:
    async with running() as machine:
        await machine.client.create(DEPLOYMENTS, deployment(2))
        await until_serving(machine, 2)
        await machine.client.delete(DEPLOYMENTS, "default", "d")

        async def none_left() -> bool:
            return not await machine.pods()

        await machine.until(none_left)


async def test_a_new_template_replaces_pods_without_a_gap() -> None:
    async with running() as machine:
        await machine.client.create(DEPLOYMENTS, deployment(1))
        (before,) = await until_serving(machine, 1)
        current = dict(await machine.client.get(DEPLOYMENTS, "default", "d"))
        arguments = ["--model", str(FAHRENHEIT), "--model-name", "other"]
        current["spec"] = deployment(1, args=arguments)["spec"]
        await machine.client.replace(DEPLOYMENTS, current)

        async def replaced() -> bool:
            found = await serving(machine)
            assert found, "someone always serves"
            return before not in [p["metadata"]["name"] for p in await machine.pods()]

        await machine.until(replaced)
