; boot.asm - multiboot2 header, and the way of every CPU to 64-bit C.
;
; GRUB enters the first CPU at boot_entry in 32-bit protected mode without
; paging, from BIOS and from UEFI alike: EAX the magic, EBX the boot
; information. The others begin in real mode, in the copy of ap_trampoline
; that smp.c makes below 1 MiB. All meet in enter_long_mode, on page tables
; that map the first 4 GiB three times with large pages, and go on with what
; boot_next says: the first CPU with arch_start(magic, info) on the boot stack,
; whose lowest page the final page tables leave out as a guard.

P_W		equ 3			; of page-table entries
P_W_PS		equ 0x83
CR0_PE		equ 1
CR0_ALL		equ 0x80010033		; PG WP NE ET MP PE
CR4_PAE		equ 1 << 5
MSR_EFER	equ 0xc0000080
EFER_LME_NXE	equ 1 << 8 | 1 << 11
LONG_MODE_NX	equ 1 << 29 | 1 << 20	; CPUID 0x80000001, EDX
STACK_PAGES	equ 5			; the lowest is the guard
; Selectors: the first two stay valid in cpu.c's GDT.
CODE64		equ 0x08
DATA		equ 0x10
CODE32		equ 0x18

extern arch_start
global boot_entry, boot_pml4, boot_next, boot_stack_guard
global ap_trampoline, ap_trampoline_end

section .boot.header align=8
header:
	dd 0xe85250d6, 0, header_end - header
	dd -(0xe85250d6 + 0 + (header_end - header)) & 0xffffffff
	align 8
	dw 6, 0				; modules on page boundaries
	dd 8
	align 8
	dw 0, 0				; the end
	dd 8
header_end:

section .boot.text exec
bits 32
boot_entry:
	cli
	cld
	mov ebp, eax			; magic
	mov esi, ebx			; information
	mov eax, 0x80000000
	cpuid
	cmp eax, 0x80000001
	jb no_long_mode
	mov eax, 0x80000001
	cpuid
	and edx, LONG_MODE_NX
	cmp edx, LONG_MODE_NX
	jne no_long_mode

	lgdt [gdt_pointer]

; Without a stack and without data, which in other CPUs is not at 0 yet.
enter_long_mode:
	mov eax, cr4
	or eax, CR4_PAE
	mov cr4, eax
	mov eax, boot_pml4
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME_NXE
	wrmsr
	mov eax, CR0_ALL
	mov cr0, eax
	jmp CODE64:long_mode

; Stops with a message.
no_long_mode:
	mov esi, no_long_mode_text
.next:	mov dx, 0x3fd			; COM1: room for a byte?
	in al, dx
	test al, 0x20
	jz .next
	mov dx, 0x3f8
	outsb
	cmp byte [esi], 0
	jne .next
.halt:	mov dx, 0xf4			; QEMU's exit device: a panic
	mov al, 0x7f
	out dx, al
	hlt
	jmp .halt

bits 64
long_mode:
	mov eax, DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	xor eax, eax
	mov fs, eax
	mov gs, eax
	mov rax, long_mode_high
	jmp rax

; Copied to a page whose number is sent in the start-up message: the CPU
; begins here with CS = page << 8.
bits 16
ap_trampoline:
	mov ax, cs
	mov ds, ax
	o32 lgdt [gdt_pointer - ap_trampoline]
	mov eax, CR0_PE
	mov cr0, eax
	jmp dword CODE32:enter_long_mode
gdt_pointer:
	dw gdt_end - gdt - 1
	dd gdt
ap_trampoline_end:

section .boot.data
	align 8
gdt:	dq 0
	dq 0x00af9b000000ffff		; 64-bit code
	dq 0x00cf93000000ffff		; data
	dq 0x00cf9b000000ffff		; 32-bit code
gdt_end:
no_long_mode_text:
	db "weir: this CPU has no 64-bit mode with no-execute", 13, 10, 0

; The first 4 GiB, at 0, at KVA_BASE (entry 256) and, 1 GiB of it, at
; KERNEL_BASE.
	align 4096
boot_pml4:
	dq boot_pdpt + P_W
	times 255 dq 0
	dq boot_pdpt + P_W
	times 254 dq 0
	dq boot_pdpt_top + P_W
boot_pdpt:
	dq boot_pd + P_W, boot_pd + 0x1000 + P_W
	dq boot_pd + 0x2000 + P_W, boot_pd + 0x3000 + P_W
	times 508 dq 0
boot_pdpt_top:
	times 510 dq 0
	dq boot_pd + P_W, 0
boot_pd:
%assign i 0
%rep 4 * 512
	dq i << 21 | P_W_PS
%assign i i + 1
%endrep

; In the kernel's own text, which all tables map.
section .text
bits 64
long_mode_high:
	mov rax, [boot_next]
	mov cr3, rax
	mov rsp, [boot_next + 8]
	mov edi, ebp
	xor ebp, ebp
	call [boot_next + 16]
	ud2

section .data
	align 8
boot_next:				; struct boot_next in smp.c
	dq boot_pml4, boot_stack_top, arch_start

section .bss.stacks nobits alloc write noexec align=4096
boot_stack_guard:
		resb STACK_PAGES * 4096
boot_stack_top:
