; fake.asm - a guest of 70 lines that ends in one way (MODE), to test the
; harness's verdicts without a kernel that would have to be broken for it.
MODE_STATUS  equ 1		; prints "hello", exits with status 7
MODE_PANIC   equ 2		; panic record and code
MODE_TRIPLE  equ 3		; resets by a triple fault
MODE_SILENT  equ 4		; boots, then stops with interrupts off
MODE_IDLE    equ 5		; beats, but idle and without progress
MODE_BUSY    equ 6		; beats with progress for ever

bits 32
section .text
align 8
header:
	dd 0xe85250d6, 0, header_end - header
	dd -(0xe85250d6 + (header_end - header))
	dw 0, 0
	dd 8
header_end:

global start
start:
	cli
	mov esp, 0x90000
	mov dx, 0x2fb		; COM2: 8 bits
	mov al, 3
	out dx, al
	mov esi, boot
	call puts
%if MODE == MODE_STATUS
	mov esi, out
	call puts
	mov eax, 7
	jmp end
%elif MODE == MODE_PANIC
	mov esi, panic
	call puts
	mov eax, 0x7f
	jmp end
%elif MODE == MODE_TRIPLE
	lidt [no_idt]
	ud2
%elif MODE == MODE_IDLE || MODE == MODE_BUSY
.beat:	mov esi, beat
	call puts
%if MODE == MODE_BUSY
	xor byte [digit], 1
%endif
	mov ecx, 100000		; port 0x80: about a microsecond each
.wait:	out 0x80, al
	loop .wait
	jmp .beat
%endif
.stop:	hlt
	jmp .stop

puts:	mov dx, 0x2fd		; COM2
.full:	in al, dx
	test al, 0x20
	jz .full
	lodsb
	test al, al
	jz .end
	mov dx, 0x2f8
	out dx, al
	jmp puts
.end:	ret

end:	out 0xf4, eax		; QEMU's exit device
	mov dx, 0x2fd
.sent:	in al, dx
	test al, 0x40
	jz .sent
	mov dx, 0xb004		; ACPI: off
	mov ax, 0x2000
	out dx, ax
	hlt

section .data
boot:	db "@weir boot 6", 10, "cpus=1", 10, 0
out:	db "@weir out 6", 10, "hello", 10, 10
	db "@weir exit 1", 10, "7", 10, 0
panic:	db "@weir panic 21", 10, "the weir has burst", 10, "r1", 10, 0
beat:	db "@weir beat 17", 10, "progress="
digit:	db "2 idle=1", 10, 0
no_idt:	dw 0
	dd 0
