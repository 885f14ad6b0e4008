# SPDX-License-Identifier: GPL-2.0-only
#
# make            build/$(ARCH)/lkvm
# make demo       set up, build, and show a guest with a four-queue disk
# make test       set up, build, and run every test
# make check      style and unit tests, no virtual machine (the inner loop)
# make sanitize   the payload guests under ASan, UBSan and TSan
# make soak       ten million requests with faults: none lost, none twice
# make coverage   lines of virtio/ and disk/ that the unit tests run: 90 % at least
# make bench      what a request costs, without a virtual machine (QUICK=1)
# make package    Debian packages in build/package
# make install    DESTDIR= PREFIX=, and uninstall; install-strip: without symbols
#
# ARCH=x86|powerpc CROSS_COMPILE=PREFIX- V=1 (show commands) C=1 (sparse, too)
# SANITIZE=asan|tsan (ASan and UBSan, or TSan, in build/$(ARCH)-asan, -tsan)
#
# make ARCH=powerpc CROSS_COMPILE=powerpc64le-linux-gnu- builds for POWER anywhere,
# with libraries that scripts/cross.sh brings.  A cross build makes lkvm-static,
# too, for hosts that have nothing but a kernel.

VERSION := 0.1

MACHINE := $(shell $(CROSS_COMPILE)$(if $(filter default undefined,$(origin CC)),gcc,$(CC)) -dumpmachine 2>/dev/null || uname -m)
ARCH ?= $(if $(findstring powerpc,$(MACHINE)),powerpc,x86)
PREFIX ?= /usr/local
bindir ?= $(PREFIX)/bin
mandir ?= $(PREFIX)/share/man
docdir ?= $(PREFIX)/share/doc/lkvm
tmpfilesdir ?= $(PREFIX)/lib/tmpfiles.d
completionsdir ?= $(PREFIX)/share/bash-completion/completions
ifeq ($(origin CC),default)
CC := gcc
endif
AR ?= ar
STRIP ?= strip
IASL ?= iasl
SPARSE ?= sparse

FLAGS.asan := -fsanitize=address,undefined -fno-sanitize-recover=all
# A full fence is unknown to TSan; the ring's indices are atomics all the same.
FLAGS.tsan := -fsanitize=thread -Wno-tsan
ifneq ($(SANITIZE),)
SUFFIX := -$(SANITIZE)
CFLAGS := -O1 -g $(FLAGS.$(SANITIZE))
endif
OUT := build/$(ARCH)$(SUFFIX)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

# In data-path order: guest kick, ring, request, disk; then the machine.
LIB_OBJS := kvm/event.o kvm/iothread.o kvm/polling.o kvm/poll_trial.o
LIB_OBJS += kvm/wakeup.o
LIB_OBJS += virtio/virtqueue.o virtio/split.o virtio/packed.o virtio/pace.o
LIB_OBJS += virtio/blk.o virtio/blk_other.o virtio/blk_error.o virtio/limit.o
LIB_OBJS += virtio/blk_control.o virtio/trace.o
LIB_OBJS += disk/disk.o disk/merge.o disk/aio.o disk/aio_context.o
LIB_OBJS += disk/native.o disk/uring.o disk/threads.o disk/null.o
LIB_OBJS += disk/image.o disk/image_lock.o disk/format.o disk/erase.o disk/flush.o
LIB_OBJS += virtio/device.o virtio/blk_device.o virtio/regs.o virtio/pci.o virtio/pci_regs.o
LIB_OBJS += virtio/mmio.o
LIB_OBJS += kvm/pci.o kvm/msix.o kvm/bus.o kvm/memory.o kvm/numa.o kvm/vcpu.o
LIB_OBJS += kvm/vm.o kvm/caps.o kvm/speed.o kvm/console.o kvm/boot_file.o
LIB_OBJS += kvm/exit_device.o kvm/thread.o
LIB_OBJS += cpulist.o topology.o topology_device.o topology_report.o topology_svg.o
LIB_OBJS += placement.o placement_text.o claims.o affinity.o steer.o numa_options.o
LIB_OBJS += cpio.o guest_archive.o run_end.o
LIB_OBJS += control.o control_socket.o control_client.o stat_view.o stat_prometheus.o
LIB_OBJS += drive.o stats.o json_text.o options.o spelling.o log.o output.o
LIB_OBJS += trace_read.o trace_table.o trace_svg.o

LIB_OBJS.x86 := x86/machine.o x86/vcpu.o x86/cpuid.o x86/loop.o
LIB_OBJS.x86 += x86/boot.o x86/bzimage.o x86/pvh.o
LIB_OBJS.x86 += x86/acpi.o x86/acpi_numa.o x86/serial.o x86/uart.o

