; trap.asm - entries from traps, interrupts and SYSCALL, and the ways back.
;
; Rule of GS: user mode runs with the user's, the kernel with its CPU's. An
; entry swaps when it came from user mode. NMI, double fault and machine
; check can strike between that entry and its SWAPGS (or between the last
; SWAPGS and IRET or SYSRET), so they look at the base itself: user mode
; cannot set it to a kernel address (no FSGSBASE). They have stacks of their
; own, so a user RSP in the kernel does no harm either.

USER_SS		equ 0x1b
USER_CS		equ 0x23
VEC_SYSCALL	equ 0x100
MSR_GS_BASE	equ 0xc0000101
GS_USER_RSP	equ 8
GS_RQ		equ 24
GS_KERNEL_RSP	equ 36			; in the TSS
THREAD_ON_CPU	equ 528
SYS_REPLY_RECV	equ 2
; struct trapframe, from `vector` on
TF_RIP		equ 16
TF_CS		equ 24
TF_RFLAGS	equ 32
TF_RSP		equ 40

extern trap_dispatch, trap_dispatch_paranoid, syscall_dispatch
extern fast_call, fast_reply_recv
extern panic_from
global trap_stubs, trap_text, trap_text_end, trap_restore_user
global syscall_entry, fast_leave, panic

%macro push_all 0
	push rax
	push rbx
	push rcx
	push rdx
	push rsi
	push rdi
	push rbp
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
%endmacro

%macro pop_all 0
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rbp
	pop rdi
	pop rsi
	pop rdx
	pop rcx
	pop rbx
	pop rax
%endmacro

section .text
	align 16
; 256 entries of 16 bytes; idt.c computes their addresses.
trap_stubs:
%assign v 0
%rep 256
	align 16
%if v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 29 || v == 30
	; the CPU pushed an error code
%else
	push 0
%endif
	push strict dword v
%if v == 2 || v == 8 || v == 18
	jmp strict near trap_paranoid
%else
	jmp strict near trap_common
%endif
%assign v v + 1
%endrep
	align 16

; A return address in [trap_text, trap_text_end) tells a backtrace that a
; trapframe lies above it.
trap_text:
trap_common:
	test byte [rsp + TF_CS], 3
	jz .kernel
	swapgs
.kernel:
	push_all
	cld
	mov rdi, rsp
	call trap_dispatch		; interrupts are off afterwards
	test byte [rsp + 15 * 8 + TF_CS], 3
	jnz trap_restore
	pop_all
	add rsp, 16
	iretq

trap_restore:
	pop_all
	add rsp, 16
	swapgs
	iretq

trap_paranoid:
	push_all
	cld
	xor ebx, ebx
	mov ecx, MSR_GS_BASE
	rdmsr
	test edx, edx
	js .ours
	swapgs
	inc ebx
.ours:	mov rdi, rsp
	call trap_dispatch_paranoid
	test ebx, ebx
	jz .restore
	swapgs
.restore:
	pop_all
	add rsp, 16
	iretq

; RCX: return address, R11: flags; SFMASK cleared IF, TF, DF, AC and NT.
syscall_entry:
	swapgs
	mov [gs:GS_USER_RSP], rsp
	mov rsp, [gs:GS_KERNEL_RSP]
	push USER_SS
	push qword [gs:GS_USER_RSP]
	push r11
	push USER_CS
	push rcx
	push 0
	push VEC_SYSCALL
	push_all
	mov rdi, rsp
	test rax, rax
	jz .call
	cmp rax, SYS_REPLY_RECV
	jne .slow
	call fast_reply_recv		; may go to fast_leave
	jmp .slow
.call:	call fast_call
.slow:	sti
	mov rdi, rsp
	call syscall_dispatch		; interrupts are off afterwards
	test al, al			; may SYSRET?
	jz trap_restore
	pop r15
	pop r14
	pop r13
	pop r12
	add rsp, 8
	pop r10
	pop r9
	pop r8
	pop rbp
	pop rdi
	pop rsi
	pop rdx
	add rsp, 8
	pop rbx
	pop rax
	mov rcx, [rsp + TF_RIP]
	mov r11, [rsp + TF_RFLAGS]
	mov rsp, [rsp + TF_RSP]
	swapgs
	o64 sysret

; fast_leave(badge, from, to, left): see kernel/fastpath.c. Interrupts are off.
fast_leave:
	mov r13, [rsi + 2 * 8]		; the message
	mov r12, [rsi + 3 * 8]
	mov r10, [rsi + 5 * 8]
	mov r9, [rsi + 6 * 8]
	mov r8, [rsi + 7 * 8]
	mov rsi, [rsi + 10 * 8]
	mov rax, [gs:GS_RQ]
	mov rsp, rdx			; the old stack is left
	mov byte [rcx + THREAD_ON_CPU], 0
	mov dword [rax], 0		; the holder of its lock (spin.h)
	xor eax, eax
	xor edx, edx
	pop r15
	pop r14
	mov rbx, [rsp + 11 * 8]
	mov rbp, [rsp + 6 * 8]
	mov rcx, [rsp + 13 * 8 + TF_RIP]
	mov r11, [rsp + 13 * 8 + TF_RFLAGS]
	mov rsp, [rsp + 13 * 8 + TF_RSP]
	swapgs
	o64 sysret

; panic(fmt, ...): keeps the caller's registers as a trap would, then calls
; panic_from(fmt, va_list, trapframe). The stack, from the top: SS, RSP,
; RFLAGS, CS, RIP, error, vector, registers; the six argument registers; the
; va_list.
panic:
	push rax			; becomes SS
	push rax			; becomes RSP
	pushfq
	cli
	push 8
	push qword [rsp + 32]		; RIP: our return address, less one,
	dec qword [rsp]			; for a call may end its function
	push 0
	push 0
	push_all
	mov r12, rsp			; the trapframe
	lea rax, [r12 + 22 * 8 + 8]	; RSP after the return
	mov [r12 + 20 * 8], rax
	mov qword [r12 + 21 * 8], 0x10
	and rsp, ~15
	push r9
	push r8
	push rcx
	push rdx
	push rsi
	push rdi
	mov rcx, rsp
	push rcx			; reg_save_area
	push rax			; overflow_arg_area
	mov rcx, 8 | (48 << 32)
	push rcx			; gp_offset, fp_offset
	mov rsi, rsp
	mov rdx, r12
	sub rsp, 8
	call panic_from
	ud2

; void trap_restore_user(struct trapframe *tf): interrupts are off.
trap_restore_user:
	mov rsp, rdi
	jmp trap_restore
trap_text_end:

section .note.GNU-stack noalloc noexec nowrite progbits
