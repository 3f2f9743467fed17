# The checks, and the order in which `make test` runs everything.
CHECK_CFLAGS := -std=gnu17 $(DEFS) $(INC)

# CHECK="layers sizes" runs only those; see scripts/check/ for the names.
check: $(BUILD)/gen/gateway.skel.h $(BUILD)/gen/trace.skel.h ## format, layers, sizes, words, headers, scripts, documentation
	$(Q)CC="$(CC)" CHECK_CFLAGS='$(CHECK_CFLAGS)' scripts/check/run $(CHECK)

.PHONY: progrun lab
progrun: $(PROGRUN_BIN) ## the XDP program through BPF_PROG_RUN (as root)
	$(Q)tests/criterion.sh $(PROGRUN_BIN)

# LAB="core limits" runs only those scenarios; LAB_MB sizes the downloads.
lab: all ## scenarios with real clients in network namespaces (as root); LAB="core" for one
	$(Q)tests/lab/run.sh $(LAB)

test-vm: all ## the core scenario on stock Debian kernels in a virtual machine; KERNELS="6.1 6.12 newest"
	$(Q)tests/vm/run.sh $(KERNELS)

# The long variants: SOAK="oracle mutants" runs only those; SP_SOAK tells a program that it is one.
SOAK ?= oracle mutants crypto/backends
soak: all $(PROGRUN_BIN) $(BUILD)/tests/unit/crypto/backends ## the long runs: millions of packets beside the models (as root); SOAK="oracle"
	$(Q)SP_SOAK=1 tests/soak.sh $(BUILD) $(SOAK)

# Cheap before dear, so that a mistake shows early. Each step runs whole before the next begins,
# also under -j.
TEST_STEPS := all check unit progrun fuzz-replay lab
test: ## build, then every check and every test (as root)
	$(Q)scripts/deps.sh
	$(Q)for step in $(TEST_STEPS); do \
		printf '\n== %s ==\n' $$step; \
		$(MAKE) --no-print-directory $$step || exit 1; done
	$(Q)printf '\nall tests passed\n'
