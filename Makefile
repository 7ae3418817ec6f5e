# Makefile - builds the kernel, the user programs and one ISO for all
# configurations. `make help` lists the targets; PLANTED=1 builds the kernel
# with the planted bugs (mm/planted.h) in build/planted, UP=1 the one for a
# single CPU in build/up.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := iso

# Where things go: the user programs are the same for every kernel.
BUILD := build
OUT := $(BUILD)$(if $(UP),/up)$(if $(PLANTED),/planted)

# The cross prefix: CROSS= on the command line, else what is installed.
ifeq ($(origin CROSS),undefined)
CROSS := $(firstword $(foreach p,x86_64-elf- x86_64-linux-gnu-,\
	$(if $(shell command -v $(p)gcc 2>/dev/null),$(p))))
endif
CC := $(CROSS)gcc
LD := $(CROSS)ld
NM := $(CROSS)nm
AR := $(CROSS)ar
OBJCOPY := $(CROSS)objcopy
NASM := nasm
PYTHON := /usr/bin/python3

# A compiler's new warning must not break a student's build.
WERROR := $(if $(filter true,$(CI)),-Werror)

# Compilers are told apart by what they understand: the flags, or nothing.
understood = $(shell $(CC) -Werror $(1) -x c -c -o /dev/null /dev/null \
	2>/dev/null && echo "$(strip $(1))")

# libbsd's sys/queue.h and sys/tree.h, after the compiler's own headers.
BSD_HEADERS := -idirafter /usr/include \
	-idirafter /usr/include/$(shell gcc -print-multiarch 2>/dev/null)

KERNEL_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -mcmodel=kernel \
	-mno-red-zone -mgeneral-regs-only -fno-pic -fno-pie \
	-fno-stack-protector -fno-omit-frame-pointer \
	-fno-asynchronous-unwind-tables -fcf-protection=none -Wall -Wextra \
	-Wno-unused-parameter -Wno-unknown-attributes $(WERROR) -I. \
	$(BSD_HEADERS) $(if $(PLANTED),-DPLANT) $(if $(UP),-DMAX_CPUS=1)
KERNEL_LDFLAGS := -nostdlib -static -z max-page-size=0x1000 \
	--no-warn-rwx-segments -z noexecstack --build-id=none -T linker.ld

