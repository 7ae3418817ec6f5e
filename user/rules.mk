# user/rules.mk - builds the user programs. Included by the Makefile.
#
# In:  BUILD, CC, LD, AR, OBJCOPY, WERROR.
# Out: $(BUILD)/init.bin (flat: user/servers/init.ld) and
#      $(BUILD)/initrd.tar: VERSION, servers/console, and bin/NAME for each
#      user/bin/NAME.c, user/bench/NAME.c and user/tests/NAME.c (one file is
#      one program).
# Programs are static, at 0x400000, with user/lib and what of musl's libc.a
# makes no system call. user/lib comes first, so that its printf, malloc and
# exit are used.

MUSL ?= /usr/lib/x86_64-linux-musl
MUSL_HEADERS ?= /usr/include/x86_64-linux-musl

USER_CFLAGS = -std=gnu11 -O2 -g -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-omit-frame-pointer \
	-fcf-protection=none -ftls-model=local-exec -Wall -Wextra $(WERROR) \
	-nostdinc -isystem $(MUSL_HEADERS) \
	-isystem $(USER_GCC_HEADERS) -I.
USER_LDFLAGS = -static -nostdlib -z max-page-size=0x1000 -z noexecstack \
	-z separate-code --gc-sections --build-id=none
USER_GCC_HEADERS := $(shell $(CC) -print-file-name=include)
USER_LIBS = $(BUILD)/user/libweir.a $(MUSL)/libc.a \
	$(shell $(CC) -print-libgcc-file-name)

USER_LIB_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard user/lib/*.c))
USER_SOURCES := $(wildcard user/bin/*.c user/bench/*.c user/tests/*.c)
USER_PROGRAMS := $(addprefix $(BUILD)/initrd/bin/,\
	$(basename $(notdir $(USER_SOURCES))))
USER_OBJ := $(USER_LIB_OBJ) $(patsubst %.c,$(BUILD)/%.o,$(USER_SOURCES) \
	user/servers/init.c user/servers/console.c)
INITRD_FILES := $(USER_PROGRAMS) $(BUILD)/initrd/servers/console \
	$(BUILD)/initrd/VERSION

# Else the compiler makes calloc's malloc and memset a calloc.
$(BUILD)/user/lib/memory.o: USER_CFLAGS += -fno-builtin-malloc

$(BUILD)/user/%.o: user/%.c $(BUILD)/user/flags
	@mkdir -p $(@D)
	$(CC) $(USER_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/user/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(USER_CFLAGS) $(USER_LDFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(USER_CFLAGS) $(USER_LDFLAGS)' > $@

$(BUILD)/user/libweir.a: $(USER_LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

# A program is linked from the one object of its name; the folder does not
# matter, so each gets a rule of its own.
define user_program
$(BUILD)/initrd/bin/$(basename $(notdir $(1))): $(BUILD)/$(1:.c=.o) \
		$(BUILD)/user/libweir.a
	@mkdir -p $$(@D)
	$$(LD) $$(USER_LDFLAGS) -e _start -o $$@.full $$< $$(USER_LIBS)
	@$$(OBJCOPY) --strip-debug $$@.full $$@ && mkdir -p $(BUILD)/symbols \
		&& mv $$@.full $(BUILD)/symbols/$$(@F)
endef
$(foreach source,$(USER_SOURCES),$(eval $(call user_program,$(source))))

$(BUILD)/initrd/servers/console: $(BUILD)/user/servers/console.o \
		$(BUILD)/user/libweir.a
	@mkdir -p $(@D)
	$(LD) $(USER_LDFLAGS) -e _start -o $@ $< $(USER_LIBS)
	@$(OBJCOPY) --strip-debug $@

$(BUILD)/user/init.elf: $(BUILD)/user/servers/init.o \
		$(BUILD)/user/libweir.a user/servers/init.ld
	$(LD) -static -nostdlib -z max-page-size=0x1000 -z noexecstack \
		--no-warn-rwx-segments --build-id=none \
		-T user/servers/init.ld -o $@ $< $(USER_LIBS)

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
