"""Plans that are kept, by the safeguard without which they break: made for it, or cut from a seed that broke.

Data, not seeds: what a seed means changes with the generator. ``make simulate MUTANT=… SEED=…`` prints one.
"""

from dataclasses import replace

from shared.contracts.topics import NOTE, NOTE_VERDICT
from tests.simulation.plan import NOTES, WEEK, Ask, Fault, Plan


def world(
    *asks: Ask, faults: tuple[Fault, ...] = (), notes: int = 1, moderation: int = 1, seed: int = 1, inputs: int = 200
) -> Plan:
    """Few processes with right clocks and wide limits."""
    nodes = {"notes": notes, "moderation": moderation, "recommend": 1}
    return Plan(seed, nodes, 0.0, inputs, outbox=1_000_000, deaths=50, horizon=WEEK, asks=asks, faults=faults)


POST = Ask(2.0, "post", "a0", "n0", "hello")
ASKED = Ask(2.0, "post", "a0", "n0", "why?")  # due at 8
ANSWERED = Ask(7.0, "answer", "a0", "n0")


KEPT: dict[str, Plan] = {
    # The owner still has its batch in hand when a rebuild sets the lane back.
    "no fence": world(
        *(Ask(2.0 + n / 100, "post", f"a{n}", f"n{n % 4}", "hello") for n in range(12)),
        faults=(Fault(2.05, "rebuild", "recommend"),),
    ),
    "publish before commit": world(
        Ask(2.0, "post", "a0", "n0", "hello", keyed=False), faults=(Fault(1.0, "crash", "notes", 0, "commit:before"),)
    ),
    "no outbox": world(POST, faults=(Fault(1.0, "crash", "notes", 0, "publish:before"),)),
    "outbox not re-sent on claim": world(POST, faults=(Fault(1.0, "crash", "notes", 0, "publish:before"),)),
    "no inbox": world(POST, faults=(Fault(5.0, "resend", which=1, what=NOTE.name),)),
    "no compare-and-set on documents": world(*(Ask(2.0 + n / 200, "edit", f"a{n}", "n0") for n in range(20)), notes=3),
    "no guard on read invariants": world(
        *(Ask(1.0, "take", f"a{n}", f"n{n}") for n in range(4)),
        *(Ask(2.0, kind, f"{kind}{n}", f"n{n}") for n in range(4) for kind in ("take", "shut")),
        notes=2,
    ),
    "control document outside the transaction": world(POST, faults=(Fault(1.0, "crash", "notes", 0, "commit:sent"),)),
    # The commit in which the timer fires is the first one after 7.5.
    "timer deleted outside the transaction": world(ASKED, faults=(Fault(7.5, "crash", "notes", 0, "commit:sent"),)),
    "reply outside the transaction": world(
        Ask(2.0, "edit", "a0", "n0"), faults=(Fault(1.0, "crash", "notes", 0, "commit:sent"),)
    ),
    "slots never taken over": world(POST, faults=(Fault(1.0, "crash", "notes", 0, "publish:before"),)),
    # The answer is in the topic in time, and the lane reads it late.
    "timer that ignores the topic lag": world(ASKED, ANSWERED, faults=(Fault(6.0, "lag", "notes", seconds=5.0),)),
    "unknown commit taken for success": world(
        POST, faults=(Fault(1.0, "commit", "notes", 0, "not applied, reply lost"),)
    ),
    # One of two processes tells its edits late.
    "order by offset instead of sequence": world(
        *(Ask(2.0 + n / 8, "edit", f"a{n}", f"n{n % 4}") for n in range(20)),
        faults=(Fault(1.0, "cut", "notes", 0, seconds=5.0),),
        notes=2,
    ),
    # Doubles of dead inputs come while their letters are replayed: two lanes fold one and the same.
    "inbox read before the documents": world(
        *(Ask(2.0 + n / 50, "post", f"a{n}", "n0", "bug") for n in range(24)),
        faults=(
            Fault(3.5, "mend"),
            *(Fault(4.0, "resend", which=n, what=NOTE.name) for n in (1, 2, 3, 4)),
            Fault(4.0, "replay", "notes"),
        ),
        inputs=3,
    ),
    "no new claim after a fence": world(
        POST, faults=(Fault(1.0, "hold", "notes", what="note:0"), Fault(1.0, "hold", "notes", what="note:1"))
    ),
    # The answer is committed in time, and cannot be sent.
    "timer that ignores the service's own outbox": world(
        ASKED, ANSWERED, faults=(Fault(6.0, "cut", "notes", seconds=5.0),)
    ),
    # The record and its double wait for a lane that lags.
    "doubles in a batch folded": world(
        POST, faults=(Fault(1.0, "lag", "notes", seconds=3.0), Fault(3.0, "resend", which=1, what=NOTE.name))
    ),
    # The verdict is committed, and cannot be sent before the rebuild.
    "own decisions known over a claim": world(
        POST, faults=(Fault(1.0, "cut", "moderation", seconds=6.0), Fault(4.0, "rebuild", "moderation"))
    ),
    "no rollback": world(Ask(2.0, "post", "a0", "n0", "bug")),
    # Two edits are lost, and one comes after them.
    "no floor after a restore": world(
        *(Ask(at, "edit", f"a{n}", "n0", keyed=False) for n, at in enumerate((2.0, 2.5, 12.0))),
        faults=(Fault(1.0, "restore", "notes", seconds=3.0),),
    ),
    "callers of a batch told of each other": world(*(Ask(2.0, "take", f"a{n}", f"n{n % 2}") for n in range(6))),
    "letters told twice": world(Ask(2.0, "post", "a0", "n0", "bug")),
    # One process folds the edits, the other judges the comments.
    "view that looks once": world(
        *(Ask(2.0 + n, kind, f"{kind}{n}", NOTES[n], "hello") for n in range(4) for kind in ("post", "edit")),
        moderation=2,
    ),
    "hold that fences nobody": world(
        *(Ask(2.0 + n / 4, "post", f"a{n}", f"n{n % 4}", "hello") for n in range(20)),
        faults=(Fault(3.0, "hold", "notes", what="note:0", seconds=4.0),),
    ),
    "no alarm of deaths": replace(world(*(Ask(2.0, "post", f"a{n}", "n0", "bug") for n in range(8))), deaths=2),
    # A part dies in the lost time; read again, the post has no words any more, and comes to no parts.
    "letter replayed without a note of it": world(
        Ask(15.0, "post", "a0", "n2", "torn", patience=0.3, person="cleo"),
        faults=(
            Fault(6.6, "restore", "notes", seconds=10.0),
            Fault(16.4, "database away", "notes", seconds=10.0),
            Fault(19.2, "erase", what="cleo"),
        ),
        notes=2,
    ),
    "no rebuild": world(POST, faults=(Fault(5.0, "rebuild", "notes"),)),
    # A process sleeps just before a commit, through a restore, and wakes.
    "restore that fences nobody": world(
        Ask(1.0, "edit", "a0", "n0"),
        Ask(3.0, "edit", "a1", "n0", keyed=False),
        faults=(Fault(2.0, "restore", "notes", 0, "commit:before", 0.5),),
    ),
    # The same, of an owner that claimed after the backup: the restore counts to the very same epoch.
    "control document compared without the session": world(
        Ask(1.0, "edit", "a0", "n0"),
        Ask(7.0, "edit", "a1", "n0", keyed=False),
        faults=(Fault(2.0, "restore", "notes", 0, "commit:before", 3.0), Fault(2.2, "kill", "notes")),
    ),
    "sessions of the dead left open": world(
        Ask(19.5, "post", "a0", "n0", "hello"), faults=(Fault(19.0, "crash", "notes", 0, "commit:written"),)
    ),
    "leases of a minute": world(
        Ask(19.5, "post", "a0", "n0", "hello"), faults=(Fault(19.0, "crash", "notes", 0, "publish:before"),)
    ),
    # A process that slept through a restore, and has lost its lane, dies with the lane's timer locked.
    "control document last in the transaction": world(
        Ask(3.2, "post", "a14", "n5", "why?", keyed=False, patience=20.0, person="ann"),
        faults=(
            Fault(3.2, "send", "recommend", 6, "acknowledged late"),
            Fault(3.3, "restore", "notes", 2, "commit:before", 3.0),
            Fault(5.3, "shrink", "notes", 5, seconds=12.0),
            Fault(18.5, "crash", "notes", 5, "idle"),
        ),
        notes=2,
        seed=43153,
    ),
}