KERNEL_DIRS := boot arch/x86_64 mm kernel
KERNEL_C := $(wildcard $(KERNEL_DIRS:%=%/*.c))
KERNEL_ASM := $(wildcard $(KERNEL_DIRS:%=%/*.asm))
KERNEL_OBJ := $(KERNEL_C:%.c=$(OUT)/%.o) $(KERNEL_ASM:%.asm=$(OUT)/%.asm.o)

include user/rules.mk

.PHONY: run test test-labs iso bench storm soak machines fuzz mutants model \
	lab grade gdb clean help doctor setup

run: SETUP := --no-tests
run: setup ## build, boot on 4 CPUs, demo, then a shell
	@$(MAKE) --no-print-directory iso
	@tools/weir run

test: setup ## build, then every test; the last line is the count
	@$(MAKE) --no-print-directory iso
	@$(MAKE) --no-print-directory iso UP=1
	@$(PYTHON) -m pytest -q -n $(or $(JOBS),2) -m "not labs" \
		tests/host tests/scenarios

test-labs: setup ## each lab's solutions and the grader at large: 40 minutes
	@$(MAKE) --no-print-directory iso
	@$(PYTHON) -m pytest -q -n $(or $(JOBS),1) -m labs \
		tests/host tests/scenarios

iso: $(OUT)/weir.iso ## build build/weir.iso

# Each policy in turn; the first that fails ends it.
POLICIES := immediate batch-clean batch-dirty two-pass
SEED := $(or $(SEED),$(shell date +%s))

storm: SETUP := --no-tests
storm: setup ## MINUTES=10 of paging under each policy, and a table
	@$(MAKE) --no-print-directory iso
	@echo "storm: MINUTES=$(or $(MINUTES),10) SEED=$(SEED)"
	@for policy in $(POLICIES); do \
		tools/weir vm --cpus 4 --swap-disk 64 --swap 24 \
		--tlb $$policy -- storm \
		minutes=$(or $(MINUTES),10) seed=$(SEED) $$row || exit; row=row; done

fuzz: setup ## MINUTES=10 of libFuzzer on each parser, and the pager protocol
	@tools/weir fuzz --minutes $(or $(MINUTES),10) --seed $(SEED)

mutants: setup ## each planted bug and the tests that catch it
	@$(MAKE) --no-print-directory iso
	@$(MAKE) --no-print-directory iso PLANTED=1
	@tools/weir mutants

soak: SETUP := --no-tests
soak: setup ## MINUTES=30 of random workloads, faults, delays; build/soak.json
	@$(MAKE) --no-print-directory iso
	@tools/weir soak --minutes $(or $(MINUTES),30) --seed $(SEED)

machines: setup ## the scenarios on other CPUs, firmware, emulators: hours
	@$(MAKE) --no-print-directory iso
	@$(MAKE) --no-print-directory iso UP=1
	@tools/weir machines

bench: setup ## Weir and Linux side by side, an hour; QUICK=1: 5 minutes
	@$(MAKE) --no-print-directory iso
	@tools/weir bench $(if $(QUICK),--quick)

model: setup ## each policy proved on a model, each bug's shortest way
	@tools/weir model

lab: ## LAB=NAME [OUT=DIR]: the tree that a student of that lab gets
	@tools/weir lab $(LAB) \
		$(if $(filter command,$(firstword $(origin OUT))),--out $(OUT))

grade: SETUP := --no-tests
grade: setup ## LAB=NAME: the lab's tests; the last line is the score
	@tools/weir grade $(LAB)

gdb: iso ## boot stopped, with gdb attached; LAB=NAME: at what you wrote
	@tools/weir gdb $(if $(LAB),--lab $(LAB))

doctor: ## what is needed, what is installed, how to install it
	@tools/weir doctor

setup:
	@tools/bootstrap
	@tools/weir setup $(SETUP)

clean: ## remove everything that was built
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t16
	@echo "make PLANTED=1	the ISO with all planted bugs, for plant=NAME (mm/planted.h)"
	@echo "make UP=1	the ISO for one CPU, where nothing is deferred (mm/tlb.c)"

# --- the kernel: linked twice, so that panics can name functions -----------
# The first link lacks the table of symbols, the second has that of the first
# (arch/x86_64/ksyms.sh).
LINK = $(LD) $(KERNEL_LDFLAGS) -o $@

$(OUT)/stage1.elf: $(KERNEL_OBJ) linker.ld
	$(LINK) $(KERNEL_OBJ)

$(OUT)/ksyms.asm: $(OUT)/stage1.elf arch/x86_64/ksyms.sh
	$(NM) -n $< | arch/x86_64/ksyms.sh >$@

$(OUT)/ksyms.o: $(OUT)/ksyms.asm
	$(NASM) -f elf64 -o $@ $<

$(OUT)/weir.elf: $(OUT)/stage1.elf $(OUT)/ksyms.o
	$(LINK) $(KERNEL_OBJ) $(OUT)/ksyms.o

# Its functions return to trap.asm alone, which keeps nothing in registers.
$(OUT)/kernel/fastpath.o: KERNEL_CFLAGS += -fomit-frame-pointer \
	$(call understood,$(foreach r,rbx r12 r13 r14 r15,-fcall-used-$(r)))

# Else the compiler turns its loops into calls of themselves.
$(OUT)/arch/x86_64/string.o: KERNEL_CFLAGS += \
	$(call understood,-fno-tree-loop-distribute-patterns)

$(OUT)/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	$(CC) $(KERNEL_CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/%.asm.o: %.asm $(OUT)/flags
	@mkdir -p $(@D)
	$(NASM) -f elf64 -g -F dwarf -I. -I$(<D)/ -MD $(@:.o=.d) -MP -o $@ $<

# Changed flags rebuild; unchanged ones do not touch the file.
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(KERNEL_CFLAGS) $(KERNEL_LDFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(KERNEL_CFLAGS) $(KERNEL_LDFLAGS)' > $@
FORCE:

# --- the ISO ---------------------------------------------------------------
$(OUT)/weir.iso: $(OUT)/weir.elf $(BUILD)/init.bin $(BUILD)/initrd.tar \
		boot/grub.cfg
	@rm -rf $(OUT)/iso && mkdir -p $(OUT)/iso/boot/grub
	@cp $(OUT)/weir.elf $(BUILD)/init.bin $(BUILD)/initrd.tar $(OUT)/iso/boot/
	@cp boot/grub.cfg $(OUT)/iso/boot/grub/
	grub-mkrescue -o $@ $(OUT)/iso >$(OUT)/grub.log 2>&1 || \
		{ cat $(OUT)/grub.log; exit 1; }

-include $(KERNEL_OBJ:.o=.d)
