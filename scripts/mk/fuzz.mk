# Fuzz targets: tests/fuzz/<name>.c with a corpus in tests/fuzz/corpus/<name>/. The first or
# second line of a target says which modules' sources it links: /* links: base tunnel/wireguard */
FUZZ_SRC := $(filter-out tests/fuzz/runner.c,$(sort $(wildcard tests/fuzz/*.c)))
FUZZ_NAMES := $(patsubst tests/fuzz/%.c,%,$(FUZZ_SRC))
FUZZ_BIN := $(patsubst %,$(BUILD)/tests/fuzz/%,$(FUZZ_NAMES))
FUZZ_LIVE := $(patsubst %,$(BUILD)/tests/fuzz/live/%,$(FUZZ_NAMES))
FUZZ_CFLAGS = -std=gnu17 -O1 -g $(WARN) $(DEFS) $(INC) -fno-omit-frame-pointer \
	-fno-sanitize-recover=all
T ?= 60

fuzz_modules = $(shell sed -n '1!{2!q};s,^/\* *links: *\(.*[^ ]\) *\*/.*,\1,p' tests/fuzz/$(1).c)
fuzz_sources = tests/fuzz/$(1).c $(foreach m,$(call fuzz_modules,$(1)),$(call src,$(m)))

$(FUZZ_BIN): $(BUILD)/tests/fuzz/%: tests/fuzz/runner.c $$(call fuzz_sources,$$*)
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc $(FUZZ_CFLAGS) -fsanitize=address,undefined -MMD -MP -MF $@.d -o $@ $^ \
		-pthread $(LIBRARIES)

$(FUZZ_LIVE): $(BUILD)/tests/fuzz/live/%: $$(call fuzz_sources,$$*)
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $^ -pthread $(LIBRARIES)

.PHONY: fuzz-replay fuzz fuzz-build
fuzz-build: $(FUZZ_BIN)

fuzz-replay: $(FUZZ_BIN) ## every fuzz corpus, replayed under the sanitizers
	$(Q)for n in $(FUZZ_NAMES); do \
		printf '  fuzz %-12s ' $$n; \
		$(BUILD)/tests/fuzz/$$n tests/fuzz/corpus/$$n || exit 1; done

# What is found grows in build/, not in the tree; a crash is left there too.
fuzz: $(FUZZ_LIVE) ## libFuzzer on every target, T=60 seconds each
	$(Q)for n in $(FUZZ_NAMES); do \
		mkdir -p $(BUILD)/tests/fuzz/found/$$n && \
		$(BUILD)/tests/fuzz/live/$$n -max_total_time=$(T) -timeout=10 -print_final_stats=1 \
			-artifact_prefix=$(BUILD)/tests/fuzz/found/$$n. \
			$(BUILD)/tests/fuzz/found/$$n tests/fuzz/corpus/$$n || exit 1; done
