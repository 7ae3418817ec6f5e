; context.asm - switching between kernel stacks.
;
; A context is a stack pointer under which lie, ascending: r15 r14 r13 r12
; rbx rbp and the return address (context.c builds new ones).

global context_switch, context_entry

section .text

; void context_switch(void **save_sp, void *load_sp)
context_switch:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	mov [rdi], rsp
	mov rsp, rsi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

; A new context "returns" here: rbx its stack, on which it need not lie, r12
; the function, r13 its argument.
context_entry:
	mov rsp, rbx
	xor ebp, ebp
	mov rdi, r13
	call r12
	ud2

section .note.GNU-stack noalloc noexec nowrite progbits
