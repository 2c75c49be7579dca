# Every target installs what it needs by itself; see docs/lab.md.
.PHONY: help lab lab-down lab-status test check bench bootstrap
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
MAKEFLAGS += --no-print-directory

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

lab: bootstrap ## Bring up a three-host KVM cluster on this machine and boot example VMs on it (needs root)
	@./lab up --example

lab-down: bootstrap ## Stop the lab and leave nothing behind
	@./lab down

lab-status: bootstrap ## Show what of the lab runs
	@./lab status

test: bootstrap ## Run everything that CI runs (needs root)
	@node test/run/main.ts

check: bootstrap ## Run what needs no servers: lint, types, generated files, unit and architecture tests
	@npm run --silent check

bench: bootstrap ## Measure, and print a table of the figures
	@npm run --silent bench

bootstrap:
	@./test/lab/install/bootstrap
