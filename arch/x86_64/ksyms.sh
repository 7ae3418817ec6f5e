#!/bin/sh
# ksyms.sh - the kernel's symbol table for backtraces, as NASM source.
#
# The kernel is linked twice. The first link has the weak, empty table of
# ksyms_none.c; the second adds the table of the first one's functions. The
# table lies behind all code (linker.ld), so no function moves:
#	ld -T linker.ld -o stage1.elf OBJECTS
#	nm -n stage1.elf | arch/x86_64/ksyms.sh >ksyms.asm
#	nasm -f elf64 -o ksyms.o ksyms.asm
#	ld -T linker.ld -o weir.elf OBJECTS ksyms.o
# Only functions of the higher half count. Input: `nm -n`, sorted by address.
set -eu
awk '
BEGIN {
	print "; Made by ksyms.sh: name and address of every function."
	print "global ksyms_count, ksyms_address, ksyms_name, ksyms_text"
	print "section .note.GNU-stack noalloc noexec nowrite progbits"
	print "section .ksyms alloc noexec nowrite align=8"
}
$3 ~ /^kernel_(text|rodata)/ { next }
$2 ~ /^[tT]$/ && $1 ~ /^ffffffff/ && $1 != last {
	last = $1
	sub(/\..*/, "", $3) # what the compiler split off a function
	address[n + 0] = $1
	name[n++] = $3
}
END {
	print "ksyms_count: dd " n + 0
	print "\tdd 0"
	print "ksyms_address:"
	for (i = 0; i < n; i++)
		print "\tdq 0x" address[i]
	print "ksyms_name:"
	for (i = 0; i < n; i++) {
		print "\tdd " at + 0
		at += length(name[i]) + 1
	}
	print "ksyms_text:"
	for (i = 0; i < n; i++)
		print "\tdb \"" name[i] "\", 0"
}'
