; boot.asm - multiboot2 header and the way from GRUB to 64-bit C.
;
; GRUB enters in 32-bit protected mode without paging, from BIOS and from
; UEFI alike: EAX the magic, EBX the boot information. This maps the first
; 4 GiB three times (identity, direct map, and 1 GiB of it at KERNEL_BASE)
; with large pages, enters long mode, and calls
; arch_start(magic, info) on the boot stack, whose lowest page the final
; page tables leave out as a guard. Other CPUs borrow these tables while
; they start (trampoline.asm).

KERNEL_BASE	equ 0xffffffff80000000
MAGIC		equ 0x36d76289
P		equ 1
W		equ 2
PS		equ 0x80
CR0_PE		equ 1 << 0
CR0_WP		equ 1 << 16
CR0_PG		equ 1 << 31
CR4_PAE		equ 1 << 5
MSR_EFER	equ 0xc0000080
EFER_LME	equ 1 << 8
EFER_NXE	equ 1 << 11
STACK_PAGES	equ 5			; the lowest is the guard

extern arch_start
global boot_entry, boot_pml4, boot_stack_guard, boot_stack_top

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
	mov esp, boot_stack_low
	mov ebp, eax			; magic; EBX: information
	call check_long_mode
	call build_tables
	mov eax, cr4
	or eax, CR4_PAE
	mov cr4, eax
	mov eax, boot_pml4
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME | EFER_NXE
	wrmsr
	mov eax, cr0
	or eax, CR0_PG | CR0_WP | CR0_PE
	mov cr0, eax
	lgdt [boot_gdt_pointer]
	jmp 0x08:long_mode

; Stops with a message unless the CPU has long mode and no-execute.
check_long_mode:
	push ebx
	mov eax, 0x80000000
	cpuid
	cmp eax, 0x80000001
	jb .no
	mov eax, 0x80000001
	cpuid
	pop ebx
	and edx, (1 << 29) | (1 << 20)
	cmp edx, (1 << 29) | (1 << 20)
	jne .no
	ret
.no:	mov esi, no_long_mode
.next:	lodsb
	test al, al
	jz .halt
	mov ecx, eax
.busy:	mov dx, 0x3fd
	in al, dx
	test al, 0x20
	jz .busy
	mov eax, ecx
	mov dx, 0x3f8
	out dx, al
	jmp .next
.halt:	mov dx, 0xf4			; QEMU's exit device: a panic
	mov al, 0x7f
	out dx, al
	hlt
	jmp .halt

build_tables:
	mov dword [boot_pml4], boot_pdpt + (P | W)
	mov dword [boot_pml4 + 256 * 8], boot_pdpt + (P | W)
	mov dword [boot_pml4 + 511 * 8], boot_pdpt_top + (P | W)
	mov dword [boot_pdpt_top + 510 * 8], boot_pd + (P | W)
	mov edi, boot_pdpt
	mov eax, boot_pd + (P | W)
	mov ecx, 4
.pdpt:	mov [edi], eax
	add edi, 8
	add eax, 4096
	loop .pdpt
	mov edi, boot_pd
	mov eax, P | W | PS
	mov ecx, 4 * 512
.pd:	mov [edi], eax
	add edi, 8
	add eax, 1 << 21
	loop .pd
	ret

bits 64
long_mode:
	mov eax, 0x10
	mov ds, eax
	mov es, eax
	mov ss, eax
	xor eax, eax
	mov fs, eax
	mov gs, eax
	mov edi, ebp
	mov esi, ebx
	mov rsp, boot_stack_top
	xor ebp, ebp
	mov rax, arch_start
	call rax
.halt:	hlt
	jmp .halt

section .boot.data
	align 8
boot_gdt:
	dq 0
	dq 0x00af9b000000ffff		; 64-bit code
	dq 0x00cf93000000ffff		; data
boot_gdt_pointer:
	dw $ - boot_gdt - 1
	dd boot_gdt
no_long_mode:
	db "weir: this CPU has no 64-bit mode with no-execute", 13, 10, 0

section .boot.bss nobits alloc write noexec align=4096
boot_pml4:	resb 4096
boot_pdpt:	resb 4096
boot_pdpt_top:	resb 4096
boot_pd:	resb 4 * 4096
		resb 256
boot_stack_low:

section .bss.stacks nobits alloc write noexec align=4096
boot_stack_guard:
		resb STACK_PAGES * 4096
boot_stack_top:

section .note.GNU-stack noalloc noexec nowrite progbits
