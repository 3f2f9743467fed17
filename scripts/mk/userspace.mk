# One archive for each folder of userspace/, and the programs linked from them.
MODULES := base config crypto dataplane store session nat policy paths limits tunnel/wireguard \
	engine control observe history records

# Intel's IPsec-MB: x86-64 only, and not everywhere there. It has no pkg-config file.
ifndef IPSEC_MB
IPSEC_MB := $(shell $(CC) -dumpmachine | grep -q '^x86_64' && \
	echo '\#include <intel-ipsec-mb.h>' | $(CC) -E -x c - >/dev/null 2>&1 && echo yes)
endif
ifeq ($(IPSEC_MB),yes)
DEFS += -DSP_HAVE_IPSEC_MB
else
SRC_LEFT_OUT := userspace/crypto/aead_ipsec_mb.c
endif

src = $(filter-out $(SRC_LEFT_OUT),$(sort $(wildcard userspace/$(1)/*.c)))
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

# The command without its main, for its unit tests.
$(call lib,cli): $(filter-out %/main.o,$(call obj,cli))
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^

# Which library a folder may use: one each, so that a replacement touches one folder.
PKGS := libbpf libxdp libconfig libcrypto libmnl jansson libmicrohttpd libqrencode libsystemd \
	libcap-ng libseccomp libmaxminddb sqlite3
LIBRARIES = $(shell $(PKG_CONFIG) --libs $(PKGS)) -lev -lm $(if $(filter yes,$(IPSEC_MB)),-lIPSec_MB)
GROUP = -Wl,--start-group $(LIBS) -Wl,--end-group

PROGRAMS := $(BUILD)/sallyportd $(BUILD)/sallyport

# A library that came after the first build changes the list of back ends.
ifeq ($(IPSEC_MB),yes)
$(BUILD)/userspace/crypto/aead_select.o: $(BUILD)/userspace/crypto/aead_ipsec_mb.o
endif

# Who says the version: these, and nobody else, are compiled anew for another commit.
SAYS_VERSION := $(addprefix $(BUILD)/userspace/,daemon/request.o daemon/metrics.o daemon/main.o \
	daemon/status.o cli/command.o)
$(SAYS_VERSION): DEFS += -include $(BUILD)/gen/version.h
$(SAYS_VERSION): $(BUILD)/gen/version.h
.PHONY: version
$(BUILD)/gen/version.h: version
	$(Q)mkdir -p $(@D)
	$(Q)echo '#define SP_VERSION "$(VERSION)$(if $(GIT_ID),-$(GIT_ID))"' >$@.new
	$(Q)cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# Objects that need the skeleton's header.
$(call obj,dataplane): $(BUILD)/gen/gateway.skel.h $(BUILD)/gen/trace.skel.h

$(BUILD)/sallyportd: $(call obj,daemon) $(LIBS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(call obj,daemon) $(GROUP) $(LIBRARIES)

$(BUILD)/sallyport: $(call obj,cli) $(LIBS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(call obj,cli) $(GROUP) $(LIBRARIES)

-include $(shell find $(BUILD)/userspace $(BUILD)/tests -name '*.d' 2>/dev/null)
