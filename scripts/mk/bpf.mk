# The XDP program: clang to an object, bpftool to a skeleton.
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -D__bpf__ -D__TARGET_ARCH_$(shell uname -m | sed \
	's/x86_64/x86/;s/aarch64/arm64/') -Wall -Wextra -Werror -Wno-unused-parameter \
	-Wno-address-of-packed-member -Iinclude -Ibpf -I.
BPF_DEPS := $(wildcard bpf/*.h include/sallyport/abi/*.h include/sallyport/core/*.h) vmlinux.h

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(BPF_DEPS)
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

$(BUILD)/gen/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@

.PRECIOUS: $(BUILD)/bpf/%.bpf.o $(BUILD)/gen/%.skel.h
.DELETE_ON_ERROR:
