# One archive for each folder of userspace/, and the programs linked from them.
MODULES := base config crypto dataplane session nat policy paths limits tunnel/wireguard \
	engine control observe

src = $(sort $(wildcard userspace/$(1)/*.c))
obj = $(patsubst %.c,$(BUILD)/%.o,$(call src,$(1)))
lib = $(BUILD)/lib/$(subst /,-,$(1)).a
LIBS := $(foreach m,$(MODULES),$(call lib,$(m)))

define module_rule
$(call lib,$(1)): $(call obj,$(1))
	$$(call say,AR,$$@)
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call module_rule,$(m))))

$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Which library a folder may use: one each, so that a replacement touches one folder.
PKGS := libbpf libxdp libconfig libcrypto libmnl jansson libmicrohttpd libqrencode libsystemd \
	libcap-ng libseccomp
LIBRARIES = $(shell $(PKG_CONFIG) --libs $(PKGS)) -lev -lm
GROUP = -Wl,--start-group $(LIBS) -Wl,--end-group

PROGRAMS := $(BUILD)/sallyportd $(BUILD)/sallyport

# Objects that need the skeleton's header.
$(call obj,dataplane): $(BUILD)/gen/gateway.skel.h

$(BUILD)/sallyportd: $(call obj,daemon) $(LIBS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(call obj,daemon) $(GROUP) $(LIBRARIES)

$(BUILD)/sallyport: $(call obj,cli) $(LIBS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(call obj,cli) $(GROUP) $(LIBRARIES)

-include $(shell find $(BUILD)/userspace $(BUILD)/tests -name '*.d' 2>/dev/null)
