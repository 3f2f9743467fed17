# Sallyport: the guarded way out of a network. `make help` lists what can be made.
# SPDX-License-Identifier: Apache-2.0
BUILD ?= build
.DEFAULT_GOAL := all
include scripts/mk/tools.mk
include scripts/mk/userspace.mk
include scripts/mk/bpf.mk
include scripts/mk/tests.mk
include scripts/mk/fuzz.mk
include scripts/mk/bench.mk
include scripts/mk/check.mk
include scripts/mk/install.mk

.PHONY: all help clean deps demo check test test-vm soak fuzz bench install
all: $(PROGRAMS) ## build everything into build/

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Options: V=1 (show commands)  CC=clang|gcc  SAN=address,undefined  BUILD=dir"

deps: ## install what building and testing need (Debian packages, as root)
	$(Q)scripts/deps.sh

demo: ## the main job with real parts in network namespaces (as root); CHECK=1 runs unattended
	$(Q)scripts/deps.sh
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/lab/demo.sh

clean: ## remove build/
	rm -rf $(BUILD)
