# Benchmarks: tests/bench/<name>.c, one plain program each. Figures are for the machine they ran on.
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
BENCH_BIN := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(BENCH_SRC))

$(BENCH_BIN): $(BUILD)/tests/bench/%: tests/bench/%.c $(call lib,base) $(call lib,crypto)
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests $(ALL_LDFLAGS) -o $@ $< -Wl,--start-group \
		$(call lib,base) $(call lib,crypto) -Wl,--end-group $(LIBRARIES)

.PHONY: bench-aead
bench-aead: $(BUILD)/tests/bench/aead ## what AEAD costs a packet, for each back end
	$(Q)$<
