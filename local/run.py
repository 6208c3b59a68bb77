"""`make run`: the whole system on this machine, with sample traffic and an independent count of its effects."""

import argparse
import signal
import sys


def main() -> int:
    """The command line. With --once the exit status is 0 only if every expected effect arrived, once."""
    # Until the loop runs there is nothing to clean up: end at once and without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parser = argparse.ArgumentParser(prog="local.run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the scenario")
    parser.add_argument("--stack", default="", choices=["", "local", "embedded"], help="default: what is there")
    parser.add_argument("--brokers", type=int, default=1, choices=[1, 3], help="of Apache Kafka (1)")
    arguments = parser.parse_args()

    from local.play import show
    from local.processes import run_until_signal

    return run_until_signal(show(arguments.stack, once=arguments.once, brokers=arguments.brokers))


if __name__ == "__main__":
    sys.exit(main())
