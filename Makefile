# make help lists the targets. Each sets up what it needs by itself.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ENV ?= dev
PY := .venv/bin/python
# The folders with Python of ours.
SOURCES := main.py bench cdk_terrain config constructs_lib container/origin $(wildcard container/*.py container/player/*.py) offline_terraform ops policy scripts stacks tests
WORKFLOWS := $(wildcard .github/workflows/*.yml)
# Debian's packages: what the quick tests need, what runs natively, what all tests need on top.
DEBIAN_CHECK_PACKAGES := ffmpeg git
DEBIAN_LIVE_PACKAGES := build-essential ffmpeg fonts-dejavu-core libpcre2-dev libssl-dev nginx-light zlib1g-dev
DEBIAN_TEST_PACKAGES := $(DEBIAN_LIVE_PACKAGES) bubblewrap buildah chromium clang git haproxy iproute2 libclang-rt-14-dev llvm mmdebstrap nftables procps

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# ---- set-up: stamps are older than the lock files when these change ----

.venv/.synth-ready: Pipfile.lock scripts/setup.sh
	@if [ ! -e .venv/.all-ready ] || [ .venv/.all-ready -ot Pipfile.lock ]; then scripts/setup.sh synth; fi
	@touch $@

.venv/.all-ready: Pipfile.lock scripts/setup.sh
	@scripts/setup.sh all
	@touch $@ .venv/.synth-ready

cdk_terrain/.venv/.ready: cdk_terrain/Pipfile.lock scripts/setup.sh | .venv/.synth-ready
	@scripts/setup.sh cdktn
	@touch $@

node_modules/.ready: package-lock.json scripts/npm.sh | .venv/.all-ready
	@scripts/apt-install.sh g++ make
	@echo "setup: installing the cdktf command line ..."
	@scripts/npm.sh ci --no-audit --no-fund --silent
	@touch $@

.PHONY: setup
setup: .venv/.all-ready node_modules/.ready ## set up everything (the other targets do it as needed)

# ---- the main job ----

.PHONY: synth
synth: .venv/.synth-ready ## write the Terraform of every environment to cdktf.out/
	@$(PY) main.py

.PHONY: synth-cdktn
synth-cdktn: .venv/.synth-ready cdk_terrain/.venv/.ready ## the same with cdktn, the successor of cdktf, and whether it comes out the same
	@$(PY) -m cdk_terrain

# ---- the container, on this machine ----

examples/backend/typescript/node_modules/.ready: examples/backend/typescript/package-lock.json scripts/npm.sh | .venv/.all-ready
	@echo "setup: installing what the example of a backend needs ..."
	@scripts/npm.sh --prefix examples/backend/typescript ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

container/player/dist/index.html: $(wildcard container/player/src/* container/player/*.json container/player/*.mjs) | .venv/.all-ready
	@echo "setup: building the player page ..."
	@scripts/npm.sh --prefix container/player ci --no-audit --no-fund --silent
	@scripts/npm.sh --prefix container/player run --silent build
	@touch $@

.PHONY: live
live: export DEMO := $(DEMO)
live: .venv/.all-ready container/player/dist/index.html ## OBS in, player out, on this machine (DEMO=1 publishes a test broadcast)
	@scripts/apt-install.sh $(DEBIAN_LIVE_PACKAGES)
	@$(PY) container/live.py

# ---- one gate before every commit ----

.PHONY: check
check: .venv/.all-ready ## everything that is quick: lint, types, unit tests, synthesis, validate, policy
	@$(MAKE) --output-sync=target -j2 lint types unit validate policy
	@echo "check: all well"

.PHONY: lint
lint: .venv/.all-ready ## ruff, import-linter, shellcheck, hadolint, actionlint, zizmor
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --quiet --check .
	@PYTHONPATH=container .venv/bin/lint-imports --no-cache --no-logo >lint-imports.log || { cat lint-imports.log; exit 1; }; rm -f lint-imports.log
	@.venv/bin/shellcheck scripts/*.sh .ci/run container/healthcheck container/ffmpeg/build.sh container/nginx/module/*.sh tests/fuzz/rtmp_module/*.sh
	@.venv/bin/hadolint container/Dockerfile
	@.venv/bin/actionlint $(WORKFLOWS)
	@.venv/bin/zizmor --offline --quiet $(WORKFLOWS)

.PHONY: types
types: .venv/.all-ready ## mypy --strict
	@.venv/bin/mypy --no-error-summary $(SOURCES)

.PHONY: unit
unit: .venv/.all-ready ## the quick tests
	@scripts/apt-install.sh $(DEBIAN_CHECK_PACKAGES)
	@$(PY) -m pytest -q -n 2 --dist worksteal --hypothesis-profile quick -m "not slow" tests

# Checks of what synthesis wrote share one fresh synthesis.
.PHONY: synth-quiet
synth-quiet: .venv/.synth-ready
	@$(PY) main.py >/dev/null 2>cdktf.log || { cat cdktf.log; exit 1; }; rm -f cdktf.log

.PHONY: validate
validate: .venv/.all-ready synth-quiet ## terraform init and validate on every stack, with the real core, offline
	@$(PY) -m offline_terraform validate cdktf.out/stacks/*

.PHONY: policy
policy: .venv/.all-ready synth-quiet ## checkov and our own rules on every stack
	@$(PY) -m policy

# Before anything is set up or synthesized.
.PHONY: known-env
known-env:
	@[ -f 'environments/$(ENV).toml' ] || { \
		echo "no environments/$(ENV).toml; ENV is one of:" $(basename $(notdir $(wildcard environments/*.toml))) >&2; exit 2; }

.PHONY: plan
plan: known-env .venv/.all-ready synth-quiet ## a plan for ENV (dev), offline, as if nothing existed yet
	@$(PY) -m offline_terraform plan cdktf.out/stacks/LiveCommerceStreamingStack-$(ENV)

.PHONY: plan-review
plan-review: known-env .venv/.all-ready ## what a plan for ENV (dev) does to people who are live, offline (BASE=main: from what main had left)
	@$(PY) -m ops plan-review --offline $(ENV) $(if $(BASE),--base $(BASE)) $(if $(FORMAT),--format $(FORMAT))

# ---- AWS: these change it, after showing the plan and asking (YES=1 goes on without) ----

.PHONY: bootstrap
bootstrap: known-env .venv/.all-ready ## once for ENV (dev): state bucket, key, image repository
	@$(PY) -m ops bootstrap $(ENV) $(if $(YES),--yes)

.PHONY: deploy
deploy: known-env .venv/.all-ready ## show the plan of ENV (dev), ask, apply it, wait for its tasks (NOWAIT=1 does not), print the URLs
	@$(PY) -m ops deploy $(ENV) $(if $(YES),--yes) $(if $(NOWAIT),--no-wait)

.PHONY: destroy
destroy: known-env .venv/.all-ready ## show what of ENV (dev) would go, ask for its name, destroy it
	@$(PY) -m ops destroy $(ENV)

.PHONY: destroy-bootstrap
destroy-bootstrap: known-env .venv/.all-ready ## the same for what bootstrap made: state bucket, key, images, deploy role
	@$(PY) -m ops destroy-bootstrap $(ENV)

.PHONY: broadcasts
broadcasts: known-env .venv/.all-ready ## what is live in ENV (dev), and on which task (TASK=<ARN> picks one)
	@$(PY) -m ops broadcasts $(ENV) $(if $(TASK),--task $(TASK))

.PHONY: vulnerabilities
vulnerabilities: known-env .venv/.all-ready ## what ECR's scanner knows of the image of ENV (dev); fails where a fix is to be had
	@$(PY) -m ops vulnerabilities $(ENV)

.PHONY: outputs
outputs: known-env .venv/.all-ready ## the two lines for the backend's .env, of ENV (dev)
	@$(PY) -m ops outputs $(ENV)

# ---- everything ----

.PHONY: test
# Two at a time: much of it is broadcasts, which take their time. In order of names, the longest file comes early.
test: .venv/.all-ready cdk_terrain/.venv/.ready node_modules/.ready container/player/dist/index.html examples/backend/typescript/node_modules/.ready ## every test
	@scripts/apt-install.sh $(DEBIAN_TEST_PACKAGES)
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=20 tests

.PHONY: mutants
mutants: SAMPLE := 30
mutants: .venv/.all-ready ## small faults in the most dangerous code: which do its quick tests not find? SAMPLE=30 of each module, MODULES="leases routing" for less
	@$(PY) scripts/mutants.py --sample $(SAMPLE) $(MODULES)

.PHONY: test-repeat
test-repeat: RUNS := 10
test-repeat: UNDER := quiet one-core busy half
test-repeat: .venv/.all-ready node_modules/.ready container/player/dist/index.html examples/backend/typescript/node_modules/.ready ## every test (or TESTS=...), RUNS=10 times under each of UNDER="quiet one-core busy half"
	@scripts/apt-install.sh $(DEBIAN_TEST_PACKAGES)
	@$(PY) scripts/repeat_tests.py --runs $(RUNS) --under $(UNDER) $(if $(TESTS),-- $(TESTS))

.PHONY: image-arm64
image-arm64: .venv/.all-ready ## build the image for ARM64, what tasks run on by default, and test it under emulation (half an hour)
	@scripts/apt-install.sh $(DEBIAN_TEST_PACKAGES) arch-test qemu-user-static
	@scripts/emulate.sh aarch64
	@IMAGE_ARCHITECTURE=arm64 $(PY) -m pytest --timeout 7200 tests/container/test_image.py

.PHONY: fuzz
fuzz: .venv/.all-ready ## fuzz every parser, MINUTES (1) each
	@$(PY) -m tests.fuzz --minutes $(or $(MINUTES),1)

.PHONY: bench
bench: .venv/.all-ready ## how long synthesis takes, against the ordinary import
	@$(PY) bench/synth.py

.PHONY: bench-broadcast
bench-broadcast: .venv/.all-ready container/player/dist/index.html ## latency, cost, capacity, recovery of broadcasts (ROWS="cost memory" picks some), AGAINST=<git ref> side by side
	@scripts/apt-install.sh $(DEBIAN_TEST_PACKAGES)
	@PYTHONPATH=container $(PY) -m $(if $(AGAINST),bench.compare $(AGAINST),bench.broadcast) $(ROWS)

.PHONY: bench-routing
bench-routing: .venv/.all-ready ## what it costs when another task has the stream
	@PYTHONPATH=container $(PY) -m bench.routing

.PHONY: bench-lookups
bench-lookups: .venv/.all-ready ## what requests for ids that are nobody's cost
	@PYTHONPATH=container $(PY) -m bench.unknown_ids

.PHONY: bench-plan-review
bench-plan-review: .venv/.all-ready ## how long a review of 1,000 resources in each of 4 environments takes, and its memory
	@$(PY) -m bench.plan_review

.PHONY: plan-review-picture
plan-review-picture: .venv/.all-ready ## the comment of docs/plan-review.md anew, from real plans, as text and as a picture
	@scripts/apt-install.sh chromium
	@$(PY) -m tests.plan_review_page

.PHONY: golden
golden: .venv/.all-ready ## rewrite tests/golden after a change that was meant
	@$(PY) -m tests.golden_files

.PHONY: lock
lock: .venv/.all-ready ## resolve Pipfile and package.json anew, and take registry addresses out of the lock files
	@PIPENV_VENV_IN_PROJECT=1 PIPENV_IGNORE_VIRTUALENVS=1 .venv-pipenv/bin/pipenv lock --categories "packages dev-packages origin pipenv audit"
	@PIPENV_PIPFILE=cdk_terrain/Pipfile PIPENV_VENV_IN_PROJECT=1 PIPENV_IGNORE_VIRTUALENVS=1 .venv-pipenv/bin/pipenv lock
	@scripts/npm.sh install --package-lock-only --no-audit --no-fund
	@scripts/npm.sh --prefix container/player install --package-lock-only --no-audit --no-fund
	@scripts/npm.sh --prefix examples/backend/typescript install --package-lock-only --no-audit --no-fund
	@$(PY) scripts/tidy_locks.py Pipfile.lock cdk_terrain/Pipfile.lock package-lock.json container/player/package-lock.json examples/backend/typescript/package-lock.json
	@$(PY) scripts/export_requirements.py

.PHONY: clean
clean: ## remove what was built; keeps .env and .bootstrap
	rm -rf cdktf.out container/player/dist container/player/node_modules examples/backend/typescript/node_modules examples/backend/typescript/dist node_modules .venv cdk_terrain/.venv .venv-pipenv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .fuzz
