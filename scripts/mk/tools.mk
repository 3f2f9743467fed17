# Compilers, flags, and how a command is shown. V=1 shows it whole.
ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
endif

CC ?= cc
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PKG_CONFIG ?= pkg-config
VERSION := 0.1.0
GIT_ID := $(shell git rev-parse --short HEAD 2>/dev/null)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wno-unused-parameter -Wvla
CFLAGS ?= -O2 -g
DEFS := -D_GNU_SOURCE
HARDEN := -fstack-protector-strong -fPIE
INC := -Iinclude -Iuserspace -I$(BUILD)/gen
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
ALL_CFLAGS = -std=gnu17 $(CFLAGS) $(WARN) $(DEFS) $(HARDEN) $(SANFLAGS) $(INC) -MMD -MP
ALL_LDFLAGS = $(LDFLAGS) $(SANFLAGS) -pie -pthread