# Logic alone, which unit tests on any machine link.
PAPR_OBJS := powerpc/hcall.o powerpc/rtas.o powerpc/epow.o powerpc/pci.o powerpc/hvcons.o
PAPR_OBJS += powerpc/fdt.o powerpc/boot.o powerpc/core.o
LIB_OBJS.powerpc := powerpc/machine.o powerpc/vcpu.o powerpc/xics.o
LIB_OBJS.powerpc += powerpc/host.o powerpc/loop.o $(PAPR_OBJS)
LIB_OBJS += $(LIB_OBJS.$(ARCH))

MAIN_OBJS := main.o builtin-run.o run_options.o run_command.o run_output.o
MAIN_OBJS += control_requests.o control_disk.o control_debug.o
MAIN_OBJS += builtin-list.o builtin-stop.o builtin-stat.o builtin-resize.o
MAIN_OBJS += builtin-throttle.o builtin-set-poll.o builtin-debug.o builtin-trace.o
MAIN_OBJS += builtin-create.o builtin-mkinitrd.o guest/embed.o
MAIN_OBJS += builtin-check-host.o builtin-topology.o builtin-version.o builtin-help.o

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wshadow
WARNINGS += -Wvla -Werror
BASE_FLAGS := -std=gnu11 -D_GNU_SOURCE -pthread -iquote include -iquote .
BASE_FLAGS += -iquote $(OUT) -DLKVM_VERSION='"$(VERSION)"' $(WARNINGS)
# sparse has no -iquote: what stands before -I- is for quotes only.
SPARSE_FLAGS := -std=gnu11 -D_GNU_SOURCE -Iinclude -I. -I$(OUT) -I-
SPARSE_FLAGS += -DLKVM_VERSION='"$(VERSION)"'
# __u64 shall be the same type everywhere (asm/types.h).
FLAGS.powerpc := -D__SANE_USERSPACE_TYPES__
LIBS := -laio -luring -ljansson
LIBS.powerpc := -lfdt
LIBS += $(LIBS.$(ARCH))
# Its tables are full of pointers: a bit for each, instead of 24 bytes.
LDFLAGS += -Wl,-z,pack-relative-relocs

ifneq ($(and $(filter powerpc,$(ARCH)),$(CROSS_COMPILE)),)
CROSS_ROOT := build/cache/ppc64el
FLAGS.powerpc += -isystem $(CROSS_ROOT)/usr/include
FLAGS.powerpc += -isystem $(CROSS_ROOT)/usr/include/powerpc64le-linux-gnu
FLAGS.powerpc += -L$(CROSS_ROOT)/usr/lib/powerpc64le-linux-gnu
# What sparse would take from the compiler if it were this machine's.
SPARSE_FLAGS.powerpc := --arch=powerpc64 -mlittle-endian -D__LITTLE_ENDIAN__
SPARSE_FLAGS.powerpc += -D_CALL_ELF=2 -nostdinc
SPARSE_FLAGS.powerpc += $(patsubst %,-isystem %,$(shell $(CROSS_COMPILE)gcc -print-file-name=include) /usr/$(CROSS_COMPILE:-=)/include)
endif
BASE_FLAGS += $(FLAGS.$(ARCH))
SPARSE_FLAGS += $(FLAGS.$(ARCH)) $(SPARSE_FLAGS.$(ARCH))

ifneq ($(MAKECMDGOALS),clean)
$(shell mkdir -p $(OUT))
endif

.PHONY: all demo test check sanitize soak coverage bench clean distclean
.PHONY: package install install-strip uninstall
all: $(OUT)/lkvm $(if $(CROSS_COMPILE),$(OUT)/lkvm-static)

