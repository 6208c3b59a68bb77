"""How a peer's process learns that it is to end."""

import asyncio
import signal


async def stopped() -> None:
    """Returns at SIGTERM or SIGINT."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()


async def while_not_stopped(*works: asyncio.Task[None]) -> None:
    """Until SIGTERM, or until one of the works fails: its error is raised."""
    stop = asyncio.create_task(stopped())
    done, _ = await asyncio.wait({stop, *works}, return_when=asyncio.FIRST_COMPLETED)
    for task in {stop, *works}:
        task.cancel()
    await asyncio.gather(stop, *works, return_exceptions=True)
    for task in done - {stop}:
        task.result()
