; usercopy.asm - the only code that touches user memory from the kernel.
;
; A page fault with RIP in [usercopy_begin, usercopy_end) that cannot be
; resolved goes on at usercopy_fail (usercopy.c). No stack is used between
; these labels.

global usercopy, usercopy_begin, usercopy_end, usercopy_fail

section .text

; bool usercopy(void *to, const void *from, size_t n): true when all of it
; was copied. The caller has opened SMAP.
usercopy:
usercopy_begin:
	mov rcx, rdx
	shr rcx, 3
	jz .tail
.words:	mov rax, [rsi]
	mov [rdi], rax
	add rsi, 8
	add rdi, 8
	dec rcx
	jnz .words
.tail:	and edx, 7
	jz .done
.bytes:	mov al, [rsi]
	mov [rdi], al
	inc rsi
	inc rdi
	dec edx
	jnz .bytes
.done:
usercopy_end:
	mov eax, 1
	ret
usercopy_fail:
	xor eax, eax
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
