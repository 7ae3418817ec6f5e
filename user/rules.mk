# user/rules.mk - builds the user programs. Included by the Makefile.
#
# In:  BUILD, CC, LD, AR, OBJCOPY, WERROR.
# Out: $(BUILD)/init.bin (flat: user/servers/init.ld) and
#      $(BUILD)/initrd.tar: VERSION, user/etc as etc, servers/NAME for each
#      user/servers/NAME.c but init, and bin/NAME for each user/bin/NAME.c,
#      user/bench/NAME.c, user/tests/NAME.c and labs/LAB/NAME.c. One file
#      is one program; what of it is too long for that is in a folder NAME
#      beside it.
# Programs are static, at 0x400000, with user/lib and what of musl's libc.a
# makes no system call. user/lib comes first, so that its printf, malloc and
# exit are used.

MUSL ?= /usr/lib/x86_64-linux-musl
MUSL_HEADERS ?= /usr/include/x86_64-linux-musl

USER_CFLAGS = -std=gnu11 -O2 -g -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-omit-frame-pointer \
	-fcf-protection=none -ftls-model=local-exec -ffunction-sections \
	-fdata-sections -Wall -Wextra $(WERROR) \
	-nostdinc -isystem $(MUSL_HEADERS) \
	-isystem $(USER_GCC_HEADERS) -I.
USER_LDFLAGS = -static -nostdlib -z max-page-size=0x1000 -z noexecstack \
	-z separate-code --gc-sections --build-id=none
USER_GCC_HEADERS := $(shell $(CC) -print-file-name=include)
USER_LIBS = $(BUILD)/user/libweir.a $(MUSL)/libc.a \
	$(shell $(CC) -print-libgcc-file-name)

USER_LIB_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard user/lib/*.c))
# The programs of labs are in the initrd of who works on labs: in a student's
# tree, which has .lab, and with LABS=1.
LAB_SOURCES := $(if $(LABS)$(wildcard .lab),$(wildcard labs/*/*.c))
USER_SOURCES := $(wildcard user/bin/*.c user/bench/*.c user/tests/*.c) \
	$(LAB_SOURCES)
USER_SERVERS := $(filter-out user/servers/init.c,\
	$(wildcard user/servers/*.c))
USER_PROGRAMS := $(addprefix $(BUILD)/initrd/bin/,\
	$(basename $(notdir $(USER_SOURCES)))) \
	$(addprefix $(BUILD)/initrd/servers/,\
	$(basename $(notdir $(USER_SERVERS))))
USER_OBJ := $(patsubst %.c,$(BUILD)/%.o,\
	$(wildcard user/*/*.c user/*/*/*.c) $(LAB_SOURCES))
USER_ETC := $(patsubst user/%,$(BUILD)/initrd/%,$(wildcard user/etc/*))
INITRD_FILES := $(USER_PROGRAMS) $(USER_ETC) $(BUILD)/initrd/VERSION

# The objects of the program user/ROOM/NAME.c.
parts_of = $(patsubst %.c,$(BUILD)/%.o,$(1) $(wildcard $(basename $(1))/*.c))

# Else the compiler makes calloc's malloc and memset a calloc.
$(BUILD)/user/lib/memory.o: USER_CFLAGS += -fno-builtin-malloc

$(USER_OBJ): $(BUILD)/%.o: %.c $(BUILD)/user/flags
	@mkdir -p $(@D)
	$(CC) $(USER_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/user/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(USER_CFLAGS) $(USER_LDFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(USER_CFLAGS) $(USER_LDFLAGS)' > $@

# What labrun's records are signed with. Who grades another's work makes one
# of his own when the kernel is built (tools/weirlib/grade_build.py).
LAB_KEY := $(BUILD)/key/labkey.h
$(BUILD)/user/tests/labrun.o: $(LAB_KEY)
$(BUILD)/user/tests/labrun.o: USER_CFLAGS += -I$(BUILD)/key

$(LAB_KEY):
	@mkdir -p $(@D)
	@od -An -N16 -tx8 -v /dev/urandom | sed \
		's/ *\(.*\) \(.*\)/#define LAB_KEY { 0x\1ull, 0x\2ull }/' >$@

$(BUILD)/user/libweir.a: $(USER_LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

# $(1): the source, $(2): the folder in the initrd.
define user_program
$(BUILD)/initrd/$(2)/$(basename $(notdir $(1))): $(call parts_of,$(1)) \
		$(BUILD)/user/libweir.a
	@mkdir -p $$(@D)
	$$(LD) $$(USER_LDFLAGS) -e _start -o $$@.full \
		$(call parts_of,$(1)) $$(USER_LIBS)
	@$$(OBJCOPY) --strip-all $$@.full $$@ && \
		mkdir -p $(BUILD)/symbols/$(2) && \
		mv $$@.full $(BUILD)/symbols/$(2)/$$(@F)
endef
$(foreach source,$(USER_SOURCES),$(eval $(call user_program,$(source),bin)))
$(foreach source,$(USER_SERVERS),\
	$(eval $(call user_program,$(source),servers)))

$(BUILD)/initrd/etc/%: user/etc/%
	@mkdir -p $(@D)
	@cp $< $@

INIT_OBJ := $(call parts_of,user/servers/init.c)
$(BUILD)/user/init.elf: $(INIT_OBJ) \
		$(BUILD)/user/libweir.a user/servers/init.ld
	$(LD) -static -nostdlib -z max-page-size=0x1000 -z noexecstack \
		--no-warn-rwx-segments --build-id=none \
		-T user/servers/init.ld -o $@ $(INIT_OBJ) $(USER_LIBS)

$(BUILD)/init.bin: $(BUILD)/user/init.elf
	$(OBJCOPY) -O binary $< $@

$(BUILD)/initrd/VERSION: FORCE
	@mkdir -p $(@D)
	@version="Weir $$(git describe --always --dirty 2>/dev/null || \
		echo unknown)"; echo "$$version" | cmp -s - $@ || \
		echo "$$version" > $@

# Names of programs that are gone must not stay in the archive.
$(BUILD)/initrd.tar: $(INITRD_FILES)
	tar --format=ustar --owner=0 --group=0 --numeric-owner --mtime=@0 \
		-cf $@ -C $(BUILD)/initrd \
		$(patsubst $(BUILD)/initrd/%,%,$(sort $(INITRD_FILES)))

-include $(USER_OBJ:.o=.d)
