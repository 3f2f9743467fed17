# Benchmarks: tests/bench/<name>.c, one plain program each. Figures are for the machine they ran on.
BENCH_SRC := $(filter-out %.bpf.c,$(sort $(wildcard tests/bench/*.c)))
BENCH_BIN := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(BENCH_SRC))

# The generator's BPF programs: against the kernel's own headers, since they see more than vmlinux.h.
$(BUILD)/tests/bench/inject.bpf.o: tests/bench/inject.bpf.c tests/bench/inject.h
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -O2 -g -target bpf -mcpu=v3 -ffreestanding -Wall -Wextra -Werror -Wno-unused-parameter \
		-I/usr/include/$(shell $(CC) -dumpmachine) -c -o $@ $<

$(BUILD)/gen/bench/inject.skel.h: $(BUILD)/tests/bench/inject.bpf.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name inject_bpf > $@.tmp && mv $@.tmp $@

$(BENCH_BIN): $(BUILD)/tests/bench/%: tests/bench/%.c $(BUILD)/gen/bench/inject.skel.h $(LIBS)
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -I$(BUILD)/gen $(ALL_LDFLAGS) -o $@ $< $(GROUP) $(LIBRARIES)

.PHONY: bench-aead bench-engine bench-decide bench-drop bench-baseline
bench-aead: $(BUILD)/tests/bench/aead ## what AEAD costs a packet, for each back end
	$(Q)$<

bench-engine: $(BUILD)/tests/bench/engine ## what a packet costs in the engine alone (as root)
	$(Q)$<

bench-decide: $(BUILD)/tests/bench/decide ## what a decision costs as rules grow
	$(Q)$<

bench-drop: $(BUILD)/tests/bench/drop ## what telling of drops costs (as root)
	$(Q)$<

# QUICK=1: one round of each pair instead of seven, 100 clients at most; under three minutes.
bench: all $(BENCH_BIN) ## the gateway beside its peers and its limits, against the baseline (as root); QUICK=1
	$(Q)/usr/bin/python3 tests/bench/run.py $(BUILD) $(if $(QUICK),quick)

bench-baseline: all $(BENCH_BIN) ## take the ratios that make bench is compared with anew (as root)
	$(Q)/usr/bin/python3 tests/bench/run.py $(BUILD) quick baseline
