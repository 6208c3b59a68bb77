"""The lane beside its peers: the same work on the same broker, database and events (``make bench``).

One module a peer, each a process of its own, written as the documents of its tools say; ``workload`` is what all of
them do, ``stage`` is where they are measured, ``__main__`` is the run.
"""
