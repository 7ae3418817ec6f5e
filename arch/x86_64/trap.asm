; trap.asm - entries from traps, interrupts and SYSCALL, the ways back, and
; the switch between kernel stacks.
;
; Rule of GS: user mode runs with the user's, the kernel with its CPU's. An
; entry swaps when it came from user mode. NMI, double fault and machine
; check can strike between that entry and its SWAPGS (or between the last
; SWAPGS and IRET or SYSRET), so they look at the base itself: user mode
; cannot set it to a kernel address (no FSGSBASE). They have stacks of their
; own, so a user RSP in the kernel does no harm either.

USER_SS		equ 0x1b
USER_CS		equ 0x23
VEC_PANIC	equ 0xfe
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
extern fast_call, fast_reply_recv, sched_arrive, thread_exit
global trap_stubs, trap_text, trap_text_end, trap_restore_user
global syscall_entry, fast_leave, panic, context_switch, context_entry

; The instruction %1 with each of the others, from the first to the last.
%macro each 2-*
%define %%instruction %1
%rep %0 - 1
%rotate 1
	%%instruction %1
%endrep
%endmacro

%macro push_all 0
	each push, rax, rbx, rcx, rdx, rsi, rdi, rbp
	each push, r8, r9, r10, r11, r12, r13, r14, r15
%endmacro

%macro pop_all 0
	each pop, r15, r14, r13, r12, r11, r10, r9, r8
	each pop, rbp, rdi, rsi, rdx, rcx, rbx, rax
%endmacro

section .text
	align 16
; 256 entries of 16 bytes; trap.c computes their addresses.
trap_stubs:
%assign v 0
%rep 256
	align 16
; With an error code, which the CPU has pushed?
%ifn v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 29 || v == 30
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
	jz restore_kernel
restore_user:
	swapgs
restore_kernel:
	pop_all
	add rsp, 16
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
	jz restore_kernel
	jmp restore_user

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
	jz restore_user
	pop_all				; but for these, which SYSRET needs
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
	mov byte [rax], 0		; the holder of its lock (spin.h)
	xor eax, eax
	xor edx, edx
	each pop, r15, r14
	mov rbx, [rsp + 11 * 8]
	mov rbp, [rsp + 6 * 8]
	mov rcx, [rsp + 13 * 8 + TF_RIP]
	mov r11, [rsp + 13 * 8 + TF_RFLAGS]
	mov rsp, [rsp + 13 * 8 + TF_RSP]
	swapgs
	o64 sysret

; void trap_restore_user(struct trapframe *tf): interrupts are off.
trap_restore_user:
	mov rsp, rdi
	jmp restore_user
trap_text_end:

; panic(fmt, ...): a trap keeps the registers as the caller has them (panic.c).
panic:
	int VEC_PANIC

; void context_switch(void **save_sp, void *load_sp). A context is a stack
; pointer under which lie, ascending: r15 r14 r13 r12 rbx rbp and the return
; address (context.h builds new ones).
context_switch:
	each push, rbp, rbx, r12, r13, r14, r15
	mov [rdi], rsp
	mov rsp, rsi
	each pop, r15, r14, r13, r12, rbx, rbp
	ret

; A new context "returns" here: rbx its stack, on which it need not lie, r12
; the function, r13 its argument.
context_entry:
	mov rsp, rbx
	xor ebp, ebp
	mov edi, 1			; interrupts are on afterwards
	call sched_arrive
	mov rdi, r13
	call r12
	call thread_exit
