# Bare `make` lists the targets.
venv := .venv
bin := $(venv)/bin
ready := $(venv)/.ready

.PHONY: help demo test check unit format lock bundle synth clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)
