"""A subscriber of Lianyi, whole: which questions wait, what is liked, and whom to thank for good advice.

    pip install confluent-kafka ./shared/contracts
    python samples/consumer.py --kafka localhost:29092 --database helpdesk.db

That is for the broker of docker-compose. Where a broker asks who comes, `--user` and `--ca`, and the password in the
environment as KAFKA_PASSWORD; what a subscriber has to be allowed stands in subscriber.yaml beside this file.

Delivery is at least once, and after a crash older news may come after newer. So there are three habits, one for each
order of events, and one rule: what is kept and what tells a double from news change in one transaction, and the offset
is committed after it. Whatever dies in between is read again and changes nothing. Several processes of one group need
a database that they share; a file, as here, is for one.
"""

import argparse
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable

from confluent_kafka import Consumer, KafkaException, Message
from lianyi_contracts import BadEnvelope, Envelope, Event
from lianyi_contracts.notes import AdviceTaken, NeedAnswered, NeedEscalated, NeedOpened, NeedWithdrawn, NoteReacted
from lianyi_contracts.topics import NOTE
from pydantic import ValidationError

HORIZON = 7 * 86_400  # seconds for which a double may come: what waited longer is not sent unasked

TABLES = """
CREATE TABLE IF NOT EXISTS needs (need_id PRIMARY KEY, sequence, state);
CREATE TABLE IF NOT EXISTS thanks (comment_id PRIMARY KEY, adviser_id);
CREATE TABLE IF NOT EXISTS likes (note_id PRIMARY KEY, likes);
CREATE TABLE IF NOT EXISTS seen (id PRIMARY KEY, at);
CREATE TABLE IF NOT EXISTS refused (topic, partition, place, why, PRIMARY KEY (topic, partition, place));
"""


def need(state: str) -> Callable[..., None]:
    """State: the higher sequence holds. A row stays when the need is over, or older news would open it again."""

    def follow(event: Event, of: Envelope, db: sqlite3.Connection) -> None:
        db.execute(
            "INSERT INTO needs VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET sequence = excluded.sequence,"
            " state = excluded.state WHERE excluded.sequence > sequence",
            (event.need_id, of.sequence, state),
        )

    return follow


def thank(event: AdviceTaken, of: Envelope, db: sqlite3.Connection) -> None:
    """Fact: stored under its own ids, so that a double is the same row, and nobody is thanked twice.

    A mail or a call to the outside is made from this table, with ``comment_id`` as its idempotency key.
    """
    db.execute("INSERT OR IGNORE INTO thanks VALUES (?, ?)", (event.comment_id, event.adviser_id))


def like(event: NoteReacted, of: Envelope, db: sqlite3.Connection) -> None:
    """Count: any order will do, but each id is counted once."""
    if event.kind == "like" and db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (of.id, time.time())).rowcount:
        db.execute(
            "INSERT INTO likes VALUES (?, ?) ON CONFLICT DO UPDATE SET likes = likes + excluded.likes",
            (event.note_id, event.change),
        )


HANDLERS = {
    NeedOpened: need("open"),
    NeedEscalated: need("open"),
    NeedAnswered: need("answered"),
    NeedWithdrawn: need("withdrawn"),
    AdviceTaken: thank,
    NoteReacted: like,
}
WANTED = {model.TYPE: (model, handler) for model, handler in HANDLERS.items()}


def take(message: Message, db: sqlite3.Connection) -> None:
    """One record. A type that is not wanted is skipped by its header; one that cannot be read is put aside."""
    try:
        of = Envelope.of(dict(message.headers() or ()).items())
        if of.type in WANTED:
            model, handler = WANTED[of.type]
            handler(model.model_validate_json(message.value() or b""), of, db)
    except (BadEnvelope, ValidationError) as error:
        place = message.topic(), message.partition(), message.offset()
        db.execute("INSERT OR IGNORE INTO refused VALUES (?, ?, ?, ?)", (*place, str(error)))


def access(user: str, ca: str) -> dict[str, str]:
    """How to speak to the brokers: with a user by SCRAM-SHA-512, with certificates by TLS."""
    told = {"security.protocol": f"{'SASL_' if user else ''}{'SSL' if ca else 'PLAINTEXT'}"}
    if user:
        password = os.environ.get("KAFKA_PASSWORD") or sys.exit("a user has a password: KAFKA_PASSWORD")
        told |= {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": user, "sasl.password": password}
    return told | ({"ssl.ca.location": ca} if ca else {})


def main() -> None:
    """Reads until SIGTERM or Ctrl-C. Any error ends it: start it again, nothing is lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kafka", required=True, help="bootstrap servers")
    parser.add_argument("--database", required=True, help="file of the database")
    parser.add_argument("--group", default="helpdesk", help="consumer group")
    parser.add_argument("--user", default="", help="who we are to the brokers; its password is in KAFKA_PASSWORD")
    parser.add_argument("--ca", default="", help="file of the certificates to trust; with it we speak by TLS")
    chosen = parser.parse_args()
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda caught, _: stop.append(caught))
    db = sqlite3.connect(chosen.database)
    db.executescript(TABLES)
    settings = {"bootstrap.servers": chosen.kafka, **access(chosen.user, chosen.ca)}
    settings |= {"group.id": chosen.group, "auto.offset.reset": "earliest"}
    # A dead reader's partitions go to another one after these ten seconds.
    consumer = Consumer(settings | {"enable.auto.commit": False, "session.timeout.ms": 10_000})
    consumer.subscribe([NOTE.name])
    try:
        while not stop:
            if batch := consumer.consume(500, timeout=1.0):
                with db:  # the whole batch or nothing of it
                    for message in batch:
                        if message.error():
                            raise KafkaException(message.error())
                        take(message, db)
                    db.execute("DELETE FROM seen WHERE at < ?", (time.time() - HORIZON,))
                consumer.commit(asynchronous=False)  # after the work is stored, never before
    finally:
        consumer.close()
        db.close()


if __name__ == "__main__":
    main()
