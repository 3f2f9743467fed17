# Tests. tests/unit/<module>/<suite>.c: one criterion program a file, linked with every module's
# archive below it. tests/progrun: the XDP program through BPF_PROG_RUN (root).
UNIT_SRC := $(sort $(shell find tests/unit -name '*.c' 2>/dev/null))
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SRC))
PROGRUN_SRC := $(sort $(wildcard tests/progrun/*.c))
PROGRUN_BIN := $(patsubst tests/progrun/%.c,$(BUILD)/tests/progrun/%,$(PROGRUN_SRC))

# What each module's unit tests link: the module and what stands below it.
DEPS_base := base
DEPS_core := base
DEPS_config := base config
DEPS_crypto := base crypto
DEPS_dataplane := base dataplane
DEPS_session := base crypto session
DEPS_nat := base nat
DEPS_policy := base config policy
DEPS_paths := base dataplane paths
DEPS_limits := base config limits
DEPS_tunnel := base crypto tunnel/wireguard
DEPS_engine := base crypto dataplane session nat policy paths limits engine
DEPS_control := base control
DEPS_observe := base dataplane observe
DEPS_history := base crypto history
DEPS_store := base store
DEPS_records := base store records
DEPS_cli := base config crypto control policy cli
DEPS_daemon := $(MODULES)

# Fails each allocation of ours in turn; libconfig's own are not wrapped, it does not survive that.
$(BUILD)/tests/unit/config/memory: LDFLAGS += -Wl,--wrap=malloc -Wl,--wrap=calloc \
	-Wl,--wrap=reallocarray -Wl,--wrap=strdup -Wl,--wrap=strndup -Wl,--wrap=vasprintf \
	-Wl,--wrap=asprintf

unit_module = $(firstword $(subst /, ,$(patsubst tests/unit/%,%,$(1))))
unit_libs = $(foreach m,$(DEPS_$(call unit_module,$(1))),$(call lib,$(m)))

.SECONDEXPANSION:
$(BUILD)/tests/unit/%: tests/unit/%.c $$(call unit_libs,tests/unit/$$*.c)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests $(ALL_LDFLAGS) -o $@ $< -Wl,--start-group \
		$(call unit_libs,$<) -Wl,--end-group $(LIBRARIES) -lcriterion

# Those that ask the loaded program about compiled policies need the compiler too.
PROGRUN_LIBS := $(foreach m,base config dataplane policy,$(call lib,$(m)))
$(BUILD)/tests/progrun/%: tests/progrun/%.c $(PROGRUN_LIBS)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests $(ALL_LDFLAGS) -o $@ $< -Wl,--start-group \
		$(PROGRUN_LIBS) -Wl,--end-group $(LIBRARIES) -lcriterion

.PHONY: unit
# make unit MOD=nat builds and runs the unit tests of one module.
unit: $(filter $(BUILD)/tests/unit/$(if $(MOD),$(MOD)/%,%),$(UNIT_BIN)) ## unit tests; MOD=nat for one module's
	$(Q)tests/criterion.sh $(filter $(BUILD)/tests/unit/$(if $(MOD),$(MOD)/%,%),$(UNIT_BIN))

.PHONY: mutate
mutate: ## break one condition at a time: do the unit tests notice? SET="replay wireguard"
	$(Q)tests/mutate/mutate.py $(BUILD) $(SET)
