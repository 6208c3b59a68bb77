# One command per task; `make help` lists them. Needs make and Python 3.11 or newer, nothing else.

PYTHON ?= python3
UV ?= uv
PY := .venv/bin/python
SECANTUS := 0.5.3-beta.196
# What the environment was made from: it is whole when this copy is there and equal to requirements.txt.
MADE_FROM := .venv/made-from.txt

.DEFAULT_GOAL := help
.PHONY: help setup lock run feed trace stack secantus test test-containers simulate mutants faults bench bench-text bench-judged bench-recommend check format

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name what; do \
		printf '  make %-8s %s\n' "$$name" "$$what"; done

setup: ## make .venv from requirements.txt (PYTHON=python3.12 takes another Python); nothing to do, no time
	@cmp -s requirements.txt $(MADE_FROM) && exit 0; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Lianyi needs Python 3.11 or newer; $(PYTHON) is not: $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name another one: make setup PYTHON=python3.11" >&2; exit 1; }; \
	echo "making .venv, once for this requirements.txt …"; \
	rm -rf .venv && $(PYTHON) -m venv .venv \
	&& $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt \
	&& cp requirements.txt $(MADE_FROM)

lock: ## compile requirements*.in into requirements*.txt, with hashes (needs uv)
	@for name in requirements requirements-run requirements-bench; do \
		$(UV) pip compile --generate-hashes --universal --python-version 3.11 --custom-compile-command 'make lock' \
			--quiet $$([ $$name != requirements-run ] || echo '-c requirements.txt') $$name.in -o $$name.txt || exit 1; done

run: setup ## the whole system on this machine, with sample traffic (ONCE=1: one round; STACK=local|embedded BROKERS=1|3)
	@exec $(PY) -m local.run $(if $(ONCE),--once) $(if $(STACK),--stack='$(STACK)') $(if $(BROKERS),--brokers='$(BROKERS)')

feed: setup ## feed real data (NOTES NODES MEMBERSHIPS SPAM HAM: files; LIMIT COMMENTS RATE: numbers; STACK)
	@exec $(PY) -m local.feed \
		$(if $(NOTES),--notes='$(NOTES)') $(if $(NODES),--nodes='$(NODES)') \
		$(if $(MEMBERSHIPS),--memberships='$(MEMBERSHIPS)') \
		$(if $(SPAM),--spam='$(SPAM)') $(if $(HAM),--ham='$(HAM)') \
		$(if $(LIMIT),--limit='$(LIMIT)') $(if $(COMMENTS),--comments='$(COMMENTS)') \
		$(if $(RATE),--rate='$(RATE)') $(if $(STACK),--stack='$(STACK)')

trace: setup ## the path of an id through topics and services, with times (ID: of a comment, event, …; KAFKA)
	@exec $(PY) -m local.trace '$(ID)' $(if $(KAFKA),--kafka='$(KAFKA)')

stack: setup ## brokers and database alone, until Ctrl-C; takes orders like "kill kafka-2" (STACK=local|embedded BROKERS=1|3)
	@exec $(PY) -m local.stack $(if $(STACK),--stack='$(STACK)') $(if $(BROKERS),--brokers='$(BROKERS)')

secantus: ## build the faster database server of the local stack into .cache, once (needs cargo; minutes, 1 GB meanwhile)
	@exec cargo install --ignore-rust-version --locked --version $(SECANTUS) --root .cache/secantus secantus-mdb

test: check ## all that CI runs: lint, format, types, then every test that this machine can run
	@exec $(PY) -m pytest -n auto --dist loadgroup --cov --cov-report term-missing:skip-covered

test-containers: setup ## the main job in the built images, the suites on servers in containers (needs Docker or dockerd; STACK)
	@exec $(PY) -m local.containers $(if $(STACK),--stack='$(STACK)')

simulate: setup ## thousands of broken worlds on all cores (SEEDS=n FIRST=n MUTANT=name), or one told as a story (SEED=n)
	@exec $(PY) -m tests.simulation $(if $(SEEDS),--seeds='$(SEEDS)') $(if $(FIRST),--first='$(FIRST)') \
		$(if $(SEED),--seed='$(SEED)') $(if $(MUTANT),--mutant='$(MUTANT)')

mutants: setup ## the lane without each of its safeguards: first seed that breaks (of SEEDS=n), and the plan that is kept
	@exec $(PY) -m tests.simulation --mutants $(if $(SEEDS),--seeds='$(SEEDS)')

faults: setup ## the long rounds of tests/faults, and their table docs/faults.md (N: times as many; ONLY=name)
	@exec $(PY) -m tests.faults $(if $(N),--n='$(N)') $(if $(ONLY),--only='$(ONLY)')

bench: setup .cache/bench/made-from.txt ## the lane beside its peers, and the page docs/bench (ONLY=part,part; needs Apache Kafka)
	@exec $(PY) -m tests.bench.peers $(if $(ONLY),--only='$(ONLY)')

.cache/bench/made-from.txt: requirements-bench.txt
	@echo "making .cache/bench, once for this requirements-bench.txt …"; rm -rf .cache/bench && $(PY) -m venv .cache/bench \
	&& .cache/bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< && cp $< $@

bench-text: setup ## how well and how fast texts are judged, beside two baselines (DATA: folder with spam/, ham/, notes/)
	@nice -n 5 $(PY) -m tests.bench.text_model '$(DATA)'; told=$$?; nice -n 5 $(PY) -m tests.bench.text '$(DATA)' && exit $$told

bench-recommend: setup ## how well groups are found for notes and people, beside the known ways, and how it grows (DATA: folder with notes/, memberships/)
	@nice -n 5 $(PY) -m tests.bench.recommend '$(DATA)'; told=$$?; $(PY) -m tests.bench.growth '$(DATA)' && exit $$told

bench-judged: setup ## how long a look of the gate takes, how many events one moderation judges a second, and how soon (DATA)
	@$(PY) -m tests.bench.gate '$(DATA)'; told=$$?; $(PY) -m tests.bench.judged '$(DATA)' && exit $$told

check: setup ## lint, format and types
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@exec $(PY) -m mypy

format: setup ## put the code into shape
	@$(PY) -m ruff check --fix
	@exec $(PY) -m ruff format
