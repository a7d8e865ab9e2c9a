import asyncio
import random
import signal
import time

from tests.conftest import *
from tests.integration.test_worker import *


async def test_chaos(settings):
    rng=random.Random(5)
    async with fake_openai(Plan(tokens=30,tokens_per_second=60, tool_calls=[("create_task",'{"title":"x","due_text":"tomorrow at 5"}')])) as server:
        settings = over(server, settings, llm_attempts=10, limit_messages_per_minute=0)
        async with open_client(settings) as client:
            procs=[await asyncio.to_thread(start_process, settings) for _ in range(3)]
            users=[await client.user(f"u{n}") for n in range(15)]
            posted=[]
            async def poster():
                for n in range(6):
                    for u in users:
                        posted.append((u, await client.post(u, f"{u} {n}")))
                    await asyncio.sleep(0.8)
            async def killer():
                for _ in range(12):
                    await asyncio.sleep(rng.uniform(0.2,0.8))
                    i=rng.randrange(3)
                    kind=rng.choice(["kill","stop","term","plan"])
                    if kind=="plan":
                        server.answer_next(*[Plan(tokens=30,tokens_per_second=60,cut_after=10) for _ in range(5)], Plan(status=500), Plan(tokens=0))
                    elif kind=="stop":
                        procs[i].signal(signal.SIGSTOP); await asyncio.sleep(1.6); procs[i].signal(signal.SIGCONT)
                    else:
                        procs[i].signal(signal.SIGKILL if kind=="kill" else signal.SIGTERM)
                        await asyncio.to_thread(procs[i].wait); procs[i].close()
                        procs[i]=await asyncio.to_thread(start_process, settings)
            await asyncio.gather(poster(), killer())
            t0=time.monotonic()
            outcomes={}
            async with asyncio.timeout(60):
                for u,r in posted:
                    e=await client.ended(u,r); outcomes[type(e).__name__]=outcomes.get(type(e).__name__,0)+1
                    assert e.content.text
            print("drained in", time.monotonic()-t0, outcomes, "calls", len(server.calls))
            attempts=0
            for u in users:
                facts=await client.facts(u)
                starts=[f.event for f in facts if isinstance(f.event,ReplyStarted)]
                attempts+=len(starts)
                # fencing: after a start of attempt n no event of a lower one
                cur={}
                for f in facts:
                    e=f.event
                    if isinstance(e,ReplyStarted): cur[e.reply.reply_id]=e.attempt
                    if isinstance(e,ENDS): assert e.attempt==cur[e.reply.reply_id]
                tasks=[f for f in facts if isinstance(f.event,TaskCreated)]
                done=[f.event for f in facts if isinstance(f.event, ENDS) and isinstance(f.event, ReplyCompleted)]
                assert len(tasks) <= 6, len(tasks)
                ends=[f.event for f in facts if isinstance(f.event, ENDS)]
                assert [e.reply.reply_id for e in ends]==[r for uu,r in posted if uu==u]
                b=await client.brain(u)
                assert b.tokens_spent(client.side.clock.now_ms()) == sum(e.usage.total_tokens for e in ends)
            print("attempts", attempts)
            assert len(server.calls)<=attempts
            for p in procs:
                p.signal(signal.SIGTERM); await asyncio.to_thread(p.wait)
                bad=[l for l in p.lines if '"error"' in l]
                if bad: print(bad[:3])
                p.close()
