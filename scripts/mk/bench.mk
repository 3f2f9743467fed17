# Benchmarks: tests/bench/<name>.c, one plain program each. Figures are for the machine they ran on.
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
BENCH_BIN := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(BENCH_SRC))

$(BENCH_BIN): $(BUILD)/tests/bench/%: tests/bench/%.c $(LIBS)
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests $(ALL_LDFLAGS) -o $@ $< $(GROUP) $(LIBRARIES)

.PHONY: bench-aead bench-engine
bench-aead: $(BUILD)/tests/bench/aead ## what AEAD costs a packet, for each back end
	$(Q)$<

bench-engine: $(BUILD)/tests/bench/engine ## what a packet costs in the engine alone (as root)
	$(Q)$<