$(OUT)/lkvm-static: LDFLAGS += -static
$(OUT)/lkvm $(OUT)/lkvm-static: $(MAIN_OBJS:%=$(OUT)/%) $(OUT)/liblkvm.a
	$(call say,LINK,$@)
	$(Q)$(CROSS_COMPILE)$(CC) $(CFLAGS) $(BASE_FLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(OUT)/liblkvm.a: $(LIB_OBJS:%=$(OUT)/%)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(CROSS_COMPILE)$(AR) rcs $@ $^

$(OUT)/%.o: %.c | $(CROSS_ROOT)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(if $(C),$(Q)$(SPARSE) -Wsparse-error $(SPARSE_FLAGS) $<)
	$(Q)$(CROSS_COMPILE)$(CC) $(CPPFLAGS) $(CFLAGS) $(BASE_FLAGS) -MMD -MP -c -o $@ $<

# The program that runs first in guests that run a command: with musl, which makes
# small static ones, and the flags that are its own on any architecture.
GUEST_SOURCES := $(addprefix guest/,init.c orders.c drivers.c root.c console.c report.c)
GUEST_FLAGS := -std=gnu11 -D_GNU_SOURCE -Os -iquote include -iquote . $(WARNINGS)
GUEST_FLAGS += -fno-stack-protector -fno-asynchronous-unwind-tables -fno-pie
GUEST_FLAGS += -ffunction-sections -nostdinc $(GUEST_FLAGS.$(ARCH))
GUEST_LDFLAGS := -static -no-pie -nostdlib
GUEST_LDFLAGS += -Wl,--gc-sections,-s,--build-id=none,-z,noseparate-code
GUEST_FLAGS.powerpc := -mlong-double-64		# musl's kind
MUSL_ROOT := $(CROSS_ROOT:%=%-musl)
MUSL := $(MUSL_ROOT)/usr
MUSL_NAME := $(if $(filter powerpc,$(ARCH)),powerpc64le,x86_64)-linux-musl
MUSL_LIB := $(MUSL)/lib/$(MUSL_NAME)

$(OUT)/guest/init: $(GUEST_SOURCES) guest/init.h include/guest_files.h include/kvm/exit_device.h | $(MUSL_ROOT)
	$(call say,GUEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)[ -e $(MUSL_LIB)/libc.a ] || { echo "no $(MUSL_LIB)/libc.a: install musl-dev" >&2; exit 1; }
	$(Q)$(CROSS_COMPILE)$(CC) $(GUEST_FLAGS) -isystem $(MUSL)/include/$(MUSL_NAME) \
		-isystem $$($(CROSS_COMPILE)$(CC) -print-file-name=include) $(GUEST_LDFLAGS) -o $@ \
		$(MUSL_LIB)/crt1.o $(MUSL_LIB)/crti.o $(GUEST_SOURCES) $(MUSL_LIB)/libc.a \
		$$($(CROSS_COMPILE)$(CC) -print-libgcc-file-name) $(MUSL_LIB)/crtn.o

$(OUT)/guest/embed.o: guest/embed.S $(OUT)/guest/init scripts/mkinitrd.sh
	$(call say,AS,$<)
	$(Q)$(CROSS_COMPILE)$(CC) -Wa,-I$(OUT)/guest -c -o $@ $<

ifdef CROSS_ROOT
# It knows whether all is there.
.PHONY: $(CROSS_ROOT)
$(CROSS_ROOT):
	$(Q)scripts/cross.sh >/dev/null

$(MUSL_ROOT):
	$(Q)scripts/cross.sh musl >/dev/null
endif

# The DSDT as a C array, from its source.
$(OUT)/dsdt.hex: x86/dsdt.asl
	$(call say,IASL,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(IASL) -we -tc -p $(OUT)/dsdt $< >$(OUT)/dsdt.log || { cat $(OUT)/dsdt.log; exit 1; }

$(OUT)/x86/acpi.o: $(OUT)/dsdt.hex

# Unit tests: tests/unit/test_NAME.c with the helpers that its line
# "helpers: a.c ../../powerpc/b.c" names, and the library.  SUFFIX keeps sanitizer builds apart.
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
helpers = $(patsubst %.c,$(OUT)/tests/unit/%.o,$(shell sed -n 's,.*helpers: \(.*\) \*/,\1,p' tests/unit/$(1).c))

define UNIT_TEST
$(OUT)/tests/$(1): $(OUT)/tests/unit/$(1).o $(call helpers,$(1)) $(OUT)/liblkvm.a
	$$(call say,LINK,$$@)
	$$(Q)$$(CROSS_COMPILE)$$(CC) $$(CFLAGS) $$(BASE_FLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LIBS) $$(CHECK_LIBS)
endef
ifneq ($(filter unit,$(MAKECMDGOALS)),)
CHECK_LIBS := $(shell pkg-config --libs check) $(LIBS.powerpc)
$(foreach t,$(UNIT_TESTS),$(eval $(call UNIT_TEST,$(t))))
endif
$(OUT)/tests/unit/%.o: BASE_FLAGS += -iquote tests/unit

# The fuzzer, see tests/fuzz/run.sh: --wrap lets it watch what the queues do.
FUZZ_OBJS := tests/fuzz/virtio_blk.o tests/fuzz/fuzz_thread.o
FUZZ_OBJS += tests/fuzz/fuzz_counts.o output.o
FUZZ_OBJS += tests/unit/fault_disk.o tests/unit/fake_event.o
FUZZ_OBJS += $(filter-out virtio/pci% virtio/mmio% virtio/regs% virtio/blk_control%,$(filter disk/% virtio/%,$(LIB_OBJS)))
FUZZ_WRAP := virtqueue_pop virtqueue_publish packed_push sem_wait disk_stage blk_other
$(OUT)/tests/fuzz/%.o: BASE_FLAGS += -iquote tests/unit

$(OUT)/fuzz/virtio_blk: $(FUZZ_OBJS:%=$(OUT)/%)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(BASE_FLAGS) $(LDFLAGS) -fsanitize=fuzzer $(FUZZ_WRAP:%=-Wl,--wrap=%) -o $@ $^ $(LIBS)

# sparse alone, over all sources.
.PHONY: sparse
sparse: $(if $(filter x86,$(ARCH)),$(OUT)/dsdt.hex) | $(CROSS_ROOT)
	$(Q)for file in $(patsubst %.o,%.c,$(sort $(LIB_OBJS) $(PAPR_OBJS) $(filter-out guest/embed.o,$(MAIN_OBJS)))); do \
		$(SPARSE) -Wsparse-error $(SPARSE_FLAGS) $$file || exit 1; done

.PHONY: unit
unit: $(UNIT_TESTS:%=$(OUT)/tests/%) $(OUT)/topology

# What /sys and /proc are on other machines, for topology_rig.c.
$(OUT)/topology: tests/topology/expand.sh $(wildcard tests/topology/*.tree)
	$(call say,EXPAND,$@)
	$(Q)rm -rf $@ $@.new
	$(Q)for tree in $(filter %.tree,$^); do $< $$(basename $$tree .tree) $@.new/$$(basename $$tree .tree) || exit 1; done
	$(Q)mv $@.new $@

$(OUT)/tests/unit/topology_rig.o: BASE_FLAGS += -DTOPOLOGIES='"$(OUT)/topology"'

# The ring benchmark.  --wrap lets it count the calls that lkvm's code makes.
RING_OBJS := bench/ring.o bench/ring_device.o bench/ring_lane.o
RING_OBJS += bench/ring_driver.o bench/ring_lines.o bench/ring_bare.o
RING_OBJS += bench/ring_count.o
RING_WRAP := malloc calloc realloc free aligned_alloc posix_memalign
RING_WRAP += pthread_mutex_lock pthread_cond_wait pthread_cond_signal
RING_WRAP += pthread_cond_broadcast sem_wait sem_post
RING_WRAP += io_submit io_getevents epoll_wait epoll_pwait2 poll read write

$(OUT)/bench/ring: $(RING_OBJS:%=$(OUT)/%) $(OUT)/liblkvm.a
	$(call say,LINK,$@)
	$(Q)$(CROSS_COMPILE)$(CC) $(CFLAGS) $(BASE_FLAGS) $(LDFLAGS) $(RING_WRAP:%=-Wl,--wrap=%) -o $@ $^ $(LIBS)

package:
	$(Q)scripts/setup.sh build package
	$(Q)tests/package.sh

install: $(OUT)/lkvm
	install -D -m 755 $(OUT)/lkvm $(DESTDIR)$(bindir)/lkvm
	install -D -m 644 -t $(DESTDIR)$(mandir)/man1 docs/*.1
	install -D -m 644 scripts/completion.bash $(DESTDIR)$(completionsdir)/lkvm
	install -D -m 644 scripts/tmpfiles.conf $(DESTDIR)$(tmpfilesdir)/lkvm.conf
	install -D -m 644 -t $(DESTDIR)$(docdir) README.md docs/*.md docs/*.svg
	sed -i 's|](docs/|](|g' $(DESTDIR)$(docdir)/README.md
	install -D -m 644 -t $(DESTDIR)$(docdir)/scripts scripts/*.bt
	install -D -m 644 -t $(DESTDIR)$(docdir)/figures docs/figures/*.md docs/figures/*.svg docs/figures/*.csv

install-strip: install
	$(CROSS_COMPILE)$(STRIP) $(DESTDIR)$(bindir)/lkvm

uninstall:
	rm -f $(DESTDIR)$(bindir)/lkvm $(DESTDIR)$(completionsdir)/lkvm $(DESTDIR)$(tmpfilesdir)/lkvm.conf
	rm -f $(patsubst docs/%,$(DESTDIR)$(mandir)/man1/%,$(wildcard docs/*.1))
	rm -rf $(DESTDIR)$(docdir)

demo:
	$(Q)scripts/setup.sh build demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)scripts/demo.sh

test:
	$(Q)scripts/setup.sh build test
	$(Q)tests/run.sh

check:
	$(Q)tests/check.sh style user plain

sanitize:
	$(Q)scripts/setup.sh build test
	$(Q)tests/sanitize.sh

soak:
	$(Q)tests/soak.sh

coverage:
	$(Q)scripts/setup.sh build test
	$(Q)tests/coverage.sh

bench:
	$(Q)scripts/setup.sh build bench
	$(Q)$(MAKE) --no-print-directory $(OUT)/bench/ring
	$(Q)RING=$(OUT)/bench/ring bench/ring.sh

clean:
	$(Q)find build -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} + 2>/dev/null || true

distclean:
	$(Q)rm -rf build

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
