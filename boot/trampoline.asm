; trampoline.asm - where the other CPUs begin.
;
; smp.c copies [ap_trampoline, ap_trampoline_end) to a free page below
; 1 MiB, fills in the parameters at its start, and sends that page's number
; in the start-up message. The CPU begins in real mode at offset 0 with
; CS = page << 8, goes through protected mode into long mode on the boot
; tables, then to the kernel's own tables and stack, and calls
; entry(argument).

CR0_PE		equ 1 << 0
CR0_WP		equ 1 << 16
CR0_PG		equ 1 << 31
CR4_PAE		equ 1 << 5
MSR_EFER	equ 0xc0000080
EFER_LME	equ 1 << 8
EFER_NXE	equ 1 << 11

global ap_trampoline, ap_trampoline_end

%define AT(label) (label - ap_trampoline)

section .rodata
bits 16
ap_trampoline:
	jmp short start16
	align 8
; struct trampoline in smp.c
boot_cr3:	dd 0			; tables with the identity mapping
page_base:	dd 0			; where this copy lies
kernel_cr3:	dq 0			; the kernel's tables
stack:		dq 0
entry:		dq 0
argument:	dq 0

start16:
	cli
	cld
	mov ax, cs
	mov ds, ax
	mov ebx, [AT(page_base)]
	; The far pointers and the GDT's base depend on where we are.
	lea eax, [ebx + AT(start32)]
	mov [AT(far32)], eax
	lea eax, [ebx + AT(start64)]
	mov [AT(far64)], eax
	lea eax, [ebx + AT(gdt)]
	mov [AT(gdt_pointer) + 2], eax
	o32 lgdt [AT(gdt_pointer)]
	mov eax, cr0
	or eax, CR0_PE
	mov cr0, eax
	jmp far dword [AT(far32)]

bits 32
start32:
	mov ax, 0x10
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov eax, cr4
	or eax, CR4_PAE
	mov cr4, eax
	mov eax, [ebx + AT(boot_cr3)]
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME | EFER_NXE
	wrmsr
	mov eax, cr0
	and eax, ~((1 << 29) | (1 << 30))	; caches on
	or eax, CR0_PG | CR0_WP
	mov cr0, eax
	jmp far dword [ebx + AT(far64)]

bits 64
start64:
	xor eax, eax
	mov fs, eax
	mov gs, eax
	mov rdi, [rbx + AT(argument)]
	mov rsi, [rbx + AT(entry)]
	mov rdx, [rbx + AT(kernel_cr3)]
	mov rcx, [rbx + AT(stack)]
	mov rax, ap_high
	jmp rax

	align 8
gdt:	dq 0
	dq 0x00cf9b000000ffff		; 32-bit code
	dq 0x00cf93000000ffff		; data
	dq 0x00af9b000000ffff		; 64-bit code
gdt_pointer:
	dw $ - gdt - 1
	dd 0
far32:	dd 0
	dw 0x08
far64:	dd 0
	dw 0x18
ap_trampoline_end:

; Not copied: in the kernel's own text, mapped by both tables.
section .text
ap_high:
	mov cr3, rdx
	mov rsp, rcx
	xor ebp, ebp
	call rsi
.halt:	hlt
	jmp .halt

section .note.GNU-stack noalloc noexec nowrite progbits
