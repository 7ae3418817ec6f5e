#!/bin/sh
# ksyms.sh - the kernel's symbol table for backtraces, as NASM source.
#
# The kernel is linked twice: first without a table, then with that of the
# first link's functions. It lies behind all code (linker.ld), so no function
# moves:
#	ld -T linker.ld -o stage1.elf OBJECTS
#	nm -n stage1.elf | arch/x86_64/ksyms.sh >ksyms.asm
#	nasm -f elf64 -o ksyms.o ksyms.asm
#	ld -T linker.ld -o weir.elf OBJECTS ksyms.o
# Only functions of the higher half count. Input: `nm -n`, sorted by address.
set -eu
awk '
BEGIN {
	print "; Made by ksyms.sh: struct ksym (panic.c) of every function."
	print "section .ksyms alloc noexec nowrite align=8"
}
$3 ~ /^kernel_(text|rodata)/ { next }
$2 ~ /^[tT]$/ && $1 ~ /^ffffffff/ && $1 != last {
	last = $1
	sub(/\..*/, "", $3) # what the compiler split off a function
	print "\tdq 0x" $1 ", names + " at + 0
	at += length($3) + 1
	name[n++] = $3
}
END {
	print "section .rodata"
	print "names:"
	for (i = 0; i < n; i++)
		print "\tdb \"" name[i] "\", 0"
}'