FOUND: dict[str, Plan] = {
    "a replay that could not note what it had sent": world(
        Ask(11.34, "post", "a11", "n0", "hello", patience=0.3, person="ben"),
        Ask(13.11, "post", "a12", "n3", "bug", patience=1.0, person="ben"),
        Ask(13.36, "post", "a0", "n2", "hello", patience=20.0, again=True, person="ben"),
        faults=(
            Fault(2.38, "poison", which=0, what=NOTE_VERDICT.name, seconds=1),
            Fault(4.53, "crash", "recommend", 8, "publish:before"),
            Fault(15.44, "broker away", seconds=1.0),
            Fault(15.53, "replay", "moderation", seconds=0.2),
            Fault(16.92, "database away", "moderation", seconds=1.0),
        ),
        notes=2,
        moderation=2,
    ),
    "a verdict in the outbox of a backup, gone from the database": world(
        Ask(3.6, "post", "a9", "n0", "bug", patience=1.0, again=True, person="cleo"),
        faults=(
            Fault(1.4, "cut", "moderation", 4, seconds=9.0),
            Fault(4.9, "rebuild", "moderation"),
            Fault(8.2, "restore", "moderation", seconds=0.5),
        ),
        notes=3,
    ),
    "a full outbox that is too old to be sent": replace(
        world(
            *(Ask(2.0 + n / 4, "post", f"a{n}", "n0", "hello") for n in range(40)),
            faults=(Fault(1.5, "cut", "moderation", seconds=15.0),),
            inputs=5,
        ),
        outbox=2_000,
        horizon=8.0,
    ),
    "a decision that a rebuild took away before the backup, not read back yet": Plan(
        seed=6988,
        nodes={"notes": 2, "moderation": 1, "recommend": 2},
        skew=0.0,
        inputs=200,
        outbox=1000000,
        deaths=50,
        horizon=604800.0,
        asks=(
            Ask(at=4.1, kind="edit", id="a2", note_id="n1", patience=0.3),
            Ask(at=4.13, kind="post", id="a6", note_id="n5", text="many", patience=20.0, person="ann"),
        ),
        faults=(
            Fault(at=4.18, kind="lag", service="moderation", which=3, seconds=9.0),
            Fault(at=5.4, kind="rebuild", service="moderation"),
            Fault(at=5.68, kind="restore", service="moderation", which=1, what="asleep", seconds=0.5),
        ),
    ),
    "a republication whose acknowledgement came as it ended": Plan(
        seed=26096,
        nodes={"notes": 2, "moderation": 2, "recommend": 1},
        skew=0.0,
        inputs=200,
        outbox=1000000,
        deaths=50,
        horizon=604800.0,
        asks=(
            Ask(at=1.154, kind="take", id="a20", note_id="n4", patience=1.0, again=True),
            Ask(
                at=1.164,
                kind="post",
                id="a14",
                note_id="n5",
                text="torn",
                keyed=False,
                patience=0.3,
                again=True,
                person="ben",
                insists=True,
            ),
            Ask(
                at=1.481,
                kind="post",
                id="a2",
                note_id="n0",
                text="why?",
                keyed=False,
                patience=0.3,
                again=True,
                person="ben",
                insists=True,
            ),
            Ask(at=1.966, kind="shut", id="a11", note_id="n5", patience=20.0),
            Ask(at=1.966, kind="take", id="a23", note_id="n0", patience=20.0),
            Ask(at=2.908, kind="take", id="a5", note_id="n4", patience=20.0, again=True),
            Ask(at=3.539, kind="take", id="a19", note_id="n0"),
            Ask(at=6.33, kind="post", id="a7", note_id="n0", text="hello", keyed=False, person="ben"),
            Ask(at=7.161, kind="post", id="a24", note_id="n4", text="why?", keyed=False, patience=20.0, person="ben"),
            Ask(at=7.746, kind="post", id="a21", note_id="n1", text="hello", patience=20.0, person="ben"),
            Ask(at=8.463, kind="post", id="a1", note_id="n5", text="many", patience=0.3, person="ann"),
            Ask(at=8.475, kind="edit", id="a9", note_id="n0", patience=0.3),
        ),
        faults=(
            Fault(at=1.281, kind="broker away", seconds=10.0),
            Fault(at=5.153, kind="restore", service="moderation", which=6, seconds=3.0),
        ),
    ),
}
"""What the worlds have found in the lane, by what it was: no promise may break there any more."""
